//! Writing: whole, once, and what was sent.

use super::sample::{any, batch, ids, lows, of, only, span, trace_id};
use super::{Fixture, Suite};
use crate::model::testing::spans_from_json;
use crate::model::{Span, SpanBatch};
use crate::storage::{Batch, Stored};

const FULL: &str = r#"[
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","parentId":"a","id":"b","kind":"CLIENT","name":"get /x","timestamp":1600000000000123,
   "duration":207000,"localEndpoint":{"serviceName":"front","ipv4":"127.0.0.1","ipv6":"2001:db8::c001","port":8080},
   "remoteEndpoint":{"serviceName":"back","ipv4":"192.168.99.101","ipv6":"2001:db8::c002","port":9000},
   "annotations":[{"timestamp":-5,"value":"before"},{"timestamp":1600000000000200,"value":"foo"},{"timestamp":1600000000000200,"value":"goo"}],
   "tags":{"http.path":"/x","error":"","ключ":"значение"},"debug":true},
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","parentId":"a","id":"b","kind":"SERVER","timestamp":1600000000000400,
   "localEndpoint":{"port":1},"shared":true},
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"c","kind":"PRODUCER","remoteEndpoint":{"ipv6":"::1"},"timestamp":1600000000000500},
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"d","kind":"CONSUMER","localEndpoint":{"ipv4":"1.2.3.4"},"timestamp":1600000000000999},
  {"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"e","duration":1}]"#;

pub(super) async fn every_field_is_read_back(suite: &Suite) {
    let store = suite.store().await;
    let spans = spans_from_json(FULL);
    store.put(spans.clone()).await;
    let id = spans.get(0).map(|span| span.trace_id);
    let traces = store.read(id.as_slice()).await;
    assert_eq!(only(&traces).to_spans(), spans.to_spans());
    let found = store.found(&of("front")).await;
    assert_eq!(only(&found).to_spans(), spans.to_spans());
}

pub(super) async fn results_come_one_per_batch_in_order(suite: &Suite) {
    let store = suite.store().await;
    assert_eq!(store.write(&[]).await.len(), 0);
    let sizes = [2, 1, 0, 3];
    let batches: Vec<Batch> = (1..)
        .zip(sizes)
        .map(|(low, size)| {
            let samples: Vec<_> = (0..size).map(|id| span(low, id + 1)).collect();
            Batch { spans: batch(&samples), position: None }
        })
        .collect();
    let results: Vec<Option<Stored>> = store.write(&batches).await.into_iter().map(Result::ok).collect();
    assert_eq!(results, sizes.map(|spans| Some(Stored { spans: spans as usize })));
    let stored = store.read(&[1, 2, 3, 4].map(|low| trace_id(0, low))).await;
    assert_eq!(stored.iter().map(SpanBatch::len).collect::<Vec<_>>(), [2, 1, 3]);
}

pub(super) async fn equal_spans_are_kept_once(suite: &Suite) {
    let store = suite.store().await;
    if !store.capabilities().exact_duplicates {
        return;
    }
    let one = span(1, 1).service("a").tag("k", "v");
    store.put(batch([&one, &one])).await;
    store.put_all(vec![batch([&one]), batch([&one, &one])]).await;
    store.put(batch([&one])).await;
    assert_eq!(ids(only(&store.found(&any()).await)), [1]);
}

pub(super) async fn a_difference_in_any_field_keeps_both(suite: &Suite) {
    let store = suite.store().await;
    if !store.capabilities().exact_duplicates {
        return;
    }
    let one = span(1, 1).service("a").name("n").annotation("x").tag("k", "v");
    let others = [
        one.clone(),
        one.clone().name("m"),
        one.clone().service("b"),
        one.clone().remote("a"),
        one.clone().tag("k", "w"),
        one.clone().tag("l", "v"),
        one.clone().annotation("y"),
        one.clone().lasting(1),
        one.clone().parent(2),
        one.clone().kind(crate::model::SpanKind::Server),
    ];
    store.put(batch(&others)).await;
    store.put(batch(others.iter().rev())).await;
    let stored = store.read(&[trace_id(0, 1)]).await;
    assert_eq!(only(&stored).to_spans(), batch(&others).to_spans());
}

pub(super) async fn a_batch_with_known_and_new_spans_adds_the_new_ones(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1), &span(2, 1)])).await;
    store.put(batch([&span(1, 1), &span(1, 2), &span(3, 1), &span(2, 1)])).await;
    let stored = store.read(&[1, 2, 3].map(|low| trace_id(0, low))).await;
    assert_eq!(stored.iter().map(ids).collect::<Vec<_>>(), [vec![1, 2], vec![1], vec![1]]);
}

pub(super) async fn writing_again_changes_no_answer(suite: &Suite) {
    let store = suite.store().await;
    let spans = spans_from_json(
        r#"[{"traceId":"1","id":"1","kind":"CLIENT","name":"n","timestamp":1600000000000000,"localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"b"}},
            {"traceId":"2","id":"1","kind":"CLIENT","name":"n","timestamp":1600000000001000,"localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"b"}},
            {"traceId":"2","id":"2","kind":"PRODUCER","timestamp":1600000000002000,"localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"c"},"tags":{"error":""}}]"#,
    );
    store.put(spans.clone()).await;
    let before = answers(&store).await;
    assert_eq!(before.2, ["a"]);
    for _ in 0..3 {
        store.put(spans.clone()).await;
    }
    store.put(spans.slice(1, 3)).await;
    assert_eq!(answers(&store).await, before);
}

type Answers = (Vec<Vec<Span>>, Vec<crate::model::DependencyLink>, Vec<String>, Vec<String>);

async fn answers(store: &Fixture) -> Answers {
    let found = store.found(&any()).await.iter().map(SpanBatch::to_spans).collect();
    let window = any();
    let links = store.links(window.end_ts_ms, window.lookback_ms).await;
    (found, links, store.services().await, store.remotes_of("a").await)
}

pub(super) async fn a_large_batch_is_stored_whole(suite: &Suite) {
    const TRACES: u64 = 300;
    let store = suite.store().await;
    let samples: Vec<_> = (0..TRACES * 15)
        .map(|n| span(n % TRACES + 1, n / TRACES + 1).at((n % TRACES) as i64).service("a").name("n").tag("n", "v"))
        .collect();
    store.put(batch(&samples)).await;
    let found = store.found(&of("a")).await;
    assert_eq!(lows(&found), (1..=TRACES).rev().collect::<Vec<_>>());
    assert!(found.iter().all(|trace| ids(trace) == (1..=15).collect::<Vec<_>>()));
}
