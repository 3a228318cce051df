//! The same spans as OTLP: one resource with the reporting service, tags as attributes, the other end as `peer.service`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::json;
use zipkind::model::{SpanBatch, SpanKind, SpanRef};

/// The library that would have made the spans.
const SCOPE: &str = "load";

/// An `ExportTraceServiceRequest` as protobuf.
pub(crate) fn protobuf(batch: &SpanBatch) -> Vec<u8> {
    let attribute = |(key, value): (String, String)| {
        let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
        KeyValue { key, value, ..Default::default() }
    };
    let spans = batch.iter().map(|span| Span {
        trace_id: [span.trace_id.high().to_be_bytes(), span.trace_id.low().to_be_bytes()].concat(),
        span_id: span.id.value().to_be_bytes().to_vec(),
        parent_span_id: span.parent_id.map_or(Vec::new(), |id| id.value().to_be_bytes().to_vec()),
        name: span.name.unwrap_or_default().to_owned(),
        kind: kind(&span),
        start_time_unix_nano: start_ns(&span),
        end_time_unix_nano: end_ns(&span),
        attributes: attributes(&span).into_iter().map(attribute).collect(),
        ..Default::default()
    });
    let scope = InstrumentationScope { name: SCOPE.to_owned(), ..Default::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.collect(), ..Default::default() };
    let service = attribute(("service.name".to_owned(), service(batch)));
    let resource = Resource { attributes: vec![service], ..Default::default() };
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// The same as JSON.
pub(crate) fn json(batch: &SpanBatch) -> Vec<u8> {
    let attribute = |(key, value): (String, String)| json!({"key": key, "value": {"stringValue": value}});
    let spans = batch.iter().map(|span| {
        json!({
            "traceId": format!("{:016x}{:016x}", span.trace_id.high(), span.trace_id.low()),
            "spanId": format!("{:016x}", span.id.value()),
            "parentSpanId": span.parent_id.map_or(String::new(), |id| format!("{:016x}", id.value())),
            "name": span.name, "kind": kind(&span),
            "startTimeUnixNano": start_ns(&span).to_string(), "endTimeUnixNano": end_ns(&span).to_string(),
            "attributes": attributes(&span).into_iter().map(attribute).collect::<Vec<_>>(),
        })
    });
    let scope_spans = json!({"scope": {"name": SCOPE}, "spans": spans.collect::<Vec<_>>()});
    let resource = json!({"attributes": [attribute(("service.name".to_owned(), service(batch)))]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [scope_spans]}]}).to_string().into_bytes()
}

fn service(batch: &SpanBatch) -> String {
    let first = batch.get(0).and_then(|span| span.local_endpoint?.service_name.map(str::to_owned));
    first.unwrap_or_default()
}

fn attributes(span: &SpanRef<'_>) -> Vec<(String, String)> {
    let peer = span.remote_endpoint.and_then(|endpoint| endpoint.service_name);
    let peer = peer.map(|name| ("peer.service".to_owned(), name.to_owned()));
    span.tags().map(|(key, value)| (key.to_owned(), value.to_owned())).chain(peer).collect()
}

fn kind(span: &SpanRef<'_>) -> i32 {
    match span.kind {
        None => 1,
        Some(SpanKind::Server) => 2,
        Some(SpanKind::Client) => 3,
        Some(SpanKind::Producer) => 4,
        Some(SpanKind::Consumer) => 5,
    }
}

fn start_ns(span: &SpanRef<'_>) -> u64 {
    span.timestamp_us.unwrap_or(0) as u64 * 1_000
}

fn end_ns(span: &SpanRef<'_>) -> u64 {
    start_ns(span) + span.duration_us.unwrap_or(0) as u64 * 1_000
}
