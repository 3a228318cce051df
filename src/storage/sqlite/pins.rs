//! Copies of traces that someone wants to keep, in a table that retention leaves alone.
//!
//! A copy holds the spans that were there when the trace was pinned; what comes later is copied when it is pinned again. Reads
//! of the trace fold copy and stored spans like any two reports of a span.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sqlx::{Row, SqliteConnection};

use super::Store;
use super::error::{NAME, corrupt, during};
use super::row;
use super::seal::open_writer;
use crate::model::{SpanBatch, TraceId, arrival_order};
use crate::storage::{ErrorKind, PINS_PART, PinnedTrace, StorageError};

const OPERATION: &str = "pin";

/// What is pinned, by the low half of the trace id.
#[derive(Debug, Default)]
pub(super) struct Pins {
    by_low: Mutex<BTreeMap<u64, PinnedTrace>>,
}

impl Pins {
    pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let rows: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as("SELECT trace_low, trace_high, spans, length(records) FROM pinned")
                .fetch_all(connection)
                .await?;
        let pinned = rows.into_iter().filter_map(|(low, high, spans, bytes)| {
            let trace_id = TraceId::from_halves(high as u64, low as u64)?;
            Some((low as u64, PinnedTrace { trace_id, spans: spans as usize, bytes: bytes as usize }))
        });
        Ok(Self { by_low: Mutex::new(pinned.collect()) })
    }

    pub(super) fn list(&self) -> Vec<PinnedTrace> {
        let mut list: Vec<PinnedTrace> = self.by_low.lock().values().copied().collect();
        list.sort_unstable_by_key(|pinned| pinned.trace_id);
        list
    }

    fn has(&self, low: u64) -> bool {
        self.by_low.lock().contains_key(&low)
    }

    /// Bytes of all copies but one.
    fn bytes_beside(&self, low: u64) -> usize {
        self.by_low.lock().iter().filter(|known| *known.0 != low).map(|known| known.1.bytes).sum()
    }
}

impl Store {
    /// The stored spans of a trace with those of its copy, all in order of arrival. Asks the engine, so only for threads that
    /// may block.
    pub(super) fn with_pinned(&self, low: u64, stored: SpanBatch) -> Result<SpanBatch, StorageError> {
        if !self.pins.has(low) {
            return Ok(stored);
        }
        let copy = sqlx::query("SELECT records FROM pinned WHERE trace_low = ?1").bind(low as i64);
        let copy = self.reader.handle.block_on(copy.fetch_optional(&self.reader.pool)).map_err(during(OPERATION))?;
        let Some(copy) = copy else { return Ok(stored) };
        let mut spans = SpanBatch::new();
        if let Err(error) = row::decode(copy.try_get(0).map_err(during(OPERATION))?, &mut spans) {
            self.reader.damage.note(&format!("pinned trace {low:016x}"), &corrupt(OPERATION, error.to_string()));
            return Ok(stored);
        }
        spans.append(&stored);
        Ok(arrival_order(spans))
    }

    pub(super) async fn pin(self: Arc<Self>, id: TraceId) -> Result<PinnedTrace, StorageError> {
        let spans = self.query(move |store, view| {
            let stored = store.reader.trace(&store.live, view, id.low())?;
            store.with_pinned(id.low(), stored)
        });
        let spans = spans.await?;
        let is_strict = self.live.options.strict_trace_id;
        if !spans.iter().any(|span| !is_strict || span.trace_id == id) {
            return Err(StorageError::new(ErrorKind::NotFound, NAME, OPERATION, format!("{id} not found")));
        }
        let records = row::encode(spans.records());
        // One at a time, so that the limit holds for all together.
        let mut writer = self.writer.lock().await;
        if (self.pins.bytes_beside(id.low()) + records.len()) as u64 > self.bytes_max / PINS_PART as u64 {
            let reason = "pinned traces would take more than a hundredth of what the store may hold";
            return Err(StorageError::new(ErrorKind::Full, NAME, OPERATION, reason));
        }
        let pinned = PinnedTrace { trace_id: id, spans: spans.len(), bytes: records.len() };
        open_writer(&mut writer)?.put_pin(&pinned, &records).await.map_err(during(OPERATION))?;
        self.pins.by_low.lock().insert(id.low(), pinned);
        Ok(pinned)
    }

    pub(super) async fn unpin(self: Arc<Self>, id: TraceId) -> Result<bool, StorageError> {
        let mut writer = self.writer.lock().await;
        open_writer(&mut writer)?.remove_pin(id).await.map_err(during("unpin"))?;
        Ok(self.pins.by_low.lock().remove(&id.low()).is_some())
    }
}
