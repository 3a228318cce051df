mod reference;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use self::reference::Reference;
use super::*;
use crate::model::red::{RED_SERIES_MAX, RedRequest};
use crate::model::testing::spans_from_json;
use crate::model::{SpanBuilder, SpanId, SpanKind};

mod conformance {
    use super::*;

    crate::storage_conformance_suite!(|options| async move { MemoryStorage::new(MemoryConfig::default(), options) });
}

fn small(spans_max: usize) -> MemoryStorage {
    let config = MemoryConfig { spans_max, ..MemoryConfig::default() };
    MemoryStorage::new(config, StorageOptions { strict_trace_id: false, ..StorageOptions::default() })
}

async fn put(store: &MemoryStorage, spans: SpanBatch) {
    let size = spans.len();
    let results = store.write(&[Batch { spans, position: None }]).await;
    assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Stored { spans: size }]);
}

/// Low trace ids that the store still has, among 1 to 20.
async fn kept(store: &MemoryStorage) -> Vec<u64> {
    let ids: Vec<TraceId> = (1..=20).map(|low| TraceId::from_halves(0, low).unwrap()).collect();
    let traces = store.traces(&ids, &QueryBudget::unlimited()).await.unwrap();
    traces.iter().map(|trace| trace.get(0).unwrap().trace_id.low()).collect()
}

/// Spans of (trace, id, second).
fn spans(list: &[(u64, u64, i64)]) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for &(low, id, second) in list {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, low).unwrap());
        builder.set_id(SpanId::new(id));
        builder.set_timestamp_us(second * 1_000_000);
        builder.local_endpoint.set_service_name(&format!("s{}", low % 100));
        builder.finish(&mut batch).unwrap();
    }
    batch
}

/// As recorded from zipkin with room for five spans.
#[tokio::test]
async fn whole_oldest_traces_go_first_with_their_services() {
    let store = small(5);
    put(&store, spans(&[(1, 1, 50), (1, 2, 51), (2, 1, 10), (3, 1, 30)])).await;
    put(&store, spans(&[(4, 1, 40), (4, 2, 41)])).await;
    assert_eq!(kept(&store).await, [1, 3, 4]);
    assert_eq!(store.service_names().await.unwrap(), ["s1", "s3", "s4"]);
    put(&store, spans(&[(5, 1, 1)])).await;
    assert_eq!(kept(&store).await, [1, 4, 5]);
    // The span without time is the oldest; of equal times the lowest trace id goes.
    put(&store, spans(&[(6, 1, 0)])).await;
    put(&store, spans(&[(7, 1, 40)])).await;
    assert_eq!(kept(&store).await, [1, 4, 7]);
    put(&store, spans(&[(8, 1, 40)])).await;
    assert_eq!(kept(&store).await, [1, 7, 8]);
    assert_eq!((store.stats().spans, store.stats().evicted_spans), (4, 6));
}

#[tokio::test]
async fn duplicates_in_a_batch_count_when_room_is_made() {
    let store = small(4);
    put(&store, spans(&[(1, 1, 10), (2, 1, 20), (3, 1, 30)])).await;
    put(&store, spans(&[(4, 1, 40), (4, 1, 40)])).await;
    assert_eq!(kept(&store).await, [2, 3, 4]);
    assert_eq!(store.stats().spans, 3);
}

#[tokio::test]
async fn the_newest_part_of_a_batch_that_is_too_large_is_kept() {
    let store = small(3);
    put(&store, spans(&[(9, 1, 99)])).await;
    put(&store, spans(&[(1, 1, 10), (2, 1, 40), (3, 1, 20), (4, 1, 30), (5, 1, 0)])).await;
    assert_eq!(kept(&store).await, [2, 3, 4]);
}

#[tokio::test]
async fn bytes_are_bounded_too() {
    let config = MemoryConfig { spans_max: usize::MAX, bytes_max: 4 << 20 };
    let store = MemoryStorage::new(config, StorageOptions::default());
    let value = "x".repeat(2_000);
    for n in 1..=10_000_u64 {
        let text = format!(
            r#"[{{"traceId":"{n:x}","id":"1","timestamp":{},"localEndpoint":{{"serviceName":"a"}},"tags":{{"k":"{value}"}}}}]"#,
            n * 1_000_000
        );
        put(&store, spans_from_json(&text)).await;
        assert!(store.stats().bytes <= 4 << 20, "{:?}", store.stats());
    }
    let stats = store.stats();
    assert!(stats.spans > 1_000, "{stats:?}");
    assert_eq!(stats.spans as u64 + stats.evicted_spans, 10_000);
    let newest =
        store.search(&QueryRequest::window(20_000_000, 20_000_000, 1), &QueryBudget::unlimited()).await.unwrap();
    assert_eq!(newest[0].get(0).unwrap().trace_id.low(), 10_000);
}

