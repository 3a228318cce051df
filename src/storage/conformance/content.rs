//! Texts and numbers that engines like to lose.

use super::Suite;
use super::sample::{Sample, any, batch, lows, of, only, span, tagged, trace_id};
use crate::model::QueryRequest;

/// Writes the spans and expects them back as they were, by id and by each of the searches.
async fn is_kept(suite: &Suite, samples: &[Sample], searches: &[QueryRequest]) {
    let store = suite.store().await;
    let spans = batch(samples);
    store.put(batch([&span(99, 1).service("other").name("other")])).await;
    store.put(spans.clone()).await;
    assert_eq!(only(&store.read(&[trace_id(0, 1)]).await).to_spans(), spans.to_spans());
    for search in searches {
        let found = store.found(search).await;
        assert_eq!(lows(&found), [1], "{search:?}");
        assert_eq!(only(&found).to_spans(), spans.to_spans());
    }
}

fn named(name: &str) -> QueryRequest {
    QueryRequest { span_name: Some(name.to_owned()), ..any() }
}

fn calling(remote: &str) -> QueryRequest {
    QueryRequest { remote_service_name: Some(remote.to_owned()), ..any() }
}

pub(super) async fn nul_and_four_byte_characters_are_kept(suite: &Suite) {
    for text in ["a\0b", "\0", "😀", "a😀\0é", "\u{10ffff}\u{e000}", "'\"\\%_`;--", "\u{1}\n\r\t\u{7f}\u{2028}"] {
        let sample = span(1, 1).service(text).name(text).remote(text).tag(text, text).annotation(text);
        let term = QueryRequest { annotation_query: vec![(text.to_owned(), text.to_owned())], ..any() };
        let key = QueryRequest { annotation_query: vec![(text.to_owned(), String::new())], ..any() };
        is_kept(suite, std::slice::from_ref(&sample), &[of(text), named(text), calling(text), term, key]).await;
        let store = suite.store().await;
        store.put(batch([&sample])).await;
        assert_eq!(store.services().await, [text]);
        assert_eq!(store.names_of(text).await, [text]);
        assert_eq!(store.remotes_of(text).await, [text]);
    }
}

pub(super) async fn long_keys_and_names_are_kept(suite: &Suite) {
    let long = "é".repeat(299) + "x";
    let other_end = "é".repeat(299) + "y";
    let sample = span(1, 1).service(&long).name(&long).remote(&long).tag(&long, "v").annotation(&long);
    let searches = [of(&long), named(&long), calling(&long), tagged(&long), tagged(&format!("{long}=v"))];
    is_kept(suite, std::slice::from_ref(&sample), &searches).await;
    let store = suite.store().await;
    store.put(batch([&sample])).await;
    assert_eq!(store.services().await, [long.as_str()]);
    assert_eq!(store.names_of(&long).await, [long.as_str()]);
    for search in [of(&other_end), named(&other_end), calling(&other_end), tagged(&other_end)] {
        assert_eq!(lows(&store.found(&search).await), [0; 0]);
    }
}

pub(super) async fn large_values_are_kept(suite: &Suite) {
    let value = "0123456789abcdef".repeat(65_536);
    let sample = span(1, 1).service("a").tag("k", &value).annotation(&value);
    let exact = QueryRequest { annotation_query: vec![("k".to_owned(), value.clone())], ..any() };
    let event = QueryRequest { annotation_query: vec![(value.clone(), String::new())], ..any() };
    is_kept(suite, &[sample.clone(), span(1, 2).service("b")], &[of("a"), tagged("k"), exact.clone(), event]).await;
    let store = suite.store().await;
    store.put(batch([&span(1, 1).tag("k", &value[1..])])).await;
    assert_eq!(lows(&store.found(&exact).await), [0; 0]);
}

pub(super) async fn empty_keys_and_values_are_kept(suite: &Suite) {
    let samples = [span(1, 1).tag("", "").tag("empty", "").annotation(""), span(1, 2).tag("", "v")];
    is_kept(suite, &samples, &[tagged("empty"), tagged("empty=")]).await;
}

pub(super) async fn extreme_and_missing_times_are_kept(suite: &Suite) {
    let far = [1, 999, 1_000, i64::MAX / 1000, i64::MAX - 1, i64::MAX];
    for timestamp_us in far {
        let timed = span(1, 1).at_us(timestamp_us).lasting(i64::MAX).annotation("x");
        let ends_with_it = QueryRequest { end_ts_ms: timestamp_us / 1000 + 1, lookback_ms: 2, ..any() };
        is_kept(suite, &[timed], &[ends_with_it]).await;
    }
    let untimed = [span(1, 1).at_us(0), span(1, 2).at_us(-5), span(1, 3).at_us(i64::MIN).lasting(i64::MIN)];
    is_kept(suite, &untimed, &[]).await;
}

pub(super) async fn extreme_ids_are_kept(suite: &Suite) {
    let store = suite.store().await;
    let samples = [
        span(u64::MAX, u64::MAX).high(u64::MAX).parent(u64::MAX - 1),
        span(u64::MAX, 0).high(u64::MAX).parent(1),
        span(u64::MAX, 1 << 63).high(u64::MAX).parent(u64::MAX),
    ];
    store.put(batch(&samples)).await;
    store.put(batch([&span(1 << 63, 1), &span(0, 1).high(1)])).await;
    let all = store.read(&[trace_id(u64::MAX, u64::MAX)]).await;
    assert_eq!(only(&all).to_spans(), batch(&samples).to_spans());
    assert_eq!(lows(&store.read(&[trace_id(0, 1 << 63)]).await), [1 << 63]);
    assert_eq!(store.read(&[trace_id(1, 0)]).await.len(), 1);
    assert_eq!(lows(&store.found(&any()).await), [u64::MAX, 1 << 63, 0]);
}
