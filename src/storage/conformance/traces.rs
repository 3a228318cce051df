//! Reading traces by id.

use super::Suite;
use super::sample::{batch, ids, lows, only, span, trace_id};
use crate::model::SpanBatch;

pub(super) async fn traces_come_in_the_order_asked(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1).at(1), &span(2, 1).at(3), &span(3, 1).at(2)])).await;
    let asked = [3, 1, 2].map(|low| trace_id(0, low));
    assert_eq!(lows(&store.read(&asked).await), [3, 1, 2]);
    let twice = [1, 2, 1, 2].map(|low| trace_id(0, low));
    assert_eq!(lows(&store.read(&twice).await), [1, 2]);
}

pub(super) async fn unknown_traces_are_left_out(suite: &Suite) {
    for store in [suite.store().await, suite.lenient_store().await] {
        store.put(batch([&span(1, 1), &span(2, 1)])).await;
        assert_eq!(lows(&store.read(&[9, 2, 8, 1].map(|low| trace_id(0, low))).await), [2, 1]);
        assert_eq!(store.read(&[trace_id(0, 9)]).await, []);
        assert_eq!(store.read(&[]).await, []);
    }
}

pub(super) async fn spans_of_a_trace_come_in_zipkins_order(suite: &Suite) {
    let store = suite.store().await;
    // By millisecond, milliseconds as first seen, spans of one as they arrived.
    store.put(batch([&span(1, 1).at(5), &span(2, 9), &span(1, 2).at(3)])).await;
    store.put(batch([&span(1, 3).at(7), &span(1, 4).at_us(0)])).await;
    store.put_all(vec![batch([&span(1, 5).at(3)]), batch([&span(1, 6).at_us(0), &span(1, 7).at(5)])]).await;
    store.put(batch([&span(1, 2).at(3), &span(1, 8).at(3)])).await;
    assert_eq!(ids(only(&store.read(&[trace_id(0, 1)]).await)), [1, 7, 2, 5, 8, 3, 4, 6]);
}

pub(super) async fn strict_ids_keep_long_and_short_apart(suite: &Suite) {
    let store = suite.store().await;
    store.put(batch([&span(1, 1), &span(1, 2).high(5), &span(1, 3).high(6), &span(1, 4)])).await;
    let read = async |high| store.read(&[trace_id(high, 1)]).await;
    assert_eq!(ids(only(&read(0).await)), [1, 4]);
    assert_eq!(ids(only(&read(5).await)), [2]);
    assert_eq!(read(7).await, []);
    // Ids with one low half are read together, so they come as they arrived.
    let both = store.read(&[trace_id(6, 1), trace_id(0, 1)]).await;
    assert_eq!(both.iter().map(ids).collect::<Vec<_>>(), [vec![1, 4], vec![3]]);
}

pub(super) async fn lenient_ids_go_by_the_low_half(suite: &Suite) {
    let store = suite.lenient_store().await;
    store.put(batch([&span(1, 1), &span(1, 2).high(5)])).await;
    store.put(batch([&span(1, 3).high(6), &span(2, 4)])).await;
    for high in [0, 5, 6, 7] {
        assert_eq!(ids(only(&store.read(&[trace_id(high, 1)]).await)), [1, 2, 3]);
    }
    let asked = [trace_id(9, 2), trace_id(5, 1), trace_id(0, 1)];
    assert_eq!(store.read(&asked).await.iter().map(SpanBatch::len).collect::<Vec<_>>(), [1, 3]);
}

pub(super) async fn strict_parts_share_the_order_of_the_whole(suite: &Suite) {
    let store = suite.store().await;
    // Trace 0:1 comes first to the millisecond 3 because 5:1 had a span there before.
    store.put(batch([&span(1, 1).high(5).at(3), &span(1, 2).at(4)])).await;
    store.put(batch([&span(1, 3).at(3)])).await;
    assert_eq!(ids(only(&store.read(&[trace_id(0, 1)]).await)), [3, 2]);
}
