//! Which traces a search finds: zipkin's test of one trace, and the strict split.
//!
//! A store walks its candidates, newest first, and offers each (all spans of one low 64-bit trace id, in
//! [`arrival_order`](super::arrival_order)) to a [`Selection`] until that is full. A store that reads spans one by one can
//! ask a [`TraceTest`] first and load the whole trace only when it matches.

use hashbrown::HashMap;

use super::{QueryRequest, SpanBatch, SpanRef, TraceId};

/// Tests the spans of one trace, one after the other, in list order.
///
/// Conditions look only at spans of the asked service (at all spans when none is asked); different spans may meet
/// different conditions. The window looks at the trace's timestamp: that of the first span with a timestamp and no
/// parent, else the smallest.
#[derive(Debug)]
pub struct TraceTest<'q> {
    request: &'q QueryRequest,
    root_timestamp_us: Option<i64>,
    first_timestamp_us: Option<i64>,
    seen_service: bool,
    seen_remote_service: bool,
    seen_span_name: bool,
    seen_duration: bool,
    /// One per term of the annotation query.
    seen_terms: Vec<bool>,
    terms_left: usize,
}

impl<'q> TraceTest<'q> {
    /// A test that has seen no span.
    #[must_use]
    pub fn new(request: &'q QueryRequest) -> Self {
        let terms = request.annotation_query.len();
        Self {
            request,
            root_timestamp_us: None,
            first_timestamp_us: None,
            seen_service: request.service_name.is_none(),
            seen_remote_service: request.remote_service_name.is_none(),
            seen_span_name: request.span_name.is_none(),
            seen_duration: request.min_duration_us.is_none() && request.max_duration_us.is_none(),
            seen_terms: vec![false; terms],
            terms_left: terms,
        }
    }

    /// Forgets the spans, keeps the memory: ready for the next trace.
    pub fn reset(&mut self) {
        let mut terms = std::mem::take(&mut self.seen_terms);
        terms.fill(false);
        *self = Self {
            request: self.request,
            root_timestamp_us: None,
            first_timestamp_us: None,
            seen_service: self.request.service_name.is_none(),
            seen_remote_service: self.request.remote_service_name.is_none(),
            seen_span_name: self.request.span_name.is_none(),
            seen_duration: self.request.min_duration_us.is_none() && self.request.max_duration_us.is_none(),
            terms_left: terms.len(),
            seen_terms: terms,
        };
    }

    /// Looks at the next span.
    pub fn observe(&mut self, span: &SpanRef<'_>) {
        if let (Some(timestamp_us), None) = (span.timestamp_us, self.root_timestamp_us) {
            if span.parent_id.is_none() {
                self.root_timestamp_us = Some(timestamp_us);
            }
            self.first_timestamp_us =
                Some(self.first_timestamp_us.map_or(timestamp_us, |first| first.min(timestamp_us)));
        }
        let request = self.request;
        if request.service_name.is_some() && request.service_name.as_deref() != span.local_service_name() {
            return;
        }
        self.seen_service = true;
        self.seen_remote_service |= request.remote_service_name.as_deref() == span.remote_service_name();
        self.seen_span_name |= request.span_name.as_deref() == span.name;
        if !self.seen_duration {
            let duration_us = span.duration_us.unwrap_or(0);
            self.seen_duration = duration_us >= request.min_duration_us.unwrap_or(i64::MIN)
                && duration_us <= request.max_duration_us.unwrap_or(i64::MAX);
        }
        if self.terms_left > 0 {
            self.observe_terms(span);
        }
    }

    /// Whether the spans seen make a trace that matches.
    #[must_use]
    pub fn is_match(&self) -> bool {
        let conditions = self.seen_service && self.seen_remote_service && self.seen_span_name && self.seen_duration;
        conditions && self.terms_left == 0 && self.is_in_window()
    }

    fn is_in_window(&self) -> bool {
        let request = self.request;
        self.root_timestamp_us.or(self.first_timestamp_us).is_some_and(|timestamp_us| {
            request.start_ts_ms().saturating_mul(1000) <= timestamp_us
                && timestamp_us <= request.end_ts_ms.saturating_mul(1000)
        })
    }

    fn observe_terms(&mut self, span: &SpanRef<'_>) {
        for ((key, value), seen) in self.request.annotation_query.iter().zip(&mut self.seen_terms) {
            if *seen {
                continue;
            }
            *seen = if value.is_empty() {
                span.tag(key).is_some() || span.annotations().any(|(_, annotation)| annotation == key)
            } else {
                span.tag(key) == Some(value)
            };
            self.terms_left -= usize::from(*seen);
        }
    }
}

/// Whether the spans of one trace, in list order, match.
pub fn matches<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>, request: &QueryRequest) -> bool {
    let mut test = TraceTest::new(request);
    spans.into_iter().for_each(|span| test.observe(&span));
    test.is_match()
}

/// Divides the spans of one low 64-bit trace id by their full ids, in the order in which these are first seen.
#[must_use]
pub fn split_strict(spans: SpanBatch) -> Vec<SpanBatch> {
    let Some(first) = spans.get(0).map(|span| span.trace_id) else { return Vec::new() };
    if spans.iter().all(|span| span.trace_id == first) {
        return vec![spans];
    }
    let mut part_of_id: HashMap<TraceId, usize> = HashMap::new();
    let mut parts: Vec<SpanBatch> = Vec::new();
    for span in spans.iter() {
        let part = *part_of_id.entry(span.trace_id).or_insert_with(|| {
            parts.push(SpanBatch::new());
            parts.len() - 1
        });
        parts[part].push_record(span.record());
    }
    parts
}

/// Collects the traces of an answer from candidates that are offered newest first.
#[derive(Debug)]
pub struct Selection<'q> {
    test: TraceTest<'q>,
    strict_trace_id: bool,
    traces: Vec<SpanBatch>,
}

impl<'q> Selection<'q> {
    /// No traces yet. `strict_trace_id` as in the storage options.
    #[must_use]
    pub fn new(request: &'q QueryRequest, strict_trace_id: bool) -> Self {
        Self { test: TraceTest::new(request), strict_trace_id, traces: Vec::new() }
    }

    /// True when the limit is reached: no further candidate is wanted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.traces.len() >= self.test.request.limit
    }

    /// Takes the candidate if it matches as a whole; in strict mode it is then split by full id and every part is tested
    /// again (so the answer can exceed the limit, as in zipkin). `spans` are in arrival order.
    pub fn offer(&mut self, spans: SpanBatch) {
        if self.is_full() || !self.is_match(&spans) {
            return;
        }
        if !self.strict_trace_id {
            self.traces.push(spans);
            return;
        }
        let mut parts = split_strict(spans);
        if parts.len() > 1 {
            parts.retain(|part| self.is_match(part));
        }
        self.traces.append(&mut parts);
    }

    /// The traces taken, in the order offered.
    #[must_use]
    pub fn into_traces(self) -> Vec<SpanBatch> {
        self.traces
    }

    fn is_match(&mut self, spans: &SpanBatch) -> bool {
        self.test.reset();
        spans.iter().for_each(|span| self.test.observe(&span));
        self.test.is_match()
    }
}

#[cfg(test)]
mod tests;
