//! How far a copy is, kept in the store that is written: a source position, moved in the transaction of the spans. So an
//! interrupted copy goes on exactly where it was, and two copies of the same do not get in each other's way unnoticed.

use sha2::{Digest, Sha256};

use crate::storage::{ScanCursor, SourcePosition, SpanConsumer, StorageError};

/// Takes the place of a consumer group.
const GROUP: &str = "zipkind-store-copy";
/// Stands where a copy was finished.
const FINISHED: ScanCursor = ScanCursor { part: i64::MAX, low: u64::MAX };

/// The stored state of a copy.
#[derive(Debug)]
pub(super) struct State {
    topic: String,
    /// Spans of this copy, over all its runs.
    spans: i64,
    pub(super) after: Option<ScanCursor>,
}

impl State {
    /// Reads how far the copy of that source and window is.
    pub(super) async fn load(target: &dyn SpanConsumer, source: &str, window: &str) -> Result<Self, StorageError> {
        let digest = Sha256::digest(format!("{source}\n{window}"));
        let topic: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let stored = target.source_position(GROUP, &topic, 0).await?;
        let after = stored.as_ref().map(cursor).filter(|cursor| *cursor != FINISHED);
        Ok(Self { topic, spans: stored.map_or(0, |position| position.next), after })
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) {
        self.after = None;
    }

    /// Spans that earlier runs of this copy did.
    pub(super) fn spans_before(&self) -> u64 {
        if self.after.is_some() { self.spans.unsigned_abs() } else { 0 }
    }

    /// The position to be written with the spans of a page that ends there (`None`: the last).
    pub(super) fn position(&self, spans: usize, next: Option<ScanCursor>) -> SourcePosition {
        let before = if self.after.is_some() { self.spans } else { 0 };
        let ScanCursor { part, low } = next.unwrap_or(FINISHED);
        SourcePosition {
            group: GROUP.to_owned(),
            topic: self.topic.clone(),
            partition: 0,
            from: self.spans,
            next: if next.is_some() { before + spans as i64 } else { 0 },
            last_message_ms: part,
            last_message_checksum: low,
        }
    }

    /// That position is stored.
    pub(super) fn moved(&mut self, position: &SourcePosition) {
        self.spans = position.next;
        self.after = Some(cursor(position)).filter(|cursor| *cursor != FINISHED);
    }
}

fn cursor(position: &SourcePosition) -> ScanCursor {
    ScanCursor { part: position.last_message_ms, low: position.last_message_checksum }
}
