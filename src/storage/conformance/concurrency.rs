//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::sample::{Sample, any, batch, span, trace_id};
use super::{Fixture, Suite};
use crate::model::{QueryRequest, SpanBatch};

/// Batch `n` of the half-a-batch case: two traces with spans of both in turn, a newest and an oldest one.
fn pair(n: u64) -> SpanBatch {
    let samples: Vec<Sample> = (1..=6)
        .flat_map(|id| [span(2 * n, id).at(n as i64), span(2 * n + 1, id).at(-(n as i64))])
        .map(|sample| sample.service("a").name(&format!("n{n}")))
        .collect();
    batch(&samples)
}

fn assert_whole(traces: &[SpanBatch]) {
    let mut spans_of_batch = std::collections::HashMap::<u64, usize>::new();
    for span in traces.iter().flat_map(SpanBatch::iter) {
        *spans_of_batch.entry(span.trace_id.low() / 2).or_default() += 1;
    }
    assert!(spans_of_batch.values().all(|spans| *spans == 12), "half a batch was seen: {spans_of_batch:?}");
}

pub(super) async fn readers_never_see_half_a_batch(suite: &Suite) {
    const BATCHES: u64 = 120;
    let store = Arc::new(suite.store().await);
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, done) = (store.clone(), done.clone());
        async move {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                assert_whole(&store.found(&any()).await);
                let ids: Vec<_> = (2..2 * BATCHES + 2).map(|low| trace_id(0, low)).collect();
                assert_whole(&store.read(&ids).await);
                reads += 1;
                tokio::task::yield_now().await;
            }
        }
    });
    for n in 1..=BATCHES {
        store.put(pair(n)).await;
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    assert_eq!(store.found(&any()).await.len() as u64, 2 * BATCHES);
}

pub(super) async fn concurrent_writers_lose_and_double_nothing(suite: &Suite) {
    const WRITERS: u64 = 6;
    const TRACES: u64 = 20;
    let store = Arc::new(suite.store().await);
    // Each writer sends its own span of every trace, and one span that all of them send.
    let write = |store: Arc<Fixture>, writer: u64| async move {
        for low in 1..=TRACES {
            let own = span(low, writer).service("a").at(writer as i64);
            store.put(batch([&span(low, 100), &own])).await;
        }
    };
    let writers = (1..=WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer)));
    for result in join_all(writers).await {
        result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    let found = store.found(&any()).await;
    assert_eq!(found.len() as u64, TRACES);
    for trace in found {
        let mut ids = super::sample::ids(&trace);
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 100]);
    }
}

pub(super) async fn what_was_acknowledged_is_read(suite: &Suite) {
    let store = Arc::new(suite.store().await);
    let write_and_read = |store: Arc<Fixture>, low: u64| async move {
        let service = format!("s{low}");
        store.put(batch([&span(low, 1).service(&service).name("n").remote("r")])).await;
        assert_eq!(store.read(&[trace_id(0, low)]).await.len(), 1);
        let search = QueryRequest { service_name: Some(service.clone()), ..any() };
        assert_eq!(store.found(&search).await.len(), 1);
        assert_eq!(store.names_of(&service).await, ["n"]);
        assert_eq!(store.remotes_of(&service).await, ["r"]);
        assert!(store.services().await.contains(&service));
    };
    let tasks = (1..=40).map(|low| tokio::spawn(write_and_read(store.clone(), low)));
    for result in join_all(tasks).await {
        result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
}
