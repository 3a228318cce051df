//! The older shape of a span: one span of annotations from both sides of a call, instead of a span a side.
//!
//! JSON v1 and thrift carry it, and zipkin's MySQL tables store it. Owned types: this is not the data path.

mod from_v2;
mod to_v2;

pub use to_v2::{V1Converter, V1Error};

use super::{Endpoint, SpanId, TraceId};

/// A v1 span as it was read: nothing is sorted or lower-cased yet except endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Span {
    /// Trace the span belongs to.
    pub trace_id: TraceId,
    /// Parent span.
    pub parent_id: Option<SpanId>,
    /// Identifier within the trace, shared by client and server.
    pub id: SpanId,
    /// Name, empty when there is none.
    pub name: String,
    /// Start in microseconds; zero or less is none.
    pub timestamp_us: i64,
    /// Duration in microseconds; zero or less is none.
    pub duration_us: i64,
    /// Events; those with a core value (`cs`, `sr` ...) mark the sides of a call.
    pub annotations: Vec<V1Annotation>,
    /// Tags and addresses.
    pub binary_annotations: Vec<V1BinaryAnnotation>,
    /// Asked to be kept by all samplers.
    pub debug: bool,
}

/// An event and who recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Annotation {
    /// Microseconds since the epoch.
    pub timestamp_us: i64,
    /// What happened.
    pub value: String,
    /// Who recorded it. Boxed: there are many annotations, most without.
    pub endpoint: Option<Box<Endpoint>>,
}

/// A tag or an address, and who recorded it (an address: whose it is).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1BinaryAnnotation {
    /// Name of the tag, or `sa`, `ca`, `ma`.
    pub key: String,
    /// Value of the tag, or that this is an address.
    pub value: V1Value,
    /// Who recorded it, or the address itself.
    pub endpoint: Option<Box<Endpoint>>,
}

/// Values of binary annotations that zipkin keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V1Value {
    /// Text.
    Text(String),
    /// `true` on the wire: the endpoint is the content.
    Address,
}

#[cfg(test)]
mod tests;
