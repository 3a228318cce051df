use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::transport::fixture::Fixture;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const TRACE_ID: &str = "0102030405060708090a0b0c0d0e0f10";

fn fixture() -> Fixture {
    Fixture::new(|collector, metrics, bodies| routes(collector, &OtlpConfig::default(), metrics, bodies))
}

pub(crate) fn request(ids: &[u8]) -> ExportTraceServiceRequest {
    let span = |id: &u8| Span {
        trace_id: (1..=16).collect(),
        span_id: vec![0, 0, 0, 0, 0, 0, 0, *id],
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_500_000,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: ids.iter().map(span).collect(), ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}

#[tokio::test]
async fn a_protobuf_request_is_stored_and_answered_in_protobuf() {
    let fixture = fixture();
    let answer = fixture.post(PATH, &[PROTOBUF], request(&[1, 2]).encode_to_vec()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b""[..]));
    assert_eq!(answer.headers["content-type"], "application/x-protobuf");
    assert_eq!(fixture.trace(TRACE_ID).await.len(), 2);
    assert_eq!(fixture.counted("zipkin_collector_spans_total", "otlp_http"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_messages_total", "otlp_http"), 1.0);
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn a_json_request_is_stored_and_answered_in_json() {
    let fixture = fixture();
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{TRACE_ID}","spanId":"0000000000000001"}}]}}]}}]}}"#
    );
    let answer = fixture.post(PATH, &[JSON], body).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    assert_eq!(fixture.trace(TRACE_ID).await.len(), 1);
}

#[tokio::test]
async fn spans_without_valid_ids_are_told_as_partial_success() {
    let fixture = fixture();
    let answer = fixture.post(PATH, &[PROTOBUF], request(&[1, 0, 0]).encode_to_vec()).await;
    let response = ExportTraceServiceResponse::decode(&answer.body[..]).unwrap();
    let partial = response.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (2, "span_id is all zeros"));
    assert_eq!(fixture.trace(TRACE_ID).await.len(), 1);
}

#[tokio::test]
async fn malformed_bytes_are_a_400_with_a_status_in_the_encoding_of_the_request() {
    let fixture = fixture();
    let answer = fixture.post(PATH, &[PROTOBUF], vec![0xff; 4]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(Status::decode(&answer.body[..]).unwrap().code, Code::InvalidArgument as i32);
    let answer = fixture.post(PATH, &[JSON], "{").await;
    let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &status["code"]), (400, &3.into()));
    assert_eq!(fixture.counted("zipkin_collector_messages_dropped_total", "otlp_http"), 2.0);
}

#[tokio::test]
async fn other_media_types_are_a_415_and_too_large_bodies_a_413() {
    let fixture = fixture();
    assert_eq!(fixture.post(PATH, &[("content-type", "text/plain")], "x").await.status, 415);
    assert_eq!(fixture.post(PATH, &[], "x").await.status, 415);
    assert_eq!(fixture.post(PATH, &[PROTOBUF], vec![0; (10 << 20) + 1]).await.status, 413);
}

#[tokio::test]
async fn compressed_requests_are_inflated() {
    let fixture = fixture();
    let plain = request(&[1]).encode_to_vec();
    let zstd = zstd::bulk::compress(&plain, 1).unwrap();
    assert_eq!(fixture.post(PATH, &[PROTOBUF, ("content-encoding", "zstd")], zstd).await.status, 200);
    assert_eq!(fixture.trace(TRACE_ID).await.len(), 1);
}
