//! Reading a store from one end to the other, a page at a time: for copies and exports.

use crate::model::SpanBatch;

/// Where a scan goes on: behind this place in the store's own order. Means nothing to another store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanCursor {
    /// The part of the store.
    pub part: i64,
    /// The place in it: low 64 bits of a trace id.
    pub low: u64,
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanRequest {
    /// What the page before ended with; `None` begins.
    pub after: Option<ScanCursor>,
    /// Only traces with a span that began in this stretch, both ends included, epoch milliseconds. Spans without
    /// timestamp count as 0.
    pub window_ms: Option<(i64, i64)>,
    /// Spans after which the page ends. A trace is never divided, so it may be more.
    pub spans_max: usize,
}

impl ScanRequest {
    /// Whether a trace belongs into the answer.
    pub(super) fn wants(&self, spans: &SpanBatch) -> bool {
        let Some((start_ms, end_ms)) = self.window_ms else { return !spans.is_empty() };
        spans.iter().any(|span| (start_ms..=end_ms).contains(&span.timestamp_ms()))
    }

    /// Whether a page with so many spans ends.
    pub(super) fn is_full(&self, spans: usize) -> bool {
        spans >= self.spans_max.max(1)
    }

    /// Whether spans between these times may make a trace belong into the answer.
    pub(super) fn may_want(&self, min_ms: i64, max_ms: i64) -> bool {
        self.window_ms.is_none_or(|(start_ms, end_ms)| min_ms <= end_ms && max_ms >= start_ms)
    }
}

/// Some traces of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScanPage {
    /// Whole traces, spans in zipkin's order. Spans whose ids share the low 64 bits may come as one.
    pub traces: Vec<SpanBatch>,
    /// Where the next page begins; `None` after the last. A page may be empty and not the last.
    pub next: Option<ScanCursor>,
    /// Traces, or whole parts, that could not be read because they are damaged.
    pub damaged: usize,
    /// Which part of the store lies before `next`, 0 to 1, where that can be said.
    pub share: Option<f64>,
    /// How many spans the store holds in all, about, where that is known and `share` is not.
    pub spans_about: Option<u64>,
}

impl ScanPage {
    /// Spans of all traces.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.traces.iter().map(SpanBatch::len).sum()
    }
}

/// How many traces are read at once for a page: few first, because nobody knows how large they are, then more.
#[derive(Debug)]
pub(super) struct Group {
    next: usize,
    most: usize,
}

impl Group {
    const FIRST: usize = 4;

    pub(super) fn new(most: usize) -> Self {
        Self { next: Self::FIRST, most }
    }

    /// The size of the next group.
    pub(super) fn size(&mut self) -> usize {
        let size = self.next.min(self.most);
        self.next = size * 2;
        size
    }
}
