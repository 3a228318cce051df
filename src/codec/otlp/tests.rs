mod golden_set;

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value as Json;

use super::*;
use crate::codec::json_v2;

const LIMITS: DecodeLimits = DecodeLimits { spans_max: 100_000, otlp_spans_bytes_max: 64 << 20 };

fn capture(name: &str) -> Json {
    let path = format!("{}/tests/golden/otlp/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The message of a captured request, inflated where its sender compressed it.
fn message(request: &Json) -> Vec<u8> {
    let field = if request["transport"] == "grpc" { "message_base64" } else { "body_base64" };
    let bytes = base64::engine::general_purpose::STANDARD.decode(request[field].as_str().unwrap()).unwrap();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut inflated).unwrap();
        return inflated;
    }
    bytes
}

fn decode_capture(name: &str) -> Vec<Json> {
    let capture = capture(name);
    let mut spans = Vec::new();
    for request in capture["requests"].as_array().unwrap() {
        let message = message(request);
        let decode = if message.starts_with(b"{") { decode_json } else { decode_protobuf };
        let export = decode(&message, &LIMITS).unwrap();
        assert_eq!(export.rejected, 0, "{}", export.reason);
        spans.extend(as_json(&export.spans));
    }
    spans
}

fn as_json(spans: &crate::model::SpanBatch) -> Vec<Json> {
    let mut text = Vec::new();
    json_v2::write_spans(spans, &mut text);
    serde_json::from_slice(&text).unwrap()
}

fn by_id(spans: impl IntoIterator<Item = Json>) -> BTreeMap<String, Json> {
    spans.into_iter().map(|span| (span["id"].as_str().unwrap().to_owned(), span)).collect()
}

/// The recorded answers have no trace of a span's links; ours keep them in a tag.
fn without_links(mut span: Json) -> Json {
    if let Some(tags) = span["tags"].as_object_mut() {
        tags.remove("otel.links");
    }
    span
}

fn assert_expected(name: &str) {
    let expected = capture(name)["traces"].as_array().unwrap().clone();
    assert!(!expected.is_empty(), "{name} has no recorded answer");
    let expected = by_id(expected.into_iter().flat_map(|trace| trace["expected"].as_array().unwrap().clone()));
    let found = by_id(decode_capture(name).into_iter().map(without_links));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (id, span) in &expected {
        assert_eq!(&found[id], span, "span {id} of {name}");
    }
}

#[test]
fn brave_over_http() {
    assert_expected("brave-otlp-http");
}

#[test]
fn opentelemetry_for_go() {
    assert_expected("otel-go-otlp-http");
}

#[test]
fn opentelemetry_for_java_over_grpc() {
    assert_expected("otel-java-otlp-grpc");
}

#[test]
fn opentelemetry_for_js_over_grpc() {
    assert_expected("otel-js-otlp-grpc");
}

#[test]
fn opentelemetry_for_js() {
    assert_expected("otel-js-otlp-proto");
}

#[test]
fn opentelemetry_for_python() {
    assert_expected("otel-py-otlp-http");
}

#[test]
fn opentelemetry_for_rust() {
    assert_expected("otel-rust-otlp-proto");
}

#[test]
fn json_of_the_same_program_maps_to_the_same_shape_as_its_protobuf() {
    // One program, two runs: ids and times differ, and the service names hold the format's name.
    let shape = |name: &str, format: &str| {
        let mut shapes: Vec<String> = decode_capture(name)
            .iter()
            .map(|span| {
                let kept = ["kind", "name", "localEndpoint", "remoteEndpoint", "tags"].map(|key| span[key].to_string());
                let links = span["tags"]["otel.links"].as_str().unwrap_or_default();
                kept.join(" ").replace(format, "FORMAT").replace(&links.replace('"', "\\\""), "LINKS")
            })
            .collect();
        shapes.sort();
        shapes
    };
    assert_eq!(shape("otel-rust-otlp-json", "otlp-json"), shape("otel-rust-otlp-proto", "otlp-proto"));
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn span() -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: vec![0, 0, 0, 0, 0, 0, 0, 9],
        name: "Get".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_000_000,
        end_time_unix_nano: 3_500_000,
        ..Default::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}

fn from_request(request: &ExportTraceServiceRequest, limits: &DecodeLimits) -> Result<Export, OtlpError> {
    decode_protobuf(&request.encode_to_vec(), limits)
}

fn converted(span: Span) -> Json {
    let export = from_request(&request(vec![span]), &LIMITS).unwrap();
    as_json(&export.spans).remove(0)
}

