//! Copies of traces that someone wants to keep: they stay when the trace itself has made room for others.
//!
//! A copy holds the spans that were there when the trace was pinned; what comes later is copied when it is pinned again. Reads
//! of the trace fold copy and original like any two reports of a span.

use std::collections::BTreeMap;

use super::{MemoryConfig, NAME};
use crate::model::{SpanBatch, TraceId, arrival_order};
use crate::storage::{ErrorKind, PINS_PART, PinnedTrace, StorageError};

#[derive(Debug)]
struct Pin {
    trace_id: TraceId,
    spans: SpanBatch,
}

/// All copies, by the low half of the trace id.
#[derive(Debug, Default)]
pub(super) struct Pins {
    by_low: BTreeMap<u64, Pin>,
}

impl Pins {
    /// Keeps a copy of the spans, unless all copies together would be more than a hundredth of what the store may hold.
    pub(super) fn pin(
        &mut self,
        trace_id: TraceId,
        spans: SpanBatch,
        config: &MemoryConfig,
    ) -> Result<PinnedTrace, StorageError> {
        let others = || self.by_low.iter().filter(|(low, _)| **low != trace_id.low()).map(|(_, pin)| &pin.spans);
        let spans_kept = others().map(SpanBatch::len).sum::<usize>() + spans.len();
        let bytes_kept = others().map(SpanBatch::memory_bytes).sum::<usize>() + spans.memory_bytes();
        if spans_kept > config.spans_max / PINS_PART || bytes_kept > config.bytes_max / PINS_PART {
            let reason = "pinned traces would take more than a hundredth of what the store may hold";
            return Err(StorageError::new(ErrorKind::Full, NAME, "pin", reason));
        }
        let pin = Pin { trace_id, spans };
        let pinned = told(&pin);
        self.by_low.insert(trace_id.low(), pin);
        Ok(pinned)
    }

    pub(super) fn unpin(&mut self, trace_id: TraceId) -> bool {
        self.by_low.remove(&trace_id.low()).is_some()
    }

    pub(super) fn list(&self) -> Vec<PinnedTrace> {
        let mut list: Vec<PinnedTrace> = self.by_low.values().map(told).collect();
        list.sort_unstable_by_key(|pinned| pinned.trace_id);
        list
    }

    /// The spans of a trace with those of its copy, all in order of arrival.
    pub(super) fn fold(&self, low: u64, spans: SpanBatch) -> SpanBatch {
        let Some(pin) = self.by_low.get(&low) else { return spans };
        let mut folded = pin.spans.clone();
        folded.append(&spans);
        arrival_order(folded)
    }
}

fn told(pin: &Pin) -> PinnedTrace {
    PinnedTrace { trace_id: pin.trace_id, spans: pin.spans.len(), bytes: pin.spans.record_bytes() }
}
