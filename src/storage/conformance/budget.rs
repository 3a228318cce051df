//! Queries end when they must.

use std::time::Instant;

use super::sample::{Sample, any, batch, span, trace_id};
use super::{Fixture, Suite};
use crate::model::TraceId;
use crate::storage::{ErrorKind, QueryBudget};

const TRACES: u64 = 40;
const SPANS_PER_TRACE: u64 = 5;

async fn store(suite: &Suite) -> Fixture {
    let store = suite.store().await;
    let samples: Vec<Sample> = (1..=TRACES)
        .flat_map(|low| (1..=SPANS_PER_TRACE).map(move |id| span(low, id).at(low as i64).service("a").remote("b")))
        .collect();
    store.put(batch(&samples)).await;
    store
}

fn all() -> Vec<TraceId> {
    (1..=TRACES).map(|low| trace_id(0, low)).collect()
}

/// How each kind of query ends on the budget.
async fn ends(store: &Fixture, budget: impl Fn() -> QueryBudget) -> [Result<usize, ErrorKind>; 3] {
    let window = any();
    let search = store.search(&window, &budget()).await.map(|traces| traces.len());
    let traces = store.traces(&all(), &budget()).await.map(|traces| traces.len());
    let links = store.dependencies(window.end_ts_ms, window.lookback_ms, &budget()).await.map(|links| links.len());
    [search, traces, links].map(|result| result.map_err(|error| error.kind))
}

pub(super) async fn a_passed_deadline_ends_queries(suite: &Suite) {
    let store = store(suite).await;
    let passed = || QueryBudget::new(Some(Instant::now()), u64::MAX);
    assert_eq!(ends(&store, passed).await, [Err(ErrorKind::Deadline); 3]);
}

pub(super) async fn a_cancelled_query_ends(suite: &Suite) {
    let store = store(suite).await;
    let cancelled = || {
        let budget = QueryBudget::unlimited();
        budget.clone().cancel();
        budget
    };
    assert_eq!(ends(&store, cancelled).await, [Err(ErrorKind::Deadline); 3]);
}

pub(super) async fn a_query_that_reads_too_much_ends(suite: &Suite) {
    let store = store(suite).await;
    let small = || QueryBudget::new(None, SPANS_PER_TRACE * 3);
    let [search, traces, links] = ends(&store, small).await;
    assert_eq!([search, traces], [Err(ErrorKind::Exhausted); 2]);
    // Calls that were added up before are not read again, and a store may do that whenever it likes.
    assert!(matches!(links, Err(ErrorKind::Exhausted) | Ok(1)), "{links:?}");
    // A limit that is reached early costs only what was read.
    let two = crate::model::QueryRequest { limit: 2, ..any() };
    assert_eq!(store.search(&two, &small()).await.ok().map(|traces| traces.len()), Some(2));
}

pub(super) async fn a_sufficient_budget_changes_nothing(suite: &Suite) {
    let store = store(suite).await;
    let later = Instant::now() + std::time::Duration::from_secs(600);
    let ample = || QueryBudget::new(Some(later), TRACES * SPANS_PER_TRACE * 4);
    assert_eq!(ends(&store, ample).await, [Ok(TRACES as usize), Ok(TRACES as usize), Ok(1)]);
}