#[test]
fn attributes_of_every_type_become_text() {
    let list = |values: Vec<Value>| {
        Value::ArrayValue(ArrayValue {
            values: values.into_iter().map(|value| AnyValue { value: Some(value) }).collect(),
        })
    };
    let attributes = vec![
        attribute("string", text("a\"b")),
        attribute("bool", Value::BoolValue(true)),
        attribute("int", Value::IntValue(i64::MIN)),
        attribute("double", Value::DoubleValue(0.25)),
        attribute("nan", Value::DoubleValue(f64::NAN)),
        attribute("bytes", Value::BytesValue(vec![1, 2, 3])),
        attribute("list", list(vec![text("a"), Value::IntValue(1)])),
        attribute("nested", list(vec![list(vec![text("a")])])),
        attribute("map", Value::KvlistValue(KeyValueList { values: vec![attribute("k", Value::IntValue(7))] })),
        KeyValue { key: "nothing".to_owned(), ..Default::default() },
    ];
    let tags = &converted(Span { attributes, ..span() })["tags"];
    let expected = serde_json::json!({
        "string": "a\"b", "bool": "true", "int": "-9223372036854775808", "double": "0.25", "nan": "NaN", "bytes": "AQID",
        "list": "a,1", "nested": "[[\"a\"]]", "map": "{\"k\":7}", "nothing": "",
    });
    assert_eq!(tags, &expected);
}

#[test]
fn links_events_status_and_trace_state_survive() {
    let link = Link { trace_id: vec![0xab; 16], span_id: vec![0xcd; 8], ..Default::default() };
    let linked = Link { attributes: vec![attribute("why", text("batch"))], ..link.clone() };
    let event = Event {
        time_unix_nano: 2_000_999,
        name: "retry".to_owned(),
        attributes: vec![attribute("n", Value::IntValue(2))],
        ..Default::default()
    };
    let status = Some(Status { code: 2, message: "timed out".to_owned() });
    let span = Span {
        links: vec![link, linked],
        events: vec![event],
        status,
        trace_state: "a=b".to_owned(),
        dropped_events_count: 3,
        ..span()
    };
    let span = converted(span);
    assert_eq!(span["duration"], 2_500);
    assert_eq!(span["annotations"], serde_json::json!([{"timestamp": 2_000, "value": "\"retry\":{\"n\":2}"}]));
    let (trace_id, span_id) = ("ab".repeat(16), "cd".repeat(8));
    let links = format!(
        r#"[{{"traceId":"{trace_id}","spanId":"{span_id}"}},{{"traceId":"{trace_id}","spanId":"{span_id}","attributes":{{"why":"batch"}}}}]"#
    );
    assert_eq!(span["tags"]["otel.links"], links);
    assert_eq!(span["tags"]["error"], "timed out");
    assert_eq!(span["tags"]["otel.status_code"], "ERROR");
    assert_eq!(span["tags"]["w3c.tracestate"], "a=b");
    assert_eq!(span["tags"]["otel.dropped_events_count"], "3");
    assert_eq!(span["localEndpoint"]["serviceName"], "unknown_service");
}

#[test]
fn the_remote_end_is_named_by_the_best_attribute() {
    let remote = |attributes: Vec<KeyValue>| converted(Span { attributes, ..span() })["remoteEndpoint"].clone();
    let address = attribute("server.address", text("10.0.0.5"));
    let port = attribute("server.port", Value::IntValue(3306));
    assert_eq!(remote(vec![address.clone(), port.clone()]), serde_json::json!({"ipv4": "10.0.0.5", "port": 3306}));
    let name = attribute("server.address", text("DB.example"));
    assert_eq!(remote(vec![name, port.clone()]), serde_json::json!({"serviceName": "db.example", "port": 3306}));
    let peer = attribute("peer.service", text("orders"));
    assert_eq!(remote(vec![address, port, peer]), serde_json::json!({"serviceName": "orders"}));
    assert_eq!(remote(vec![]), Json::Null);
}

#[test]
fn a_span_with_bad_ids_is_rejected_alone() {
    let bad_trace = Span { trace_id: vec![0; 16], ..span() };
    let short_id = Span { span_id: vec![1], ..span() };
    let export = from_request(&request(vec![bad_trace, span(), short_id]), &LIMITS).unwrap();
    assert_eq!((export.spans.len(), export.rejected), (1, 2));
    assert_eq!(export.reason, "trace_id is all zeros");
}

#[test]
fn a_request_of_too_many_spans_is_refused_whole() {
    let limits = DecodeLimits { spans_max: 2, ..LIMITS };
    assert_eq!(from_request(&request(vec![span(); 3]), &limits), Err(OtlpError::TooManySpans(2)));
    assert!(from_request(&request(vec![span(); 2]), &limits).is_ok());
}

