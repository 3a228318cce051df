//! What a trace must have.

use super::super::sample::{Sample, any, batch, lows, of, span, tagged};
use super::super::{Fixture, Suite};
use crate::model::QueryRequest;

/// The low trace ids that a search finds, in ascending order.
async fn hits(store: &Fixture, request: &QueryRequest) -> Vec<u64> {
    let mut lows = lows(&store.found(request).await);
    lows.sort_unstable();
    lows
}

fn named(name: &str, request: QueryRequest) -> QueryRequest {
    QueryRequest { span_name: Some(name.to_owned()), ..request }
}

fn calling(remote: &str, request: QueryRequest) -> QueryRequest {
    QueryRequest { remote_service_name: Some(remote.to_owned()), ..request }
}

fn lasting(min: i64, max: Option<i64>, request: QueryRequest) -> QueryRequest {
    QueryRequest { min_duration_us: Some(min), max_duration_us: max, ..request }
}

pub(in super::super) async fn service_names_match_exactly(suite: &Suite) {
    let store = suite.store().await;
    let named = |low, service| span(low, 1).service(service);
    store.put(batch([&named(1, "front"), &named(2, "front-2"), &named(3, "fron"), &named(4, "")])).await;
    store.put(batch([&named(5, "other").remote("front").name("front"), &named(5, "front").parent(1)])).await;
    assert_eq!(hits(&store, &of("front")).await, [1, 5]);
    assert_eq!(hits(&store, &of("FRONT")).await, [0; 0]);
    assert_eq!(hits(&store, &of("front%")).await, [0; 0]);
    assert_eq!(hits(&store, &any()).await, [1, 2, 3, 4, 5]);
}

/// Three traces of two services; the conditions cross over in trace 3.
fn crossing() -> Vec<Sample> {
    vec![
        span(1, 1).service("a").name("get").remote("x").lasting(100),
        span(2, 1).service("b").name("get").remote("x").lasting(100),
        span(3, 1).service("a").name("put").remote("y").lasting(1),
        span(3, 2).parent(1).service("b").name("get").remote("x").lasting(100),
    ]
}

pub(in super::super) async fn span_names_belong_to_the_service(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch(&crossing())).await;
    assert_eq!(hits(&store, &named("get", any())).await, [1, 2, 3]);
    assert_eq!(hits(&store, &named("get", of("a"))).await, [1]);
    assert_eq!(hits(&store, &named("put", of("a"))).await, [3]);
    assert_eq!(hits(&store, &named("put", of("b"))).await, [0; 0]);
    assert_eq!(hits(&store, &named("ge", any())).await, [0; 0]);
}

pub(in super::super) async fn remote_names_belong_to_the_service(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch(&crossing())).await;
    assert_eq!(hits(&store, &calling("x", any())).await, [1, 2, 3]);
    assert_eq!(hits(&store, &calling("x", of("a"))).await, [1]);
    assert_eq!(hits(&store, &calling("y", of("a"))).await, [3]);
    assert_eq!(hits(&store, &calling("y", of("b"))).await, [0; 0]);
    assert_eq!(hits(&store, &calling("a", any())).await, [0; 0]);
}

pub(in super::super) async fn durations_belong_to_the_service(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch(&crossing())).await;
    assert_eq!(hits(&store, &lasting(50, None, any())).await, [1, 2, 3]);
    assert_eq!(hits(&store, &lasting(50, None, of("a"))).await, [1]);
    assert_eq!(hits(&store, &lasting(50, None, of("b"))).await, [2, 3]);
    assert_eq!(hits(&store, &lasting(1, Some(1), of("b"))).await, [0; 0]);
}

pub(in super::super) async fn duration_ranges_include_both_ends(suite: &Suite) {
    let store = suite.store().await;
    let samples = [1_i64, 99, 100, 101, 65_536, 10_000_000_000, i64::MAX];
    let spans: Vec<_> = (1..).zip(samples).map(|(low, duration)| span(low, 1).lasting(duration)).collect();
    store.put(batch(&spans)).await;
    store.put(batch([&span(8, 1)])).await;
    assert_eq!(hits(&store, &lasting(99, Some(100), any())).await, [2, 3]);
    assert_eq!(hits(&store, &lasting(100, Some(100), any())).await, [3]);
    assert_eq!(hits(&store, &lasting(101, None, any())).await, [4, 5, 6, 7]);
    assert_eq!(hits(&store, &lasting(65_537, None, any())).await, [6, 7]);
    assert_eq!(hits(&store, &lasting(10_000_000_001, Some(i64::MAX - 1), any())).await, [0; 0]);
    assert_eq!(hits(&store, &lasting(i64::MAX, None, any())).await, [7]);
    assert_eq!(hits(&store, &lasting(1, None, any())).await, [1, 2, 3, 4, 5, 6, 7]);
}

