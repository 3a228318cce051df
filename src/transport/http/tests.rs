use std::io::Write as _;

use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONNECTION, RETRY_AFTER};
use http_body_util::BodyExt as _;
use prometheus::Registry;
use tower::ServiceExt as _;

use super::*;
use crate::ingest::{IngestConfig, MemoryBudget};
use crate::model::{SpanBatch, TraceId};
use crate::storage::{MemoryConfig, MemoryStorage, QueryBudget, SpanStore as _, StorageOptions};
use crate::web::limits::BodyLimits;

const TWO_SPANS: &str = r#"[{"traceId":"1","id":"1"},{"traceId":"1","id":"2"}]"#;

struct Fixture {
    router: Router,
    registry: Registry,
    storage: Arc<MemoryStorage>,
    budget: MemoryBudget,
}

fn fixture_with(limits: BodyLimits, ingest: &IngestConfig, budget_bytes: usize) -> Fixture {
    let registry = Registry::new();
    let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
    let budget = MemoryBudget::new(budget_bytes);
    let collector = Collector::start(ingest, Arc::clone(&storage) as _, &registry, budget.clone()).unwrap();
    let bodies = BodyReader::register(limits, budget.clone(), &registry).unwrap();
    let metrics = CollectorMetrics::register(&registry).unwrap();
    let router = routes(collector, &HttpCollectorConfig::default(), &metrics, bodies);
    Fixture { router, registry, storage, budget }
}

