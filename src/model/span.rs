//! The owned span: for tests and cold paths. The data path uses [`SpanBatch`](super::SpanBatch).

use super::{SpanId, SpanRef, TraceId};

/// What a span is to the message or call it stands for (`CLIENT`, `SERVER`, `PRODUCER`, `CONSUMER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpanKind {
    /// Began a call.
    Client,
    /// Answered a call.
    Server,
    /// Sent a message.
    Producer,
    /// Took a message.
    Consumer,
}

impl SpanKind {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Server => "SERVER",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }

    /// The kind of exactly this name on the wire.
    #[must_use]
    pub fn from_wire_name(name: &str) -> Option<Self> {
        [Self::Client, Self::Server, Self::Producer, Self::Consumer].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Who recorded a span or stood at its other end. At least one member is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Lower-case service name.
    pub service_name: Option<String>,
    /// Dotted quad as it was written.
    pub ipv4: Option<String>,
    /// Canonical IPv6 text.
    pub ipv6: Option<String>,
    /// 1 to 65535.
    pub port: Option<u16>,
}

/// An event of a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// Microseconds since the epoch; zero and negative values are kept.
    pub timestamp_us: i64,
    /// What happened.
    pub value: String,
}

/// A span after normalisation, with every field owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Trace the span belongs to.
    pub trace_id: TraceId,
    /// Parent span, absent at the root.
    pub parent_id: Option<SpanId>,
    /// Identifier within the trace; both halves of a shared span have the same.
    pub id: SpanId,
    /// Absent for local work.
    pub kind: Option<SpanKind>,
    /// Lower-case name.
    pub name: Option<String>,
    /// Start, microseconds since the epoch, positive.
    pub timestamp_us: Option<i64>,
    /// Duration in microseconds, positive.
    pub duration_us: Option<i64>,
    /// Who recorded the span.
    pub local_endpoint: Option<Endpoint>,
    /// The other end of the call.
    pub remote_endpoint: Option<Endpoint>,
    /// Sorted by time, then value; no duplicates.
    pub annotations: Vec<Annotation>,
    /// Sorted by key (UTF-16 code units); keys are unique.
    pub tags: Vec<(String, String)>,
    /// Asked to be kept by all samplers.
    pub debug: bool,
    /// The server's half of a span whose client half another tracer recorded.
    pub shared: bool,
}

impl From<SpanRef<'_>> for Span {
    fn from(span: SpanRef<'_>) -> Self {
        Self {
            trace_id: span.trace_id,
            parent_id: span.parent_id,
            id: span.id,
            kind: span.kind,
            name: span.name.map(str::to_owned),
            timestamp_us: span.timestamp_us,
            duration_us: span.duration_us,
            local_endpoint: span.local_endpoint.map(Into::into),
            remote_endpoint: span.remote_endpoint.map(Into::into),
            annotations: span
                .annotations()
                .map(|(timestamp_us, value)| Annotation { timestamp_us, value: value.to_owned() })
                .collect(),
            tags: span.tags().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            debug: span.debug,
            shared: span.shared,
        }
    }
}
