//! Links between services.

use serde_json::{Value, json};

use super::Suite;
use super::sample::{DAY_MS, T, batch, span};
use crate::model::testing::{spans_from_json, spans_from_value};
use crate::model::{DependencyLink, SpanKind};
use crate::storage::StorageOptions;

fn as_json(links: &[DependencyLink]) -> Value {
    let link = |link: &DependencyLink| match link.error_count {
        0 => json!({"parent": link.parent, "child": link.child, "callCount": link.call_count}),
        errors => {
            json!({"parent": link.parent, "child": link.child, "callCount": link.call_count, "errorCount": errors})
        }
    };
    links.iter().map(link).collect()
}

fn members(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Cases recorded from zipkin; all in one store, because each has its own traces and days.
pub(super) async fn links_equal_the_recorded_ones(suite: &Suite) {
    let text = include_str!("../../../tests/golden/dependency_links.json");
    let cases: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    let store = suite.store().await;
    for case in members(&cases) {
        for post in members(&case["posts"]) {
            store.put(spans_from_value(post)).await;
        }
    }
    for case in members(&cases) {
        for ask in members(&case["asks"]) {
            let number = |member: &str| ask[member].as_i64().unwrap_or_default();
            let links = store.links(number("end_ts_ms"), number("lookback_ms")).await;
            assert_eq!(as_json(&links), ask["links"], "{}: {}", case["name"], case["about"]);
        }
    }
}

pub(super) async fn links_ignore_the_high_half(suite: &Suite) {
    for store in [suite.store().await, suite.lenient_store().await] {
        let client = span(1, 1).high(7).kind(SpanKind::Client).service("a");
        let server = span(1, 2).parent(1).kind(SpanKind::Server).service("b").tag("error", "x");
        store.put(batch([&client])).await;
        store.put(batch([&server])).await;
        let expected = json!([{"parent": "a", "child": "b", "callCount": 1, "errorCount": 1}]);
        assert_eq!(as_json(&store.links(T, 1).await), expected);
    }
}

/// A link may be counted early; a late span replaces it, and nothing is counted twice.
pub(super) async fn links_of_late_spans_are_corrected(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).kind(SpanKind::Client).service("a").remote("guess")])).await;
    let link = |child: &str| json!([{"parent": "a", "child": child, "callCount": 1}]);
    assert_eq!(as_json(&store.links(T, 1).await), link("guess"));
    let late = span(1, 1).kind(SpanKind::Server).service("b").at(2 * DAY_MS);
    store.put(batch([&late])).await;
    store.put(batch([&late])).await;
    assert_eq!(as_json(&store.links(T, 1).await), link("b"));
    assert_eq!(as_json(&store.links(T + 2 * DAY_MS, 1).await), link("b"));
    assert_eq!(as_json(&store.links(T + DAY_MS, 1).await), json!([]));
}

pub(super) async fn links_come_without_search_too(suite: &Suite) {
    let store = suite.store_with(StorageOptions { search_enabled: false, ..StorageOptions::default() }).await;
    let spans = r#"[{"traceId":"1","id":"1","kind":"CLIENT","timestamp":1600000000000000,
        "localEndpoint":{"serviceName":"a"},"remoteEndpoint":{"serviceName":"b"}}]"#;
    store.put(spans_from_json(spans)).await;
    let links = store.links(T, DAY_MS).await;
    assert_eq!(as_json(&links), json!([{"parent": "a", "child": "b", "callCount": 1}]));
}
