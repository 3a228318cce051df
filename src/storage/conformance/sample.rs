//! Short ways to say which spans a case writes and what it expects.

use crate::model::{QueryRequest, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Where most cases live, epoch milliseconds.
pub(super) const T: i64 = 1_600_000_000_000;
pub(super) const DAY_MS: i64 = 86_400_000;

/// A span to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    high: u64,
    low: u64,
    id: u64,
    parent: u64,
    kind: Option<SpanKind>,
    name: String,
    timestamp_us: i64,
    duration_us: i64,
    service: String,
    remote: String,
    tags: Vec<(String, String)>,
    annotations: Vec<(i64, String)>,
}

/// A span of trace `low` at [`T`].
pub(super) fn span(low: u64, id: u64) -> Sample {
    Sample { low, id, timestamp_us: T * 1000, ..Sample::default() }
}

impl Sample {
    pub(super) fn high(mut self, high: u64) -> Self {
        self.high = high;
        self
    }

    pub(super) fn parent(mut self, parent: u64) -> Self {
        self.parent = parent;
        self
    }

    pub(super) fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = Some(kind);
        self
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Milliseconds after [`T`].
    pub(super) fn at(self, after_ms: i64) -> Self {
        self.at_us((T + after_ms) * 1000)
    }

    /// Microseconds since the epoch; 0 for none.
    pub(super) fn at_us(mut self, timestamp_us: i64) -> Self {
        self.timestamp_us = timestamp_us;
        self
    }

    pub(super) fn lasting(mut self, duration_us: i64) -> Self {
        self.duration_us = duration_us;
        self
    }

    pub(super) fn service(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    pub(super) fn remote(mut self, remote: &str) -> Self {
        remote.clone_into(&mut self.remote);
        self
    }

    pub(super) fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn annotation(mut self, value: &str) -> Self {
        self.annotations.push((self.timestamp_us, value.to_owned()));
        self
    }
}

pub(super) fn batch<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for sample in samples {
        builder.clear();
        builder.set_trace_id(trace_id(sample.high, sample.low));
        builder.set_id(SpanId::new(sample.id));
        builder.set_parent_id(SpanId::new(sample.parent));
        builder.set_kind(sample.kind);
        builder.set_name(&sample.name);
        builder.set_timestamp_us(sample.timestamp_us);
        builder.set_duration_us(sample.duration_us);
        builder.local_endpoint.set_service_name(&sample.service);
        builder.remote_endpoint.set_service_name(&sample.remote);
        sample.tags.iter().for_each(|(key, value)| builder.add_tag(key, value));
        sample.annotations.iter().for_each(|(time, value)| builder.add_annotation(*time, value));
        builder.finish(&mut batch).unwrap_or_else(|error| panic!("{error}"));
    }
    batch
}

pub(super) fn trace_id(high: u64, low: u64) -> TraceId {
    TraceId::from_halves(high, low).unwrap_or_else(|| panic!("a trace id of zeros"))
}

/// A day around [`T`], far more traces than cases write.
pub(super) fn any() -> QueryRequest {
    QueryRequest::window(T + DAY_MS / 2, DAY_MS, 1_000)
}

/// Any trace with a span of that service.
pub(super) fn of(service: &str) -> QueryRequest {
    QueryRequest { service_name: Some(service.to_owned()), ..any() }
}

/// Any trace that meets an annotation query.
pub(super) fn tagged(text: &str) -> QueryRequest {
    QueryRequest { annotation_query: QueryRequest::parse_annotation_query(text), ..any() }
}

/// The low halves of the traces' ids.
pub(super) fn lows(traces: &[SpanBatch]) -> Vec<u64> {
    traces.iter().map(|trace| trace.get(0).map_or(0, |span| span.trace_id.low())).collect()
}

/// The span ids of one trace.
pub(super) fn ids(trace: &SpanBatch) -> Vec<u64> {
    trace.iter().map(|span| span.id.value()).collect()
}

/// The only trace of an answer, for failures that can be read.
pub(super) fn only(traces: &[SpanBatch]) -> &SpanBatch {
    match traces {
        [trace] => trace,
        others => panic!("one trace was expected, not {:?}", lows(others)),
    }
}
