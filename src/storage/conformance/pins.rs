//! Pinned traces.

use super::sample::{batch, ids, only, span, trace_id};
use super::{Fixture, Suite};
use crate::model::TraceId;
use crate::storage::ErrorKind;

async fn store(suite: &Suite) -> Option<Fixture> {
    let store = suite.store().await;
    store.capabilities().pins.then_some(store)
}

async fn listed(store: &Fixture) -> Vec<(TraceId, usize)> {
    let list = store.pinned().await.unwrap_or_else(|error| panic!("listing pins failed: {error}"));
    list.iter().map(|pinned| (pinned.trace_id, pinned.spans)).collect()
}

pub(super) async fn pinned_traces_are_listed_until_they_are_let_go(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    store.put(batch([&span(7, 1), &span(7, 2), &span(3, 1)])).await;
    assert_eq!(listed(&store).await, []);
    for low in [7, 3, 7] {
        let pinned = store.pin(trace_id(0, low)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pinned.trace_id, trace_id(0, low));
    }
    assert_eq!(listed(&store).await, [(trace_id(0, 3), 1), (trace_id(0, 7), 2)]);
    let unpin = async |low| store.unpin(trace_id(0, low)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((unpin(7).await, unpin(7).await, unpin(9).await), (true, false, false));
    assert_eq!(listed(&store).await, [(trace_id(0, 3), 1)]);
    assert_eq!(ids(only(&store.read(&[trace_id(0, 7)]).await)), [1, 2]);
}

pub(super) async fn a_trace_that_does_not_exist_cannot_be_pinned(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    store.put(batch([&span(1, 1).high(5)])).await;
    for id in [trace_id(0, 2), trace_id(6, 1)] {
        let error = store.pin(id).await.err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::NotFound), "{id}");
    }
    assert_eq!(listed(&store).await, []);
}

/// Pinning copies spans; no read may show that.
pub(super) async fn pinning_changes_no_answer(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let late = span(1, 9).at(5).service("a");
    store.put(batch([&span(1, 2).at(3).service("a"), &span(1, 1).service("a").lasting(4)])).await;
    let answers = async || {
        let found = store.found(&super::sample::of("a")).await;
        let read = store.read(&[trace_id(0, 1)]).await;
        assert_eq!(only(&read).to_spans(), only(&found).to_spans());
        ids(only(&read))
    };
    store.pin(trace_id(0, 1)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answers().await, [2, 1]);
    // Late and repeated spans come to the trace; pinning again copies them too.
    store.put(batch([&late, &span(1, 2).at(3).service("a")])).await;
    assert_eq!(answers().await, [2, 1, 9]);
    let again = store.pin(trace_id(0, 1)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((again.spans, answers().await), (3, vec![2, 1, 9]));
    store.unpin(trace_id(0, 1)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answers().await, [2, 1, 9]);
}

pub(super) async fn stores_without_pins_say_so(suite: &Suite) {
    let store = suite.store().await;
    if !store.capabilities().pins {
        let failed = [
            store.pin(trace_id(0, 1)).await.err(),
            store.unpin(trace_id(0, 1)).await.err(),
            store.pinned().await.err(),
        ];
        assert_eq!(failed.map(|error| error.map(|error| error.kind)), [Some(ErrorKind::Unsupported); 3]);
    }
}