#[tokio::test]
async fn metrics_tell_what_is_held_and_what_was_removed() {
    let registry = Registry::new();
    let store = small(3);
    store.register(&registry).unwrap();
    put(&store, spans(&[(1, 1, 10), (2, 1, 20), (2, 2, 21)])).await;
    put(&store, spans(&[(3, 1, 30)])).await;
    let value = |name: &str| {
        let families = registry.gather();
        let metric = families.iter().find(|family| family.name() == name).unwrap().get_metric()[0].clone();
        metric.get_gauge().get_value() + metric.get_counter().get_value()
    };
    for _ in 0..2 {
        assert_eq!((value("storage_memory_spans"), value("storage_memory_traces")), (3.0, 2.0));
        assert_eq!(value("storage_memory_evicted_spans_total"), 1.0);
    }
    assert!(value("storage_memory_bytes") > 100.0);
    assert!(store.register(&registry).is_err());
}

/// Traces that stay, spread thinly among many that go, must not hold the memory of those.
#[tokio::test]
async fn what_is_left_of_mostly_dead_segments_moves_together() {
    let config = MemoryConfig { spans_max: 20_000, bytes_max: usize::MAX };
    let store = MemoryStorage::new(config, StorageOptions::default());
    let mut long_lived = 0;
    for round in 0..60_u64 {
        let batch: Vec<(u64, u64, i64)> = (0..1_000)
            .map(|n| {
                let low = 1_000_000 + round * 1_000 + n;
                let stays = n % 50 == 0;
                long_lived += u64::from(stays);
                (low, 1, if stays { 9_000_000 + low as i64 } else { 1 + round as i64 })
            })
            .collect();
        put(&store, spans(&batch)).await;
    }
    let stats = store.stats();
    assert_eq!((long_lived, stats.spans), (1_200, 20_000));
    // Records of this test have about 40 bytes; without moving, eight times as much would be held for the long-lived ones.
    let record_bytes = store.shared.index.read().segments.bytes();
    assert!(record_bytes < 20_000 * 110, "{record_bytes}");
    let ids: Vec<TraceId> = (0..60).map(|round| TraceId::from_halves(0, 1_000_000 + round * 1_000).unwrap()).collect();
    let traces = store.traces(&ids, &QueryBudget::unlimited()).await.unwrap();
    let lows: Vec<u64> = traces.iter().map(|trace| trace.get(0).unwrap().trace_id.low()).collect();
    assert_eq!(lows, ids.iter().map(|id| id.low()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_trace_of_very_many_spans_is_stored_and_read_once_each() {
    let store = small(200_000);
    let part = |from: u64| (from..from + 1_000).map(|id| (1, id, (id % 7 + 1) as i64)).collect::<Vec<_>>();
    for from in (1..20_000).step_by(1_000) {
        put(&store, spans(&part(from))).await;
        put(&store, spans(&part(from))).await;
    }
    let traces = store.traces(&[TraceId::from_halves(0, 1).unwrap()], &QueryBudget::unlimited()).await.unwrap();
    assert_eq!((traces[0].len(), store.stats().spans), (20_000, 20_000));
}

#[tokio::test]
async fn pinned_traces_stay_when_their_spans_have_made_room_for_others() {
    let store = small(300);
    let id = TraceId::from_halves(0, 1).unwrap();
    put(&store, spans(&[(1, 1, 10), (1, 2, 11)])).await;
    store.pin(id).await.unwrap();
    put(&store, spans(&[(1, 3, 12)])).await;
    for low in 2..=400 {
        put(&store, spans(&[(low, 1, 100 + low as i64)])).await;
    }
    assert_eq!(store.stats().spans, 300);
    let ids_of = async || {
        let traces = store.traces(&[id], &QueryBudget::unlimited()).await.unwrap();
        traces.iter().flat_map(SpanBatch::iter).map(|span| span.id.value()).collect::<Vec<_>>()
    };
    // What came after the trace was pinned went with the others.
    assert_eq!(ids_of().await, [1, 2]);
    put(&store, spans(&[(1, 2, 11), (1, 4, 600)])).await;
    assert_eq!(ids_of().await, [1, 2, 4]);
    assert_eq!(store.pin(id).await.unwrap().spans, 3);
    // A hundredth of 300 spans.
    let others = TraceId::from_halves(0, 400).unwrap();
    assert_eq!(store.pin(others).await.unwrap_err().kind, ErrorKind::Full);
    assert!(store.unpin(id).await.unwrap());
    store.pin(others).await.unwrap();
    assert_eq!(ids_of().await, [2, 4]);
}

/// A minute of requests to one service.
fn a_minute() -> RedRequest {
    RedRequest {
        service_name: None,
        span_name: None,
        remote_service_name: None,
        start_minute: 0,
        end_minute: 1,
        step_minutes: 1,
        series_max: RED_SERIES_MAX,
    }
}

#[tokio::test]
async fn red_reads_again_only_what_changed() {
    let store = small(10_000);
    let traces: Vec<(u64, u64, i64)> = (1..=1_000).map(|low| (low, 1, 1 + low as i64 % 50)).collect();
    put(&store, spans(&traces)).await;
    let reads = async |spans_max| {
        let budget = QueryBudget::new(None, spans_max);
        store
            .red(&a_minute(), &budget)
            .await
            .map(|red| red.series.iter().map(|series| series.total().calls).sum::<u64>())
    };
    assert_eq!(reads(1_000).await.unwrap(), 1_000_u64);
    assert_eq!(reads(0).await.unwrap(), 1_000);
    assert!(store.shared.red.bytes_kept() > 0);
    // One group of eight seconds has about a seventh of the traces.
    put(&store, spans(&[(2_000, 1, 3)])).await;
    assert_eq!(reads(200).await.unwrap(), 1_001);
}

#[tokio::test]
async fn kept_red_goes_with_its_traces_and_is_bounded_in_bytes() {
    let store = small(100);
    let hours: Vec<(u64, u64, i64)> = (1..=100).map(|low| (low, 1, 3_600 * low as i64)).collect();
    put(&store, spans(&hours)).await;
    let all = RedRequest { end_minute: 60_000, step_minutes: 60_000, ..a_minute() };
    let ask = async |store: &MemoryStorage| store.red(&all, &QueryBudget::unlimited()).await.unwrap().series.len();
    ask(&store).await;
    let full = store.shared.red.bytes_kept();
    put(&store, spans(&[(1_001, 1, 1_000_000), (1_001, 2, 1_000_000), (1_002, 1, 1_000_000)])).await;
    ask(&store).await;
    assert!(store.shared.red.bytes_kept() < full, "the tables of evicted traces are still there");
    let tight = MemoryStorage::new(MemoryConfig { spans_max: 1_000, bytes_max: 16_384 }, StorageOptions::default());
    put(&tight, spans(&hours)).await;
    assert!(ask(&tight).await > 0);
    assert!((1..=1_024).contains(&tight.shared.red.bytes_kept()), "{}", tight.shared.red.bytes_kept());
}

/// What happens to the store and the reference alike.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Sent>),
    Search { end: i64, lookback: i64, limit: usize, service: Option<u8>, name: Option<u8>, term: Option<u8>, min: i64 },
    Links { end: i64, lookback: i64 },
    Red(RedRequest),
}

#[derive(Clone, Debug)]
struct Sent {
    low: u64,
    id: u64,
    parent: u64,
    /// Eighths of a second, so that several buckets and link groups are met.
    time: i64,
    service: u8,
    name: u8,
    kind: Option<SpanKind>,
    duration_us: i64,
}

fn batch_of(sent: &[Sent]) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for span in sent {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, span.low).unwrap());
        builder.set_id(SpanId::new(span.id));
        builder.set_parent_id(SpanId::new(span.parent));
        builder.set_kind(span.kind);
        builder.set_timestamp_us(span.time * 125_000);
        builder.set_duration_us(span.duration_us);
        builder.set_name(&format!("n{}", span.name));
        if span.service > 0 {
            builder.local_endpoint.set_service_name(&format!("s{}", span.service));
        }
        builder.remote_endpoint.set_service_name(&format!("s{}", span.name));
        builder.add_tag("t", &span.name.to_string());
        builder.finish(&mut batch).unwrap();
    }
    batch
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![Just(None), Just(Some(SpanKind::Client)), Just(Some(SpanKind::Server))];
    let time = prop_oneof![Just(0), 1..40_i64, 1..400_i64, 1..3_000_i64];
    let sent = (1..25_u64, 1..12_u64, 0..12_u64, time, 0..5_u8, 0..4_u8, kind, prop_oneof![Just(0), 1..5_000_i64])
        .prop_map(|(low, id, parent, time, service, name, kind, duration_us)| Sent {
            low,
            id,
            parent,
            time,
            service,
            name,
            kind,
            duration_us,
        });
    let option = || prop::option::weighted(0.4, 0..5_u8);
    let window = || (1..60_000_i64, 1..60_000_i64);
    let search = (window(), 1..20_usize, option(), option(), option(), prop_oneof![Just(0), 1..5_000_i64]).prop_map(
        |((end, lookback), limit, service, name, term, min)| Step::Search {
            end,
            lookback,
            limit,
            service,
            name,
            term,
            min,
        },
    );
    let step = prop_oneof![
        4 => prop::collection::vec(sent, 0..30).prop_map(Step::Write),
        2 => search,
        2 => window().prop_map(|(end, lookback)| Step::Links { end, lookback }),
        2 => red_request().prop_map(Step::Red),
    ];
    prop::collection::vec(step, 1..40)
}