pub(in super::super) async fn annotation_terms_match_tags_and_annotations(suite: &Suite) {
    let store = suite.store().await;
    let samples = [
        span(1, 1).service("a").tag("error", "").tag("http.method", "GET"),
        span(2, 1).service("a").annotation("error"),
        span(3, 1).service("a").tag("error", "timeout"),
        span(4, 1).service("b").tag("http.method", "GET").annotation("Error"),
        span(5, 1).service("b").tag("x", "error").name("error"),
    ];
    store.put(batch(&samples)).await;
    assert_eq!(hits(&store, &tagged("error")).await, [1, 2, 3]);
    assert_eq!(hits(&store, &tagged("error=timeout")).await, [3]);
    assert_eq!(hits(&store, &tagged("error=Timeout")).await, [0; 0]);
    assert_eq!(hits(&store, &tagged("Error")).await, [4]);
    assert_eq!(hits(&store, &tagged("http.method=GET")).await, [1, 4]);
    assert_eq!(hits(&store, &tagged("http.method=GET and error")).await, [1]);
    assert_eq!(hits(&store, &tagged("http.method=GE")).await, [0; 0]);
    let of_a = QueryRequest { service_name: Some("a".into()), ..tagged("http.method") };
    assert_eq!(hits(&store, &of_a).await, [1]);
}

pub(in super::super) async fn annotation_terms_may_match_different_spans(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).service("a").tag("k", "v"), &span(1, 2).service("a").annotation("e")])).await;
    store.put(batch([&span(2, 1).service("a").tag("k", "v"), &span(2, 2).service("b").annotation("e")])).await;
    assert_eq!(hits(&store, &tagged("k=v and e")).await, [1, 2]);
    let of_a = QueryRequest { service_name: Some("a".into()), ..tagged("k=v and e") };
    assert_eq!(hits(&store, &of_a).await, [1]);
}

pub(in super::super) async fn all_conditions_together(suite: &Suite) {
    let store = suite.store().await;
    let full = |low| span(low, 1).service("a").name("n").remote("r").lasting(50).tag("k", "v").annotation("e");
    let samples = [
        full(1),
        full(2).service("b"),
        full(3).name("m"),
        full(4).remote("q"),
        full(5).lasting(49),
        full(6).lasting(61),
        full(7).tag("k", "w"),
        span(8, 1).service("a").name("n").remote("r").lasting(50).tag("k", "v"),
        full(9).at(86_400_000),
    ];
    store.put(batch(&samples)).await;
    let all = calling("r", named("n", lasting(50, Some(60), tagged("k=v and e"))));
    assert_eq!(hits(&store, &QueryRequest { service_name: Some("a".into()), ..all }).await, [1]);
}

pub(in super::super) async fn a_rare_match_is_found_behind_many_others(suite: &Suite) {
    let store = suite.store().await;
    let common = |low: u64| span(low, 1).service("a").name("n").remote("r").tag("k", "v").lasting(5).at(low as i64);
    let rare = span(1, 2).parent(1).service("a").name("rare").remote("far").tag("k", "one").lasting(9);
    let samples: Vec<_> = (1..=1_500).map(common).chain([rare]).collect();
    for part in samples.chunks(100) {
        store.put(batch(part)).await;
    }
    let request = |request: QueryRequest| QueryRequest { limit: 10, ..request };
    assert_eq!(hits(&store, &request(named("rare", of("a")))).await, [1]);
    assert_eq!(hits(&store, &request(calling("far", any()))).await, [1]);
    assert_eq!(hits(&store, &request(tagged("k=one"))).await, [1]);
    assert_eq!(hits(&store, &request(lasting(6, None, of("a")))).await, [1]);
    assert_eq!(lows(&store.found(&request(tagged("k=v"))).await), (1_491..=1_500).rev().collect::<Vec<_>>());
}

pub(in super::super) async fn late_spans_change_what_matches(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 2).parent(1).service("a").at(5)])).await;
    assert_eq!(hits(&store, &tagged("k")).await, [0; 0]);
    store.put(batch([&span(1, 3).parent(1).service("b").tag("k", "v").at(90_000_000)])).await;
    assert_eq!(hits(&store, &tagged("k")).await, [1]);
    // A root that comes last decides about the window.
    store.put(batch([&span(1, 1).service("a").at(-86_400_000)])).await;
    assert_eq!(hits(&store, &tagged("k")).await, [0; 0]);
}
