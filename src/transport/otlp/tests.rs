use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;
use crate::storage::ErrorKind;
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

#[tokio::test]
async fn gzip_is_inflated_and_what_is_not_gzip_is_a_400() {
    use std::io::Write as _;
    let fixture = fixture();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&request(&[1]).encode_to_vec()).unwrap();
    let gzip = ("content-encoding", "gzip");
    assert_eq!(fixture.post(PATH, &[PROTOBUF, gzip], encoder.finish().unwrap()).await.status, 200);
    assert_eq!(fixture.trace(TRACE_ID).await.len(), 1);
    assert_eq!(fixture.post(PATH, &[PROTOBUF, gzip], request(&[1]).encode_to_vec()).await.status, 400);
    // What Brave sends when there is nothing to send.
    let empty = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()).finish().unwrap();
    assert_eq!(fixture.post(PATH, &[PROTOBUF, gzip], empty).await.status, 200);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_a_503_with_the_time_to_come_back_in_the_encoding_of_the_request() {
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{TRACE_ID}","spanId":"0000000000000001"}}]}}]}}]}}"#
    );
    for (media_type, body) in [(PROTOBUF, request(&[1]).encode_to_vec()), (JSON, json.into_bytes())] {
        let fixture = Fixture::failing(ErrorKind::Unavailable, |collector, metrics, bodies| {
            routes(collector, &OtlpConfig::default(), metrics, bodies)
        });
        let answer = fixture.post(PATH, &[media_type], body).await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        let code = if media_type == PROTOBUF {
            assert_eq!(answer.headers["content-type"], "application/x-protobuf");
            Status::decode(&answer.body[..]).unwrap().code
        } else {
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["code"].as_i64().unwrap() as i32
        };
        assert_eq!(code, Code::Unavailable as i32);
    }
}

#[tokio::test]
async fn spans_that_the_store_can_never_hold_are_a_400_without_a_time_to_come_back() {
    let fixture = Fixture::failing(ErrorKind::Rejected, |collector, metrics, bodies| {
        routes(collector, &OtlpConfig::default(), metrics, bodies)
    });
    let answer = fixture.post(PATH, &[PROTOBUF], request(&[1]).encode_to_vec()).await;
    assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (400, false));
}

#[tokio::test]
async fn truncated_and_mutated_bodies_are_a_200_or_a_400_and_memory_is_given_back() {
    let fixture = fixture();
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"a"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{TRACE_ID}","spanId":"0000000000000001","kind":2}}]}}]}}]}}"#
    );
    for (media_type, whole) in [(PROTOBUF, request(&[1]).encode_to_vec()), (JSON, json.into_bytes())] {
        for end in 0..whole.len() {
            let status = fixture.post(PATH, &[media_type], whole[..end].to_vec()).await.status;
            let text_is_cut = media_type == JSON;
            assert!(status == 400 || (status == 200 && !text_is_cut), "{end} bytes: {status}");
        }
        for index in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut mutated = whole.clone();
                mutated[index] ^= flip;
                let status = fixture.post(PATH, &[media_type], mutated).await.status;
                assert!(status == 200 || status == 400, "byte {index} ^ {flip}: {status}");
            }
        }
    }
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn switched_off_there_is_no_such_path() {
    let off = OtlpConfig { enabled: false, ..OtlpConfig::default() };
    let fixture = Fixture::new(|collector, metrics, bodies| routes(collector, &off, metrics, bodies));
    assert_eq!(fixture.post(PATH, &[PROTOBUF], Vec::new()).await.status, 404);
}
