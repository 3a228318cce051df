//! Spans into a store; what it refuses is found and named, and all else goes in.

use crate::model::{SpanBatch, SpanRef};
use crate::storage::{Batch, ErrorKind, SourcePosition, StorageBackend, StorageError};

/// Spans of one write, at most: a trace that is larger goes in in parts.
const WRITE_SPANS_MAX: usize = 20_000;

/// Writes spans, the position with the last of them.
///
/// Gives the spans that the store refuses, each with the reason.
pub(super) async fn write(
    target: &dyn StorageBackend,
    spans: &SpanBatch,
    position: Option<SourcePosition>,
) -> Result<Vec<(SpanBatch, String)>, StorageError> {
    let mut refused = Vec::new();
    let mut from = 0;
    while spans.len() - from > WRITE_SPANS_MAX {
        write_part(target, spans.slice(from, from + WRITE_SPANS_MAX), None, &mut refused).await?;
        from += WRITE_SPANS_MAX;
    }
    let last = if from == 0 { spans.clone() } else { spans.slice(from, spans.len()) };
    write_part(target, last, position, &mut refused).await?;
    Ok(refused)
}

async fn write_part(
    target: &dyn StorageBackend,
    spans: SpanBatch,
    position: Option<SourcePosition>,
    refused: &mut Vec<(SpanBatch, String)>,
) -> Result<(), StorageError> {
    let batch = Batch { spans, position };
    let Some(error) = rejected(target, &batch).await? else { return Ok(()) };
    divide(target, batch.spans, error, refused).await?;
    let moved = Batch { spans: SpanBatch::new(), position: batch.position };
    match rejected(target, &moved).await? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Halves until what is refused stands alone.
async fn divide(
    target: &dyn StorageBackend,
    spans: SpanBatch,
    error: StorageError,
    refused: &mut Vec<(SpanBatch, String)>,
) -> Result<(), StorageError> {
    let mut parts = vec![(spans, error)];
    while let Some((spans, error)) = parts.pop() {
        if spans.len() <= 1 {
            refused.push((spans, error.source.to_string()));
            continue;
        }
        let middle = spans.len() / 2;
        // The second half first: what was put last is taken first.
        for (from, to) in [(middle, spans.len()), (0, middle)] {
            let half = Batch { spans: spans.slice(from, to), position: None };
            if let Some(error) = rejected(target, &half).await? {
                parts.push((half.spans, error));
            }
        }
    }
    Ok(())
}

/// `Some` when the store will never take it.
async fn rejected(target: &dyn StorageBackend, batch: &Batch) -> Result<Option<StorageError>, StorageError> {
    match target.write(std::slice::from_ref(batch)).await.pop() {
        Some(Err(error)) if error.kind == ErrorKind::Rejected => Ok(Some(error)),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Ok(None),
    }
}

/// How a span is named in messages.
pub(super) fn name_of(span: &SpanRef<'_>) -> String {
    format!("span {} of trace {}", span.id, span.trace_id)
}
