//! Reading all of it while spans are in memory, in blocks and in both.

use std::collections::HashSet;

use super::differential::random_spans;
use super::support::{HandClock, Random, batch, sealing_often};
use crate::model::SpanBatch;
use crate::storage::{
    MemoryConfig, MemoryStorage, ScanPage, ScanRequest, SpanConsumer, SpanStore, SqliteInspector, SqliteStorage,
    StorageBackend, StorageOptions,
};

const TRACES: u64 = 40;

fn request(spans_max: usize) -> ScanRequest {
    ScanRequest { after: None, window_ms: None, spans_max }
}

/// All traces by their low half. What is sealed meanwhile comes twice.
async fn all(store: &dyn SpanStore, spans_max: usize) -> Vec<SpanBatch> {
    let mut request = request(spans_max);
    let mut traces = Vec::new();
    loop {
        let page = store.scan(&request).await.unwrap();
        assert_eq!(page.damaged, 0);
        traces.extend(page.traces);
        request.after = page.next;
        if page.next.is_none() {
            let mut traces = sorted(traces);
            traces.dedup();
            return traces;
        }
    }
}

fn sorted(mut traces: Vec<SpanBatch>) -> Vec<SpanBatch> {
    traces.sort_by_key(|trace| trace.get(0).map(|span| span.trace_id.low()));
    traces
}

async fn write(stores: &[&dyn SpanConsumer], random: &mut Random) {
    let count = 5 + random.below(20);
    let spans = random_spans(random, count, TRACES);
    for store in stores {
        store.write(&[batch(spans.clone())]).await.remove(0).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_gives_each_trace_wherever_its_spans_are() {
    let directory = tempfile::tempdir().unwrap();
    let config = sealing_often(directory.path());
    let path = config.path.clone();
    let store = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap();
    let memory = MemoryStorage::new(MemoryConfig::default(), StorageOptions::default());
    let random = &mut Random::new(7);
    for round in 0..25 {
        write(&[&store, &memory], random).await;
        if round % 4 == 0 {
            store.maintain().await.unwrap();
        }
        let expected = all(&memory, 1_000).await;
        for spans_max in [3, 50] {
            assert_eq!(all(&store, spans_max).await, expected, "round {round}");
        }
        // The same from outside, beside the server, and each once.
        let inspector = SqliteInspector::open(&path).await.unwrap();
        let mut found = Vec::new();
        let mut request = request(7);
        loop {
            let ScanPage { traces, next, .. } = inspector.scan(&request).await.unwrap();
            found.extend(traces);
            request.after = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(sorted(found), expected, "round {round}, from outside");
    }
    assert!(store.store.live.blocks().len() > 1, "nothing was sealed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_misses_nothing_while_blocks_are_made_and_merged() {
    let directory = tempfile::tempdir().unwrap();
    let config = sealing_often(directory.path());
    let store = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap();
    let random = &mut Random::new(11);
    for _ in 0..10 {
        write(&[&store], random).await;
    }
    let before = all(&store, 1_000).await;
    let mut request = request(4);
    let mut found: HashSet<Vec<u8>> = HashSet::new();
    let mut pages = 0;
    loop {
        let page = store.scan(&request).await.unwrap();
        found.extend(page.traces.iter().flat_map(SpanBatch::records).map(<[u8]>::to_vec));
        request.after = page.next;
        pages += 1;
        if page.next.is_none() {
            break;
        }
        if pages < 60 {
            write(&[&store], random).await;
            store.maintain().await.unwrap();
        }
    }
    assert!(pages > 5);
    assert!(before.iter().flat_map(SpanBatch::records).all(|record| found.contains(record)));
}
