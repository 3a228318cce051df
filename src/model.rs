//! What a span is, and everything about spans that is a pure function: no I/O, no async, no wire formats.
//!
//! Rules come from the observed behaviour of zipkin 3.6 (`docs/ARCHITECTURE.md` names the recordings).

mod address;
mod batch;
mod builder;
#[cfg(test)]
pub(crate) mod cpu_time;
mod critical;
mod id;
mod link;
mod linker;
mod merge;
mod order;
mod parts;
mod query;
mod record;
pub mod red;
pub mod search;
mod span;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
mod tree;
pub mod v1;

pub use address::{IpText, ipv4_bytes};
pub use batch::SpanBatch;
pub use builder::{EndpointBuilder, MissingId, SpanBuilder, cmp_utf16};
pub use critical::critical_shares;
pub use id::{IdError, SpanId, TraceId};
pub use link::DependencyLink;
pub use linker::{Call, DependencyLinker, link_trace};
pub use merge::{MergedSpan, MergedTrace, merge};
pub use order::{arrival_order, group_by_millisecond, without_duplicates};
pub use parts::{RecordHead, RecordParts, service_of, split_tag};
pub use query::QueryRequest;
pub use record::{CorruptRecord, EndpointRef, SpanRef};
pub use span::{Annotation, Endpoint, Span, SpanKind};
pub use tree::TraceTree;
