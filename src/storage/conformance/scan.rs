//! Reading a store from end to end. A store may move spans meanwhile, so that some come again.

use super::sample::{DAY_MS, Sample, T, batch, ids, only, span, trace_id};
use super::{Fixture, Suite};
use crate::model::search::split_strict;
use crate::model::{SpanBatch, TraceId};
use crate::storage::{ErrorKind, ScanCursor, ScanPage, ScanRequest, SpanStore};

/// More pages than any case has: a scan that does not end fails.
const PAGES_MAX: usize = 1_000;

async fn store(suite: &Suite) -> Option<Fixture> {
    let store = suite.store().await;
    store.capabilities().scans.then_some(store)
}

/// Ids that lie evenly, as those of clients do.
fn low(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

async fn page(store: &Fixture, request: &ScanRequest) -> ScanPage {
    SpanStore::scan(&**store, request).await.unwrap_or_else(|error| panic!("a scan failed: {error}"))
}

async fn pages(
    store: &Fixture,
    after: Option<ScanCursor>,
    window_ms: Option<(i64, i64)>,
    spans_max: usize,
) -> Vec<ScanPage> {
    let mut pages: Vec<ScanPage> = Vec::new();
    let mut request = ScanRequest { after, window_ms, spans_max };
    loop {
        let read = page(store, &request).await;
        assert_eq!(read.damaged, 0);
        request.after = read.next;
        pages.push(read);
        assert!(pages.len() < PAGES_MAX, "the scan does not end");
        if request.after.is_none() {
            return pages;
        }
    }
}

/// Every trace with its spans, by strict id.
fn traces(pages: &[ScanPage]) -> Vec<(TraceId, SpanBatch)> {
    let parts = pages.iter().flat_map(|page| page.traces.iter().cloned()).flat_map(split_strict);
    let id_of = |trace: &SpanBatch| trace.get(0).unwrap_or_else(|| panic!("a trace without spans")).trace_id;
    let mut traces: Vec<(TraceId, SpanBatch)> = parts.map(|trace| (id_of(&trace), trace)).collect();
    traces.sort_by_key(|(id, _)| (id.high(), id.low()));
    traces.dedup();
    traces
}

fn filled() -> Vec<Sample> {
    let mut spans: Vec<Sample> = (1..=40).map(|n| span(low(n), 1).at(n as i64).service("a").tag("k", "v")).collect();
    // Ids that share their low half, one with the highest, one without a time, one of two days.
    spans.push(span(low(3), 7).high(5).at(3).service("b"));
    spans.push(span(u64::MAX, 1).at(9).service("b"));
    spans.push(span(low(4), 8).at_us(0).service("b"));
    spans.push(span(low(5), 9).at(DAY_MS).service("b"));
    spans
}

async fn fill(store: &Fixture) -> Vec<(TraceId, usize)> {
    store.put(batch(&filled())).await;
    // What came late, and again.
    let late: Vec<Sample> = (1..=40).step_by(3).map(|n| span(low(n), 2).at(n as i64 + 1).service("c")).collect();
    store.put(batch(late.iter().chain(&filled()[..5]))).await;
    let mut expected: Vec<(TraceId, usize)> = (1..=40)
        .map(|n| {
            let more = usize::from((n - 1) % 3 == 0) + usize::from(n == 4 || n == 5);
            (trace_id(0, low(n)), 1 + more)
        })
        .collect();
    expected.extend([(trace_id(5, low(3)), 1), (trace_id(0, u64::MAX), 1)]);
    expected.sort_by_key(|(id, _)| (id.high(), id.low()));
    expected
}

pub(super) async fn a_scan_gives_every_trace_whole(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    assert_eq!(traces(&pages(&store, None, None, 10).await), []);
    let expected = fill(&store).await;
    for spans_max in [1, 7, 10_000] {
        let pages = pages(&store, None, None, spans_max).await;
        let found = traces(&pages);
        let shown: Vec<(TraceId, usize)> = found.iter().map(|(id, spans)| (*id, spans.len())).collect();
        assert_eq!(shown, expected, "pages of {spans_max} spans");
        for (id, spans) in found {
            assert_eq!(ids(&spans), ids(only(&store.read(&[id]).await)), "{id}");
        }
        assert!(pages.iter().filter_map(|page| page.share).all(|share| (0.0..=1.0).contains(&share)));
    }
}

pub(super) async fn a_scan_goes_on_behind_any_page(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    fill(&store).await;
    let all = pages(&store, None, None, 5).await;
    for at in 0..all.len() - 1 {
        let rest = traces(&pages(&store, all[at].next, None, 3).await);
        assert!(traces(&all[at + 1..]).iter().all(|trace| rest.contains(trace)), "behind page {at}");
    }
}

pub(super) async fn a_scan_keeps_to_its_window(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    store
        .put(batch([
            &span(1, 1).at(1_000).service("a"),
            &span(2, 1).at(2_000).service("a"),
            &span(3, 1).at(1_000).service("a"),
            &span(3, 2).at(3 * DAY_MS).service("a"),
            &span(4, 1).at(3_000).service("a"),
            &span(5, 1).at(2 * DAY_MS).service("a"),
        ]))
        .await;
    for ((start_ms, end_ms), expected) in [
        ((T, T + 999), vec![]),
        ((T + 1_000, T + 1_000), vec![1, 3]),
        ((T + 1_001, T + 3_000), vec![2, 4]),
        ((T + DAY_MS, T + 2 * DAY_MS), vec![5]),
        ((T + 3_001, T + 9 * DAY_MS), vec![3, 5]),
        ((T + 2_000, T + 1_000), vec![]),
        ((0, i64::MAX / 2_000), vec![1, 2, 3, 4, 5]),
    ] {
        for spans_max in [1, 100] {
            let found = traces(&pages(&store, None, Some((start_ms, end_ms)), spans_max).await);
            let lows: Vec<u64> = found.iter().map(|(id, _)| id.low()).collect();
            assert_eq!(lows, expected, "{start_ms} to {end_ms}");
            // A trace comes whole even when only a part of it is inside.
            assert!(found.iter().all(|(id, spans)| id.low() != 3 || spans.len() == 2));
        }
    }
}

pub(super) async fn spans_without_time_count_as_zero_in_a_scan(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    store.put(batch([&span(1, 1).at_us(0).service("a"), &span(2, 1).at(1_000).service("a")])).await;
    for (window_ms, expected) in
        [((0, 0), vec![1]), ((0, T + 1_000), vec![1, 2]), ((1, T + 1_000), vec![2]), ((-5, -1), vec![])]
    {
        let found = traces(&pages(&store, None, Some(window_ms), 100).await);
        let lows: Vec<u64> = found.iter().map(|(id, _)| id.low()).collect();
        assert_eq!(lows, expected, "{window_ms:?}");
    }
}

pub(super) async fn stores_without_scans_say_so(suite: &Suite) {
    let store = suite.store().await;
    if store.capabilities().scans {
        return;
    }
    let request = ScanRequest { after: None, window_ms: None, spans_max: 1 };
    let refused = SpanStore::scan(&*store, &request).await;
    assert_eq!(refused.err().map(|error| error.kind), Some(ErrorKind::Unsupported));
}