fn red_request() -> impl Strategy<Value = RedRequest> {
    let name = |letter: char| prop::option::of((0..5_u8).prop_map(move |n| format!("{letter}{n}")));
    let series = prop_oneof![
        Just((None, None, None)),
        (name('s'), name('n')).prop_map(|(service, span)| (service, span, None)),
        (name('s'), name('s')).prop_map(|(service, remote)| (service, None, remote)),
    ];
    (series, 0..8_i64, 0..8_i64, 1..4_i64).prop_map(
        |((service_name, span_name, remote_service_name), start_minute, minutes, step_minutes)| RedRequest {
            service_name,
            span_name,
            remote_service_name,
            start_minute,
            end_minute: start_minute + minutes,
            step_minutes,
            series_max: RED_SERIES_MAX,
        },
    )
}

fn request(step: &Step) -> QueryRequest {
    let Step::Search { end, lookback, limit, service, name, term, min } = step else { unreachable!() };
    QueryRequest {
        service_name: service.map(|service| format!("s{service}")),
        span_name: name.map(|name| format!("n{name}")),
        annotation_query: term.map(|term| ("t".to_owned(), term.to_string())).into_iter().collect(),
        min_duration_us: (*min > 0).then_some(*min),
        ..QueryRequest::window(*end, *lookback, *limit)
    }
}

