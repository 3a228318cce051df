//! Reading back what was written.

use std::collections::HashSet;

use crate::model::{SpanBatch, TraceId};
use crate::storage::{QueryBudget, StorageBackend, StorageError};

/// Traces asked for at once.
const TRACES: usize = 256;

/// The spans that the store does not give back. One with a coarser schema gives what it made of them, so that ids must do.
pub(super) async fn missing(
    target: &dyn StorageBackend,
    written: &SpanBatch,
    refused: &[(SpanBatch, String)],
) -> Result<SpanBatch, StorageError> {
    let is_exact = target.capabilities().exact_duplicates;
    let mut asked = HashSet::new();
    let ids: Vec<TraceId> = written.iter().map(|span| span.trace_id).filter(|id| asked.insert(*id)).collect();
    let mut found: HashSet<Vec<u8>> = HashSet::with_capacity(written.len());
    for ids in ids.chunks(TRACES) {
        for trace in target.traces(ids, &QueryBudget::unlimited()).await? {
            found.extend(keys(&trace, is_exact));
        }
    }
    found.extend(refused.iter().flat_map(|(spans, _)| keys(spans, is_exact)));
    let mut missing = SpanBatch::new();
    for (record, key) in written.records().zip(keys(written, is_exact)) {
        if !found.contains(&key) {
            missing.push_record(record);
        }
    }
    Ok(missing)
}

fn keys(spans: &SpanBatch, is_exact: bool) -> impl Iterator<Item = Vec<u8>> {
    // Older tables have no upper half of trace ids.
    spans.iter().map(move |span| match is_exact {
        true => span.record().to_vec(),
        false => [span.trace_id.low().to_le_bytes(), span.id.value().to_le_bytes()].concat(),
    })
}
