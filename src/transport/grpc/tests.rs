use std::io::Write as _;

use base64::Engine as _;
use bytes::{Buf as _, Bytes};
use prost::Message as _;

use super::*;
use crate::codec::{self, Format, proto3};
use crate::storage::ErrorKind;
use crate::transport::fixture::{Answer, Fixture};
use crate::transport::otlp::tests::request;

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");

fn fixture() -> Fixture {
    Fixture::new(all_routes)
}

fn all_routes(collector: Collector, metrics: &CollectorMetrics, bodies: BodyReader) -> Router {
    routes(&collector, &GrpcCollectorConfig::default(), &OtlpConfig::default(), metrics, &bodies)
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn spans(json: &str) -> Vec<u8> {
    proto3::encode(&codec::decode(Format::JsonV2, json.as_bytes(), &DecodeLimits::default()).unwrap())
}

/// The status and its message, wherever they stand.
fn status(answer: &Answer) -> (i32, String) {
    let headers = if answer.headers.contains_key("grpc-status") { &answer.headers } else { &answer.trailers };
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (
        text("grpc-status").parse().unwrap(),
        percent_encoding::percent_decode_str(&text("grpc-message")).decode_utf8_lossy().into_owned(),
    )
}

async fn call(fixture: &Fixture, path: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path).version(http::Version::HTTP_2).header(GRPC.0, GRPC.1).header("te", "trailers");
    fixture.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn reported_spans_are_stored() {
    let fixture = fixture();
    let answer = call(&fixture, REPORT_PATH, frame(0, &spans(r#"[{"traceId":"a","id":"1"}]"#))).await;
    assert_eq!((answer.status, status(&answer).0), (200, 0));
    assert_eq!(answer.headers["content-type"], "application/grpc+proto");
    assert_eq!(answer.headers["grpc-encoding"], "identity");
    assert!(answer.trailers.contains_key("grpc-status"), "the status is a trailer");
    assert_eq!(&answer.body[..], frame(0, b""));
    assert_eq!(fixture.trace("a").await.len(), 1);
    assert_eq!(fixture.counted("zipkin_collector_messages_total", "grpc"), 1.0);
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn an_empty_report_is_fine_and_a_bad_one_gets_zipkins_words() {
    let fixture = fixture();
    assert_eq!(status(&call(&fixture, REPORT_PATH, frame(0, b"")).await).0, 0);
    let no_id = [10, 4, 10, 2, 0x0a, 0x0b];
    let (code, message) = status(&call(&fixture, REPORT_PATH, frame(0, &no_id)).await);
    assert_eq!((code, message.as_str()), (13, "Missing : id reading List<Span> from proto3"));
    let no_trace_id = [10, 3, 26, 1, 9];
    let (code, message) = status(&call(&fixture, REPORT_PATH, frame(0, &no_trace_id)).await);
    assert_eq!((code, message.as_str()), (13, "Missing : traceId reading List<Span> from proto3"));
    assert_eq!(fixture.counted("zipkin_collector_messages_dropped_total", "grpc"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_messages_total", "grpc"), 3.0, "the empty one is a message, too");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable_with_the_time_to_come_back() {
    for (path, message) in
        [(REPORT_PATH, spans(r#"[{"traceId":"a","id":"1"}]"#)), (EXPORT_PATH, request(&[1]).encode_to_vec())]
    {
        let fixture = Fixture::failing(ErrorKind::Unavailable, all_routes);
        let answer = call(&fixture, path, frame(0, &message)).await;
        assert_eq!(status(&answer), (14, "storage is not available, try again later".to_owned()), "{path}");
        let details = answer.headers.get("grpc-status-details-bin").unwrap().as_bytes();
        let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap();
        let details = tonic_types::pb::Status::decode(&details[..]).unwrap().details;
        assert_eq!(details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo", "{path}");
        let info = tonic_types::pb::RetryInfo::decode(&details[0].value[..]).unwrap();
        assert!(info.retry_delay.unwrap().seconds >= 1, "{path}");
    }
}

#[tokio::test]
async fn spans_that_the_store_can_never_hold_are_not_to_be_sent_again() {
    let fixture = Fixture::failing(ErrorKind::Rejected, all_routes);
    let answer = call(&fixture, EXPORT_PATH, frame(0, &request(&[1]).encode_to_vec())).await;
    assert_eq!(status(&answer).0, tonic::Code::InvalidArgument as i32);
    assert!(!answer.headers.contains_key("grpc-status-details-bin"), "no RetryInfo");
}

#[tokio::test]
async fn messages_that_are_too_large_are_not_to_be_sent_again() {
    let fixture = fixture();
    let beyond = GrpcCollectorConfig::default().message_bytes_max + 1;
    for path in [REPORT_PATH, EXPORT_PATH] {
        let answer = call(&fixture, path, frame(0, &vec![0; beyond])).await;
        assert_eq!(status(&answer).0, tonic::Code::ResourceExhausted as i32, "{path}");
        assert!(!answer.headers.contains_key("grpc-status-details-bin"), "{path}: no RetryInfo");
    }
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn zstd_is_taken_as_gzip_is() {
    let fixture = fixture();
    let zstd = zstd::bulk::compress(&request(&[1]).encode_to_vec(), 1).unwrap();
    let request = Request::post(EXPORT_PATH).version(http::Version::HTTP_2).header(GRPC.0, GRPC.1);
    let request = request.header("grpc-encoding", "zstd").body(Body::from(frame(1, &zstd))).unwrap();
    assert_eq!(status(&fixture.send(request).await).0, 0);
    assert_eq!(fixture.trace("0102030405060708090a0b0c0d0e0f10").await.len(), 1);
}

#[tokio::test]
async fn truncated_and_mutated_calls_are_answered_and_never_stored_in_part() {
    let fixture = fixture();
    let whole = frame(0, &request(&[1]).encode_to_vec());
    for end in 0..whole.len() {
        // A frame that is cut says how long it should be.
        let answer = call(&fixture, EXPORT_PATH, whole[..end].to_vec()).await;
        assert_ne!(status(&answer).0, 0, "{end} bytes of {}", whole.len());
        // A message that is cut lies in a frame of its own length.
        let Some(message) = whole.get(5..end.max(5)) else { continue };
        let code = status(&call(&fixture, EXPORT_PATH, frame(0, message)).await).0;
        assert!(code == 0 || code == tonic::Code::InvalidArgument as i32, "{end} bytes: {code}");
    }
    for index in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut mutated = whole.clone();
            mutated[index] ^= flip;
            let answer = call(&fixture, EXPORT_PATH, mutated).await;
            assert_eq!(answer.status, 200, "byte {index} ^ {flip}");
            assert_ne!(status(&answer).0, tonic::Code::Unknown as i32, "byte {index} ^ {flip}");
        }
    }
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn compressed_messages_are_inflated_within_the_limit() {
    let fixture = fixture();
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let send = async |plain: &[u8]| {
        let request = Request::post(REPORT_PATH).version(http::Version::HTTP_2).header(GRPC.0, GRPC.1);
        let request = request.header("grpc-encoding", "gzip").body(Body::from(frame(1, &gzip(plain)))).unwrap();
        status(&fixture.send(request).await).0
    };
    assert_eq!(send(&spans(r#"[{"traceId":"a","id":"1"}]"#)).await, 0);
    assert_eq!(fixture.trace("a").await.len(), 1);
    assert_eq!(
        send(&vec![0; GrpcCollectorConfig::default().message_bytes_max + 1]).await,
        tonic::Code::ResourceExhausted as i32
    );
    assert_eq!(fixture.counted("http_request_bodies_refused_total", "inflated_too_large"), 1.0);
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn grpc_web_works_over_http_1() {
    let fixture = fixture();
    let body = frame(0, &spans(r#"[{"traceId":"b","id":"1"}]"#));
    let answer = fixture.post(REPORT_PATH, &[WEB], body).await;
    assert_eq!(answer.status, 200);
    let mut frames = answer.body.clone();
    frames.advance(5);
    assert_eq!(frames[0], 0x80, "the trailers are the last frame");
    assert!(String::from_utf8_lossy(&frames[5..]).contains("grpc-status:0"), "{frames:?}");
    assert_eq!(fixture.trace("b").await.len(), 1);
}

#[tokio::test]
async fn other_media_types_are_415_and_other_methods_405() {
    let fixture = fixture();
    let answer = fixture.post(REPORT_PATH, &[("content-type", "application/json")], "{}").await;
    assert_eq!((answer.status, &answer.body[..]), (415, &b"Missing or invalid Content-Type header."[..]));
    let answer = fixture.send(Request::get(REPORT_PATH).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 405);
    let answer = call(&fixture, "/zipkin.proto3.SpanService/Unknown", frame(0, b"")).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn exported_spans_are_stored_and_bad_ones_rejected_alone() {
    let fixture = fixture();
    let answer = call(&fixture, EXPORT_PATH, frame(0, &request(&[1, 0]).encode_to_vec())).await;
    assert_eq!(status(&answer).0, 0);
    let mut body: Bytes = answer.body.clone();
    body.advance(5);
    let response = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(body).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_spans, 1);
    assert_eq!(fixture.trace("0102030405060708090a0b0c0d0e0f10").await.len(), 1);
    let (code, _) = status(&call(&fixture, EXPORT_PATH, frame(0, &[0xff; 3])).await);
    assert_eq!(code, tonic::Code::InvalidArgument as i32);
}

#[tokio::test]
async fn health_and_reflection_answer() {
    let fixture = fixture();
    let answer = call(&fixture, "/grpc.health.v1.Health/Check", frame(0, b"")).await;
    assert_eq!((status(&answer).0, &answer.body[..]), (0, &frame(0, &[8, 1])[..]));
    // ServerReflectionRequest.list_services = 7
    let list = frame(0, &[0x3a, 1, b'*']);
    let answer = call(&fixture, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", list).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("zipkin.proto3.SpanService"), "{text}");
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let config = GrpcCollectorConfig { enabled: false, ..Default::default() };
    let fixture = Fixture::new(|collector, metrics, bodies| {
        routes(&collector, &config, &OtlpConfig::default(), metrics, &bodies)
    });
    assert_eq!(call(&fixture, REPORT_PATH, frame(0, b"")).await.status, 404);
    assert_eq!(fixture.counted("zipkin_collector_messages_total", "grpc"), 0.0);
    let encoded = base64::engine::general_purpose::STANDARD.encode(frame(0, &request(&[1]).encode_to_vec()));
    let answer = fixture.post(EXPORT_PATH, &[("content-type", "application/grpc-web-text")], encoded).await;
    assert_eq!(answer.status, 200);
    assert_eq!(fixture.trace("0102030405060708090a0b0c0d0e0f10").await.len(), 1);
}
