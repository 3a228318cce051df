//! Lists of names and values.

use super::sample::{any, batch, lows, of, only, span, trace_id};
use super::{Fixture, Suite};
use crate::storage::StorageOptions;

pub(super) async fn only_complete_spans_feed_the_lists(suite: &Suite) {
    let store = suite.store().await;
    assert_eq!(store.services().await, [""; 0]);
    let samples = [
        span(1, 1).name("no-service"),
        span(1, 2).name("x").remote("only-remote"),
        span(1, 3).service("no-name"),
        span(1, 4).service("s").name("n"),
        span(1, 5).service("s").name("n").remote("t"),
        span(2, 6).service("s").name("m").remote("s").at_us(0),
    ];
    store.put(batch(&samples)).await;
    assert_eq!(store.services().await, ["no-name", "s"]);
    assert_eq!(store.names_of("s").await, ["m", "n"]);
    assert_eq!(store.remotes_of("s").await, ["s", "t"]);
    for unknown in ["no-name", "t", "only-remote", "", "S"] {
        assert_eq!(store.names_of(unknown).await, [""; 0], "{unknown}");
        assert_eq!(store.remotes_of(unknown).await, [""; 0], "{unknown}");
    }
}

pub(super) async fn lists_are_sorted_by_utf16_units(suite: &Suite) {
    let store = suite.store_with(autocompleting(&["k"])).await;
    // In UTF-16 an emoji (D83D ...) stands before U+FF5E, in UTF-8 after it.
    let sorted = ["a", "a b", "a-b", "aa", "ab", "b", "é", "日", "😀", "～"];
    for (id, name) in (1..).zip(["b", "～", "a-b", "😀", "aa", "日", "a", "é", "ab", "a b"]) {
        let sample = span(id, id).service(name).tag("k", name);
        store.put(batch([&sample, &span(id, id).service("s").name(name).remote(name)])).await;
    }
    let with_s: Vec<&str> = sorted.iter().take(6).chain(&["s"]).chain(sorted.iter().skip(6)).copied().collect();
    assert_eq!(store.services().await, with_s);
    assert_eq!(store.names_of("s").await, sorted);
    assert_eq!(store.remotes_of("s").await, sorted);
    assert_eq!(store.values_of("k").await, sorted);
}

fn autocompleting(keys: &[&str]) -> StorageOptions {
    let autocomplete_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    StorageOptions { autocomplete_keys, ..StorageOptions::default() }
}

pub(super) async fn autocomplete_lists_configured_keys_only(suite: &Suite) {
    let store = suite.store_with(autocompleting(&["env", "zone"])).await;
    let samples = [
        span(1, 1).service("a").tag("env", "prod").tag("other", "x"),
        span(1, 2).tag("env", "dev"),
        span(2, 3).service("b").tag("env", "prod").tag("zone", "").at_us(0),
    ];
    store.put(batch(&samples)).await;
    assert_eq!(store.values_of("env").await, ["dev", "prod"]);
    assert_eq!(store.values_of("zone").await, [""]);
    assert_eq!(store.values_of("other").await, [""; 0]);
    assert_eq!(store.values_of("ENV").await, [""; 0]);
}

pub(super) async fn lists_have_limits_and_spans_are_kept(suite: &Suite) {
    let options = StorageOptions { service_names_max: 3, names_per_service_max: 2, ..autocompleting(&["k"]) };
    let store = suite.store_with(options).await;
    for n in 1..=9 {
        let text = format!("n{n}");
        let of_one = span(n, 2).service("n1").name(&text).remote(&text);
        store.put(batch([&span(n, 1).service(&text).tag("k", &text), &of_one])).await;
    }
    assert_eq!(store.services().await.len(), 3);
    assert_eq!(store.names_of("n1").await.len(), 2);
    assert_eq!(store.remotes_of("n1").await.len(), 2);
    assert_eq!(lows(&store.found(&of("n9")).await), [9]);
    assert_eq!(lows(&store.found(&crate::model::QueryRequest { span_name: Some("n8".into()), ..any() }).await), [8]);
}

pub(super) async fn without_search_only_traces_and_links_answer(suite: &Suite) {
    let store = suite.store_with(StorageOptions { search_enabled: false, ..autocompleting(&["k"]) }).await;
    store.put(batch([&span(1, 1).service("a").name("n").remote("b").tag("k", "v")])).await;
    assert_eq!(only(&store.read(&[trace_id(0, 1)]).await).len(), 1);
    assert_lists_are_empty(&store).await;
    assert_eq!(store.found(&any()).await, []);
    assert_eq!(store.found(&of("a")).await, []);
}

async fn assert_lists_are_empty(store: &Fixture) {
    assert_eq!(store.services().await, [""; 0]);
    assert_eq!(store.names_of("a").await, [""; 0]);
    assert_eq!(store.remotes_of("a").await, [""; 0]);
    assert_eq!(store.values_of("k").await, [""; 0]);
}
