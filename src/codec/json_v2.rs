//! Zipkin v2 JSON: the reader of spans, and the writers of what the query API answers.

mod decode;
mod encode;

pub(super) use decode::decode;
pub use encode::{write_links, write_names, write_spans, write_traces};

#[cfg(test)]
mod tests;