async fn compare(steps: Vec<Step>, spans_max: usize) {
    let (store, mut reference) = (small(spans_max), Reference::new(spans_max));
    let budget = QueryBudget::unlimited();
    for step in &steps {
        match step {
            Step::Write(sent) => {
                put(&store, batch_of(sent)).await;
                reference.write(&batch_of(sent));
            }
            Step::Search { .. } => {
                let found = store.search(&request(step), &budget).await.unwrap();
                assert_eq!(found, reference.search(&request(step), false), "{:?}", request(step));
            }
            Step::Links { end, lookback } => {
                let links = store.dependencies(*end, *lookback, &budget).await.unwrap();
                assert_eq!(links, reference.links(*end, *lookback));
            }
            Step::Red(request) => {
                // Twice: counted, and as it was kept.
                for _ in 0..2 {
                    let red = store.red(request, &budget).await.unwrap();
                    assert_eq!(red, reference.red(request), "{request:?}");
                }
            }
        }
        assert_eq!(store.stats().spans, reference.spans());
    }
    for (low, spans) in reference.all() {
        let trace = store.traces(&[TraceId::from_halves(0, low).unwrap()], &budget).await.unwrap();
        assert_eq!(trace, [spans]);
    }
    assert_eq!(store.stats().traces, reference.all().len());
    let mut names = Vec::new();
    for service in store.service_names().await.unwrap() {
        let (spans, remotes) = (store.span_names(&service).await, store.remote_service_names(&service).await);
        names.push((service, spans.unwrap(), remotes.unwrap()));
    }
    assert_eq!(names, reference.names());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_equals_that_of_zipkins_store_in_plain_maps(steps in steps(), spans_max in 10..200_usize) {
        let runtime: Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps, spans_max));
    }
}
