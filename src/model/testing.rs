//! Spans for tests, out of readable text.

use serde_json::Value;

use super::{EndpointBuilder, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Reads a JSON list of v2 spans. Only for well-formed texts of tests: everything else panics.
#[must_use]
pub fn spans_from_json(text: &str) -> SpanBatch {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    spans_from_value(&value)
}

/// As [`spans_from_json`], from a value that was read before.
#[must_use]
pub fn spans_from_value(value: &Value) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for span in list(value) {
        builder.clear();
        fill(&mut builder, span);
        builder.finish(&mut batch).unwrap_or_else(|error| panic!("{error} in {span}"));
    }
    batch
}

fn fill(builder: &mut SpanBuilder, span: &Value) {
    let id = |member: &str| span[member].as_str().map(|text| parsed(SpanId::parse(text.as_bytes())));
    let text = |member: &str| span[member].as_str().unwrap_or_default();
    builder.set_trace_id(parsed(TraceId::parse(text("traceId").as_bytes())));
    id("id").into_iter().for_each(|id| builder.set_id(id));
    id("parentId").into_iter().for_each(|id| builder.set_parent_id(id));
    builder.set_kind(SpanKind::from_wire_name(text("kind")));
    builder.set_name(text("name"));
    builder.set_timestamp_us(span["timestamp"].as_i64().unwrap_or(0));
    builder.set_duration_us(span["duration"].as_i64().unwrap_or(0));
    fill_endpoint(&mut builder.local_endpoint, &span["localEndpoint"]);
    fill_endpoint(&mut builder.remote_endpoint, &span["remoteEndpoint"]);
    for annotation in list(&span["annotations"]) {
        let timestamp_us = annotation["timestamp"].as_i64().unwrap_or(0);
        builder.add_annotation(timestamp_us, annotation["value"].as_str().unwrap_or_default());
    }
    for (key, value) in span["tags"].as_object().into_iter().flatten() {
        builder.add_tag(key, value.as_str().unwrap_or_default());
    }
    builder.set_debug(span["debug"] == true);
    builder.set_shared(span["shared"] == true);
}

fn fill_endpoint(builder: &mut EndpointBuilder, endpoint: &Value) {
    builder.set_service_name(endpoint["serviceName"].as_str().unwrap_or_default());
    builder.set_ip(endpoint["ipv4"].as_str().unwrap_or_default());
    builder.set_ip(endpoint["ipv6"].as_str().unwrap_or_default());
    builder.set_port(endpoint["port"].as_u64().unwrap_or(0) as u16);
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn parsed<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}
