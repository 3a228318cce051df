//! Reading all of it while spans are in memory, in blocks and in both.

use std::collections::HashSet;

use sqlx::Connection;

use super::differential::random_spans;
use super::support::{HandClock, Random, batch, sealing_often, span};
use crate::model::SpanBatch;
use crate::storage::sqlite::seal::row_at;
use crate::storage::{
    MemoryConfig, MemoryStorage, ScanPage, ScanRequest, SpanConsumer, SpanStore, SqliteConfig, SqliteInspector,
    SqliteStorage, StorageBackend, StorageOptions,
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

#[tokio::test]
async fn a_page_of_traces_in_memory_is_as_large_as_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { recent_spans_max: 100_000, ..sealing_often(directory.path()) };
    let store = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap();
    let memory = MemoryStorage::new(MemoryConfig::default(), StorageOptions::default());
    let mut spans = SpanBatch::new();
    (1..=2_000).for_each(|low| spans.append(&span(low, 1, "a", 1_000_000)));
    for consumer in [&store as &dyn SpanConsumer, &memory] {
        consumer.write(&[batch(spans.clone())]).await.remove(0).unwrap();
    }
    for scanned in [&store as &dyn SpanStore, &memory] {
        let page = scanned.scan(&request(1_500)).await.unwrap();
        assert_eq!(page.traces.len(), 1_500);
        let rest = scanned.scan(&ScanRequest { after: page.next, ..request(1_500) }).await.unwrap();
        assert_eq!((rest.traces.len(), rest.next), (500, None));
    }
    store.close().await;
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

/// Scans the file from outside.
async fn exported(path: &std::path::Path) -> (Vec<SpanBatch>, usize) {
    let page = SqliteInspector::open(path).await.unwrap().scan(&request(usize::MAX)).await.unwrap();
    (sorted(page.traces), page.damaged)
}

#[tokio::test]
async fn damaged_views_cost_an_export_nothing_of_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { recent_spans_max: 4_000, ..sealing_often(directory.path()) };
    let path = config.path.clone();
    let store = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap();
    let random = &mut Random::new(5);
    for _ in 0..10 {
        write(&[&store], random).await;
    }
    // The block has what later rows brought of its traces: who reads those must know which traces it has.
    let rows = store.store.live.rows();
    store.store.seal(row_at(&rows, rows.iter().map(|row| row.spans).sum::<usize>() / 2).unwrap()).await.unwrap();
    let block = store.store.live.blocks()[0].block.clone();
    assert!(store.store.live.rows().front().unwrap().id <= block.covers_to, "no row is covered");
    let whole = exported(&path).await;
    assert!(whole.1 == 0 && !whole.0.is_empty());
    store.close().await;
    drop(store);
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("UPDATE view SET value = substr(value, 2)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(exported(&path).await, whole);
    // A cache without room keeps nothing of what a start made anew.
    let config = SqliteConfig { block_cache_bytes: 0, recent_spans_max: 4_000, ..sealing_often(directory.path()) };
    let store = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap();
    assert_eq!(all(&store, usize::MAX).await, whole.0);
    store.close().await;
}
