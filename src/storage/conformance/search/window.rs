//! Windows, order, limits and trace ids.

use super::super::Suite;
use super::super::sample::{DAY_MS, T, any, batch, ids, lows, of, only, span};
use crate::model::QueryRequest;

fn window(from_ms: i64, to_ms: i64) -> QueryRequest {
    QueryRequest::window(T + to_ms, to_ms - from_ms, 1_000)
}

pub(in super::super) async fn the_window_includes_both_ends(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch((1..=5).map(|low| span(low, 1).service("a").at(low as i64 * 10)).collect::<Vec<_>>().iter())).await;
    assert_eq!(lows(&store.found(&window(20, 40)).await), [4, 3, 2]);
    assert_eq!(lows(&store.found(&window(21, 39)).await), [3]);
    assert_eq!(lows(&store.found(&window(51, 99)).await), [0; 0]);
    assert_eq!(lows(&store.found(&window(-99, 9)).await), [0; 0]);
    assert_eq!(lows(&store.found(&QueryRequest { service_name: Some("a".into()), ..window(40, 50) }).await), [5, 4]);
}

pub(in super::super) async fn the_window_is_exact_to_the_microsecond(suite: &Suite) {
    let store = suite.store().await;
    let at = |low, timestamp_us| span(low, 1).at_us(T * 1000 + timestamp_us);
    store.put(batch([&at(1, -1), &at(2, 0), &at(3, 1), &at(4, 999), &at(5, 1_000)])).await;
    assert_eq!(lows(&store.found(&window(-1, 0)).await), [2, 1]);
    assert_eq!(lows(&store.found(&window(0, 1)).await), [5, 4, 3, 2]);
    assert_eq!(lows(&store.found(&window(1, 2)).await), [5]);
}

pub(in super::super) async fn the_roots_time_decides(suite: &Suite) {
    let store = suite.store().await;
    // The candidate is found by any of its spans; whether it is inside goes by its root.
    store.put(batch([&span(1, 1).at(0), &span(1, 2).parent(1).at(100)])).await;
    store.put(batch([&span(2, 2).parent(1).at(0), &span(2, 3).parent(1).at(100)])).await;
    store.put(batch([&span(3, 2).parent(1).at(0), &span(3, 1).at(100)])).await;
    assert_eq!(lows(&store.found(&window(90, 110)).await), [3]);
    assert_eq!(lows(&store.found(&window(-10, 10)).await), [2, 1]);
    assert_eq!(lows(&store.found(&window(-10, 110)).await), [3, 2, 1]);
}

pub(in super::super) async fn traces_come_newest_first(suite: &Suite) {
    let store = suite.store().await;
    for (low, after_ms) in [(1, 7_000), (2, 2), (3, 900_000), (4, -3_600_000), (5, 7_001), (6, 60_000)] {
        store.put(batch([&span(low, 1).at(after_ms).service("a")])).await;
    }
    assert_eq!(lows(&store.found(&any()).await), [3, 6, 5, 1, 2, 4]);
    assert_eq!(lows(&store.found(&of("a")).await), [3, 6, 5, 1, 2, 4]);
}

pub(in super::super) async fn newest_goes_by_the_spans_inside_the_window(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).at(0), &span(1, 2).parent(1).at(30)])).await;
    store.put(batch([&span(2, 1).at(10)])).await;
    store.put(batch([&span(3, 1).at(5), &span(3, 2).parent(1).at(20), &span(3, 3).parent(1).at(DAY_MS * 3)])).await;
    assert_eq!(lows(&store.found(&window(-100, 100)).await), [1, 3, 2]);
    assert_eq!(lows(&store.found(&window(-100, 25)).await), [3, 2, 1]);
    assert_eq!(lows(&store.found(&window(-100, 15)).await), [2, 3, 1]);
}

pub(in super::super) async fn ties_go_by_trace_id(suite: &Suite) {
    let store = suite.store().await;
    let at = |low, after_us| span(low, 1).at_us(T * 1000 + after_us).service("a");
    store.put(batch([&at(2, 5), &at(u64::MAX, 0), &at(9, 1)])).await;
    store.put(batch([&at(1 << 63, 999), &at(4, 3), &at(8, 1000), &at(1, 2).high(99)])).await;
    let expected = [8, u64::MAX, 1 << 63, 9, 4, 2, 1];
    assert_eq!(lows(&store.found(&any()).await), expected);
    assert_eq!(lows(&store.found(&of("a")).await), expected);
    assert_eq!(lows(&store.found(&QueryRequest { limit: 3, ..any() }).await), expected[..3]);
}