#[test]
fn json_takes_numbers_as_text_and_unknown_members() {
    let body = br#"{"new":[],"resourceSpans":[{"resource":{"entityRefs":[{"x":1}]},"scopeSpans":[{"spans":[
        {"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0000000000000009","name":"a","kind":2,"future":{"a":1},
         "startTimeUnixNano":1000000,"endTimeUnixNano":"2000000","attributes":[{"key":"n","value":{"intValue":5}}]}]}]}]}"#;
    let span = as_json(&decode_json(body, &LIMITS).unwrap().spans).remove(0);
    assert_eq!((&span["timestamp"], &span["duration"], &span["tags"]["n"]), (&1000.into(), &1000.into(), &"5".into()));
}

/// Fields in the order of their numbers, each once: what prost writes of what it reads.
fn rewritten(message: &[u8]) -> Option<Vec<u8>> {
    ExportTraceServiceRequest::decode(message).ok().map(|request| request.encode_to_vec())
}

#[test]
fn what_prost_reads_is_read_the_same_and_so_is_what_it_writes_of_it() {
    let mut compared = 0;
    for name in ["brave-otlp-http", "otel-java-otlp-grpc", "otel-py-otlp-http", "otel-rust-otlp-proto"] {
        for request in capture(name)["requests"].as_array().unwrap() {
            let message = message(request);
            for index in 0..message.len() {
                let mut mutated = message.clone();
                mutated[index] ^= 1 << (index % 8);
                let Some(rewritten) = rewritten(&mutated) else { continue };
                let ours = decode_protobuf(&mutated, &LIMITS);
                assert_eq!(ours, decode_protobuf(&rewritten, &LIMITS), "{name}, byte {index}");
                assert!(ours.is_ok());
                compared += 1;
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_skipped() {
    let span = converted_bytes(&span().encode_to_vec());
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let unknown = [&[0x98, 0x06, 0x07][..], &field(14, b"later")].concat();
    let service = attribute("service.name", text("shop")).encode_to_vec();
    let scope = field(1, b"lib");
    let spans = [unknown.clone(), field(2, &self::span().encode_to_vec()), field(1, &scope)].concat();
    let resource_spans = [field(2, &spans), unknown.clone(), field(1, &field(1, &service))].concat();
    let message = [unknown, field(1, &resource_spans)].concat();
    let read = as_json(&decode_protobuf(&message, &LIMITS).unwrap().spans).remove(0);
    assert_eq!(read["localEndpoint"]["serviceName"], "shop", "the resource stands after its spans");
    assert_eq!(read["tags"]["otel.scope.name"], "lib");
    assert_eq!(read["timestamp"], span["timestamp"]);
}

fn converted_bytes(span: &[u8]) -> Json {
    converted(Span::decode(span).unwrap())
}

#[test]
fn a_small_message_cannot_become_a_huge_one() {
    let mut request = request(vec![span(); 20_000]);
    let large = "x".repeat(100_000);
    request.resource_spans[0].resource = Some(opentelemetry_proto::tonic::resource::v1::Resource {
        attributes: vec![attribute("k8s.annotations", text(&large))],
        ..Default::default()
    });
    let message = request.encode_to_vec();
    assert!(message.len() < 2 << 20);
    assert_eq!(decode_protobuf(&message, &LIMITS), Err(OtlpError::TooLarge(LIMITS.otlp_spans_bytes_max)));
}

#[test]
fn values_nested_deeper_than_any_program_needs_are_refused() {
    let nested = |levels: usize| {
        let mut value = Value::IntValue(1);
        for _ in 0..levels {
            value = Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(value) }] });
        }
        from_request(&request(vec![Span { attributes: vec![attribute("deep", value)], ..span() }]), &LIMITS)
    };
    assert!(nested(20).is_ok());
    assert!(matches!(nested(200), Err(OtlpError::Malformed(..))));
    let json = |levels: usize| {
        let value = "{\"arrayValue\":{\"values\":[".repeat(levels) + &"]}}".repeat(levels);
        decode_json(
            format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}}}}]}}"#)
                .as_bytes(),
            &LIMITS,
        )
    };
    assert!(json(20).is_ok());
    assert!(matches!(json(200), Err(OtlpError::Malformed(..))));
}

#[test]
fn truncated_and_mutated_messages_never_panic() {
    let capture = capture("otel-go-otlp-http");
    for request in capture["requests"].as_array().unwrap() {
        let message = message(request);
        for end in 0..message.len() {
            let _ = decode_protobuf(&message[..end], &LIMITS);
        }
        for index in 0..message.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut mutated = message.clone();
                mutated[index] = value;
                let _ = decode_protobuf(&mutated, &LIMITS);
            }
        }
    }
    assert!(matches!(decode_protobuf(&[0xff; 8], &LIMITS), Err(OtlpError::Malformed(_, "protobuf"))));
    assert!(matches!(decode_json(b"{\"resourceSpans\":1}", &LIMITS), Err(OtlpError::Malformed(_, "json"))));
}
