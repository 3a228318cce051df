//! Writing `ListOfSpans`: fields in the order of their numbers, absent ones left out.

use super::key;
use crate::model::{EndpointRef, SpanBatch, SpanKind, SpanRef, ipv4_bytes};

/// Writes a list of spans.
#[must_use]
pub fn encode(spans: &SpanBatch) -> Vec<u8> {
    let mut out = Vec::with_capacity(spans.record_bytes() + spans.record_bytes() / 4);
    let mut message = Vec::new();
    let mut inner = Vec::new();
    for span in spans.iter() {
        message.clear();
        put_span(&mut message, &mut inner, &span);
        put_bytes(&mut out, key::LIST_SPANS, &message);
    }
    out
}

/// Writes the fields of one span; `inner` is memory for the messages inside it.
fn put_span(out: &mut Vec<u8>, inner: &mut Vec<u8>, span: &SpanRef<'_>) {
    let trace_id = [span.trace_id.high().to_be_bytes(), span.trace_id.low().to_be_bytes()];
    put_bytes(out, key::SPAN_TRACE_ID, &trace_id.as_flattened()[if span.trace_id.is_128_bit() { 0 } else { 8 }..]);
    if let Some(parent_id) = span.parent_id {
        put_bytes(out, key::SPAN_PARENT_ID, &parent_id.value().to_be_bytes());
    }
    put_bytes(out, key::SPAN_ID, &span.id.value().to_be_bytes());
    if let Some(kind) = span.kind {
        put_varint(out, key::SPAN_KIND, number_of(kind));
    }
    if let Some(name) = span.name {
        put_bytes(out, key::SPAN_NAME, name.as_bytes());
    }
    if let Some(timestamp_us) = span.timestamp_us {
        put_fixed64(out, key::SPAN_TIMESTAMP, timestamp_us);
    }
    if let Some(duration_us) = span.duration_us {
        put_varint(out, key::SPAN_DURATION, duration_us as u64);
    }
    for (key, endpoint) in
        [(key::SPAN_LOCAL_ENDPOINT, span.local_endpoint), (key::SPAN_REMOTE_ENDPOINT, span.remote_endpoint)]
    {
        if let Some(endpoint) = endpoint {
            put_message(out, inner, key, |inner| put_endpoint(inner, endpoint));
        }
    }
    for (timestamp_us, value) in span.annotations() {
        put_message(out, inner, key::SPAN_ANNOTATIONS, |inner| {
            put_fixed64(inner, key::ANNOTATION_TIMESTAMP, timestamp_us);
            put_bytes(inner, key::ANNOTATION_VALUE, value.as_bytes());
        });
    }
    for (name, value) in span.tags() {
        put_message(out, inner, key::SPAN_TAGS, |inner| {
            put_bytes(inner, key::TAG_KEY, name.as_bytes());
            put_bytes(inner, key::TAG_VALUE, value.as_bytes());
        });
    }
    if span.debug {
        put_varint(out, key::SPAN_DEBUG, 1);
    }
    if span.shared {
        put_varint(out, key::SPAN_SHARED, 1);
    }
}

fn put_endpoint(out: &mut Vec<u8>, endpoint: EndpointRef<'_>) {
    if let Some(service_name) = endpoint.service_name {
        put_bytes(out, key::ENDPOINT_SERVICE_NAME, service_name.as_bytes());
    }
    if let Some(ipv4) = endpoint.ipv4.and_then(ipv4_bytes) {
        put_bytes(out, key::ENDPOINT_IPV4, &ipv4);
    }
    if let Some(ipv6) = endpoint.ipv6.and_then(|text| text.parse::<std::net::Ipv6Addr>().ok()) {
        put_bytes(out, key::ENDPOINT_IPV6, &ipv6.octets());
    }
    if let Some(port) = endpoint.port {
        put_varint(out, key::ENDPOINT_PORT, port.into());
    }
}

fn number_of(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Client => 1,
        SpanKind::Server => 2,
        SpanKind::Producer => 3,
        SpanKind::Consumer => 4,
    }
}

fn put_message(out: &mut Vec<u8>, inner: &mut Vec<u8>, key: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    inner.clear();
    fill(inner);
    put_bytes(out, key, inner);
}

fn put_bytes(out: &mut Vec<u8>, key: u32, bytes: &[u8]) {
    out.push(key as u8);
    put_plain_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_fixed64(out: &mut Vec<u8>, key: u32, value: i64) {
    out.push(key as u8);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, key: u32, value: u64) {
    out.push(key as u8);
    put_plain_varint(out, value);
}

fn put_plain_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
