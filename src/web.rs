//! HTTP layers that transports and the API share. Knows nothing of spans.

pub mod answer;
pub mod body;
pub mod compression;
pub mod cors;
pub mod edge;
pub mod inflate;
pub mod limits;
pub mod path;
pub mod request_metrics;
pub mod self_tracing;
pub mod server;