pub(in super::super) async fn the_limit_takes_the_newest(suite: &Suite) {
    let store = suite.store().await;
    let samples: Vec<_> = (1..=30).map(|low| span(low, 1).at((low as i64 * 7) % 31).service("a")).collect();
    store.put(batch(&samples)).await;
    let all = lows(&store.found(&any()).await);
    assert_eq!(all.len(), 30);
    for limit in [1, 2, 10, 29, 30, 31, 1_000_000] {
        let found = store.found(&QueryRequest { limit, ..any() }).await;
        assert_eq!(lows(&found), all[..limit.min(30)], "limit {limit}");
        assert_eq!(lows(&store.found(&QueryRequest { limit, ..of("a") }).await), all[..limit.min(30)]);
    }
}

pub(in super::super) async fn spans_without_time_are_not_found(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).at_us(0).service("a"), &span(2, 1).at_us(500).service("a")])).await;
    assert_eq!(lows(&store.found(&any()).await), [0; 0]);
    let from_the_start = QueryRequest { lookback_ms: T + DAY_MS, ..of("a") };
    assert_eq!(lows(&store.found(&from_the_start).await), [2]);
}

pub(in super::super) async fn spans_without_time_come_with_their_trace(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).at_us(0).service("a").name("n"), &span(1, 2).parent(1).at(3)])).await;
    store.put(batch([&span(1, 3).parent(1).at_us(0).tag("k", "v")])).await;
    for request in [any(), of("a"), QueryRequest { span_name: Some("n".into()), ..any() }] {
        assert_eq!(ids(only(&store.found(&request).await)), [1, 3, 2]);
    }
}

pub(in super::super) async fn strict_parts_are_tested_again(suite: &Suite) {
    let store = suite.store().await;
    let one = span(1, 1).high(1).service("a").tag("k", "v");
    let other = span(1, 2).high(2).service("b").at(1);
    store.put(batch([&one, &other, &span(2, 3).service("c").at(-5)])).await;
    assert_eq!(ids(only(&store.found(&of("a")).await)), [1]);
    assert_eq!(ids(only(&store.found(&of("b")).await)), [2]);
    // The limit is looked at before a candidate, not inside it.
    let found = store.found(&QueryRequest { limit: 1, ..any() }).await;
    assert_eq!(found.iter().map(ids).collect::<Vec<_>>(), [[1], [2]]);
    let both = QueryRequest { annotation_query: vec![("k".into(), "v".into())], ..of("b") };
    assert_eq!(store.found(&both).await, []);
}

pub(in super::super) async fn lenient_search_groups_by_the_low_half(suite: &Suite) {
    let store = suite.lenient_store().await;
    store.put(batch([&span(1, 1).high(1).service("a"), &span(1, 2).high(2).service("b").at(1)])).await;
    store.put(batch([&span(1, 3).service("c").at(2), &span(2, 4).service("d")])).await;
    for service in ["a", "b", "c"] {
        assert_eq!(ids(only(&store.found(&of(service)).await)), [1, 2, 3]);
    }
    assert_eq!(lows(&store.found(&any()).await), [1, 2]);
}

pub(in super::super) async fn extreme_windows_are_answered(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1), &span(2, 1).at_us(1), &span(3, 1).at_us(i64::MAX), &span(4, 1).at_us(0)])).await;
    let request = |end_ts_ms, lookback_ms| QueryRequest { end_ts_ms, lookback_ms, ..any() };
    assert_eq!(lows(&store.found(&request(i64::MAX, i64::MAX)).await), [3, 1, 2]);
    assert_eq!(lows(&store.found(&request(i64::MAX, 1)).await), [0; 0]);
    assert_eq!(lows(&store.found(&request(1, i64::MAX)).await), [2]);
    assert_eq!(lows(&store.found(&request(T, 1)).await), [1]);
    assert_eq!(store.links(i64::MAX, i64::MAX).await, []);
    assert_eq!(store.links(1, i64::MAX).await, []);
}