fn fixture() -> Fixture {
    fixture_with(BodyLimits::default(), &IngestConfig::default(), 256 << 20)
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Fixture {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = http::Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
        Answer { status: head.status.as_u16(), headers: head.headers, body: text }
    }

    fn counted(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    async fn stored(&self, trace_id: &str) -> usize {
        let id = TraceId::parse(trace_id.as_bytes()).unwrap();
        let traces = self.storage.traces(&[id], &QueryBudget::unlimited()).await.unwrap();
        traces.iter().map(SpanBatch::len).sum()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_list_of_spans_is_answered_with_an_empty_202_once_it_is_stored() {
    let fixture = fixture();
    let answer = fixture.post("/api/v2/spans", &[("content-type", "application/json")], TWO_SPANS).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    assert!(!answer.headers.contains_key(CONTENT_TYPE));
    assert_eq!(fixture.stored("1").await, 2);
    assert_eq!(fixture.budget.used_bytes(), 0, "all memory is given back");
}

#[tokio::test]
async fn empty_bodies_and_empty_lists_are_accepted_whatever_they_say_they_are() {
    let fixture = fixture();
    for path in ["/api/v2/spans", "/api/v1/spans"] {
        for content_type in ["application/json", "application/x-protobuf", "application/x-thrift", "garbage"] {
            for body in [b"".to_vec(), b"[]".to_vec()] {
                assert_eq!(fixture.post(path, &[("content-type", content_type)], body).await.status, 202);
            }
        }
    }
    assert_eq!(fixture.post("/api/v2/spans", &[("content-encoding", "gzip")], gzip(b"[]")).await.status, 202);
    assert_eq!(fixture.counted("zipkin_collector_bytes_total"), 0.0);
    assert_eq!(fixture.counted("zipkin_collector_messages_total"), 17.0);
}

#[tokio::test]
async fn refusals_are_worded_and_counted_as_zipkin_does() {
    type Case<'a> = (&'a [(&'a str, &'a str)], Vec<u8>, &'a str, f64);
    let cases: [Case<'_>; 5] = [
        (&[], b"hello".to_vec(), "Expected a JSON_V2 encoded list\n", 1.0),
        (&[], b"[{}]".to_vec(), "Missing : traceId id reading List<Span> from json", 2.0),
        (&[("content-encoding", "gzip")], b"hello".to_vec(), "Cannot gunzip spans", 1.0),
        (&[("content-encoding", "gzip")], gzip(b""), "Cannot gunzip spans", 1.0),
        (
            &[],
            br#"[{"binaryAnnotations":[]}]"#.to_vec(),
            "Expected a JSON_V2 encoded list, but received: JSON_V1\n",
            1.0,
        ),
    ];
    for (headers, body, text, dropped) in cases {
        let fixture = fixture();
        let answer = fixture.post("/api/v2/spans", headers, body).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, text));
        assert_eq!(answer.headers[CONTENT_TYPE], "text/*");
        assert_eq!(fixture.counted("zipkin_collector_messages_total"), 1.0);
        assert_eq!(fixture.counted("zipkin_collector_messages_dropped_total"), dropped, "{text}");
        assert_eq!(fixture.budget.used_bytes(), 0);
    }
}

#[tokio::test]
async fn the_counters_after_a_message_are_those_of_zipkin() {
    let fixture = fixture();
    fixture.post("/api/v2/spans", &[("content-encoding", "gzip")], gzip(TWO_SPANS.as_bytes())).await;
    fixture.post("/api/v2/spans", &[], "{}").await;
    assert_eq!(fixture.counted("zipkin_collector_messages_total"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_bytes_total"), TWO_SPANS.len() as f64 + 2.0);
    assert_eq!(fixture.counted("zipkin_collector_spans_total"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_message_spans"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_message_bytes"), 2.0);
    assert_eq!(fixture.counted("zipkin_collector_spans_dropped_total"), 0.0);
}

#[tokio::test]
async fn the_media_type_chooses_the_format_without_regard_to_case_and_parameters() {
    let of = |version: PathVersion, media_type: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        version.format(&headers)
    };
    assert_eq!(of(PathVersion::V2, "application/X-Protobuf; a=b"), Format::Proto3);
    assert_eq!(of(PathVersion::V2, "application/x-thrift"), Format::JsonV2);
    assert_eq!(of(PathVersion::V1, "application/x-thrift"), Format::Thrift);
    assert_eq!(of(PathVersion::V1, "application/x-protobuf"), Format::JsonV1);
    assert_eq!(PathVersion::V2.format(&HeaderMap::new()), Format::JsonV2);
}

#[tokio::test]
async fn encodings_that_zipkin_ignores_may_name_a_plain_body() {
    let fixture = fixture();
    for (number, encoding) in ["deflate", "zstd", "br", "whatever"].into_iter().enumerate() {
        let body = format!(r#"[{{"traceId":"a{number}","id":"1"}}]"#);
        let answer = fixture.post("/api/v2/spans", &[("content-encoding", encoding)], body).await;
        assert_eq!(answer.status, 202, "{encoding} {}", answer.body);
        assert_eq!(fixture.stored(&format!("a{number}")).await, 1, "{encoding}");
    }
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_taken_and_one_byte_more_is_refused() {
    let fixture = fixture();
    let of_length = |length: usize| {
        let (start, end) = (r#"[{"traceId":"b","id":"1","tags":{"a":""#, r#""}}]"#);
        format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
    };
    let answer = fixture.post("/api/v2/spans", &[], of_length(10 << 20)).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    let answer = fixture.post("/api/v2/spans", &[], of_length((10 << 20) + 1)).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "413 Request Entity Too Large"));
    assert_eq!(
        (&answer.headers[CONTENT_TYPE], &answer.headers[CONNECTION]),
        (&HeaderValue::from_static("text/*"), &HeaderValue::from_static("close"))
    );
    assert_eq!(fixture.stored("b").await, 1);
}

#[tokio::test]
async fn a_message_that_inflates_beyond_the_limit_is_refused_and_just_below_it_is_read() {
    let limits = BodyLimits { inflated_bytes_max: 1 << 20, ..BodyLimits::default() };
    let fixture = fixture_with(limits, &IngestConfig::default(), 64 << 20);
    for (length, status, text) in [
        (1 << 20, 400, "Expected a JSON_V2 encoded list\n"),
        ((1 << 20) + 1, 413, "413 Request Entity Too Large"),
        (16 << 20, 413, "413 Request Entity Too Large"),
    ] {
        let answer = fixture.post("/api/v2/spans", &[("content-encoding", "gzip")], gzip(&vec![b' '; length])).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, text), "{length}");
        assert_eq!(fixture.budget.used_bytes(), 0, "{length}");
    }
}

#[tokio::test]
async fn stacked_encodings_are_taken_off_in_turn_up_to_their_limit() {
    let fixture = fixture();
    let twice = gzip(&gzip(TWO_SPANS.as_bytes()));
    assert_eq!(fixture.post("/api/v2/spans", &[("content-encoding", "gzip, gzip")], twice.clone()).await.status, 202);
    assert_eq!(fixture.stored("1").await, 2);
    let answer = fixture.post("/api/v2/spans", &[("content-encoding", "gzip,gzip,gzip")], gzip(&twice)).await;
    assert_eq!((answer.status, answer.body.as_str()), (415, "the request body has too many encodings"));
}

#[tokio::test(start_paused = true)]
async fn without_memory_a_sender_waits_and_is_told_to_come_again() {
    let fixture = fixture_with(BodyLimits::default(), &IngestConfig::default(), 1_000);
    // All but ten bytes, of what is for everybody and of what is kept for small messages.
    let held = [870, 120].map(|bytes| fixture.budget.try_acquire(bytes).unwrap());
    let start = tokio::time::Instant::now();
    let answer = fixture.post("/api/v2/spans", &[], TWO_SPANS).await;
    assert_eq!((answer.status, &answer.headers[RETRY_AFTER]), (503, &HeaderValue::from_static("1")));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    drop(held);
    assert_eq!(fixture.post("/api/v2/spans", &[], TWO_SPANS).await.status, 202);
}

#[tokio::test]
async fn sampled_out_spans_are_accepted_and_counted_as_dropped() {
    let ingest = IngestConfig { sample_rate: 0.0, ..IngestConfig::default() };
    let fixture = fixture_with(BodyLimits::default(), &ingest, 1 << 20);
    assert_eq!(fixture.post("/api/v2/spans", &[], TWO_SPANS).await.status, 202);
    assert_eq!(fixture.stored("1").await, 0);
    assert_eq!(fixture.counted("zipkin_collector_spans_dropped_total"), 2.0);
    assert_eq!(fixture.counted("ingest_sampled_out_spans_total"), 2.0);
}

#[tokio::test]
async fn a_collector_that_is_switched_off_has_no_routes() {
    let fixture = fixture();
    let registry = Registry::new();
    let budget = MemoryBudget::new(1 << 20);
    let storage = Arc::clone(&fixture.storage) as _;
    let collector = Collector::start(&IngestConfig::default(), storage, &registry, budget.clone()).unwrap();
    let bodies = BodyReader::register(BodyLimits::default(), budget, &registry).unwrap();
    let metrics = CollectorMetrics::register(&registry).unwrap();
    let off = HttpCollectorConfig { enabled: false, ..HttpCollectorConfig::default() };
    let fixture = Fixture { router: routes(collector, &off, &metrics, bodies), registry, ..fixture };
    assert_eq!(fixture.post("/api/v2/spans", &[], TWO_SPANS).await.status, 404);
    assert_eq!(fixture.counted("zipkin_collector_messages_total"), 0.0, "the counters are shown all the same");
}
