//! Zipkin v2 protobuf, `ListOfSpans`: a reader and a writer of the wire format of our own, because spans go straight
//! into the batch and from it, without structs between.

mod decode;
mod encode;

pub(super) use decode::decode;
pub use encode::encode;

/// Field numbers of `zipkin.proto3`, shifted and joined with the wire type they are written with.
mod key {
    use crate::codec::wire::{BYTES, FIXED64, VARINT};

    pub(super) const LIST_SPANS: u32 = 1 << 3 | BYTES;

    pub(super) const SPAN_TRACE_ID: u32 = 1 << 3 | BYTES;
    pub(super) const SPAN_PARENT_ID: u32 = 2 << 3 | BYTES;
    pub(super) const SPAN_ID: u32 = 3 << 3 | BYTES;
    pub(super) const SPAN_KIND: u32 = 4 << 3 | VARINT;
    pub(super) const SPAN_NAME: u32 = 5 << 3 | BYTES;
    pub(super) const SPAN_TIMESTAMP: u32 = 6 << 3 | FIXED64;
    pub(super) const SPAN_DURATION: u32 = 7 << 3 | VARINT;
    pub(super) const SPAN_LOCAL_ENDPOINT: u32 = 8 << 3 | BYTES;
    pub(super) const SPAN_REMOTE_ENDPOINT: u32 = 9 << 3 | BYTES;
    pub(super) const SPAN_ANNOTATIONS: u32 = 10 << 3 | BYTES;
    pub(super) const SPAN_TAGS: u32 = 11 << 3 | BYTES;
    pub(super) const SPAN_DEBUG: u32 = 12 << 3 | VARINT;
    pub(super) const SPAN_SHARED: u32 = 13 << 3 | VARINT;

    pub(super) const ENDPOINT_SERVICE_NAME: u32 = 1 << 3 | BYTES;
    pub(super) const ENDPOINT_IPV4: u32 = 2 << 3 | BYTES;
    pub(super) const ENDPOINT_IPV6: u32 = 3 << 3 | BYTES;
    pub(super) const ENDPOINT_PORT: u32 = 4 << 3 | VARINT;

    pub(super) const ANNOTATION_TIMESTAMP: u32 = 1 << 3 | FIXED64;
    pub(super) const ANNOTATION_VALUE: u32 = 2 << 3 | BYTES;

    pub(super) const TAG_KEY: u32 = 1 << 3 | BYTES;
    pub(super) const TAG_VALUE: u32 = 2 << 3 | BYTES;
}

#[cfg(test)]
mod tests;
