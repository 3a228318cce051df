//! Pinned traces outlive retention and restarts.

use super::support::{HandClock, NOW_MS, batch, config, span};
use crate::model::{SpanBatch, TraceId};
use crate::storage::{
    ErrorKind, QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteStorage, StorageBackend, StorageOptions,
};

const DAY_MS: i64 = 86_400_000;

fn id(low: u64) -> TraceId {
    TraceId::from_halves(0, low).unwrap()
}

async fn put(storage: &SqliteStorage, spans: SpanBatch) {
    storage.write(&[batch(spans)]).await.remove(0).unwrap();
}

/// Span ids of a trace.
async fn ids_of(storage: &SqliteStorage, low: u64) -> Vec<u64> {
    let traces = storage.traces(&[id(low)], &QueryBudget::unlimited()).await.unwrap();
    traces.iter().flat_map(SpanBatch::iter).map(|span| span.id.value()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_traces_outlive_retention_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let open =
        async || SqliteStorage::open(config(directory.path()), StorageOptions::default(), clock.clone()).await.unwrap();
    let storage = open().await;
    put(&storage, span(1, 1, "kept", NOW_MS * 1000)).await;
    put(&storage, span(2, 1, "gone", NOW_MS * 1000)).await;
    storage.pin(id(1)).await.unwrap();
    put(&storage, span(1, 2, "late", NOW_MS * 1000)).await;
    clock.advance_ms(9 * DAY_MS);
    for _ in 0..3 {
        storage.maintain().await.unwrap();
        clock.advance_ms(DAY_MS);
    }
    // What came after the trace was pinned went with the others.
    assert_eq!((ids_of(&storage, 1).await, ids_of(&storage, 2).await), (vec![1], vec![]));
    storage.close().await;
    drop(storage);

    let storage = open().await;
    assert_eq!(ids_of(&storage, 1).await, [1]);
    let pinned = storage.pinned().await.unwrap();
    assert_eq!(pinned.iter().map(|pinned| (pinned.trace_id, pinned.spans)).collect::<Vec<_>>(), [(id(1), 1)]);
    let again = clock_us(&clock);
    put(&storage, span(1, 1, "kept", NOW_MS * 1000)).await;
    put(&storage, span(1, 3, "later", again)).await;
    assert_eq!(ids_of(&storage, 1).await, [1, 3]);
    assert!(storage.unpin(id(1)).await.unwrap());
    storage.close().await;
    drop(storage);
    assert!(open().await.pinned().await.unwrap().is_empty());
}

fn clock_us(clock: &HandClock) -> i64 {
    use crate::telemetry::Clock;
    clock.now_ms() * 1000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_traces_take_a_hundredth_of_the_size_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let limited = SqliteConfig { retention_max_bytes: Some(20_000), ..config(directory.path()) };
    let storage = SqliteStorage::open(limited, StorageOptions::default(), HandClock::new()).await.unwrap();
    put(&storage, span(1, 1, "a", NOW_MS * 1000)).await;
    put(&storage, span(2, 1, &"long".repeat(60), NOW_MS * 1000)).await;
    storage.pin(id(1)).await.unwrap();
    assert_eq!(storage.pin(id(2)).await.unwrap_err().kind, ErrorKind::Full);
    assert_eq!(storage.pinned().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_copy_is_told_and_what_is_stored_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let storage = super::support::open(directory.path()).await;
    put(&storage, span(1, 1, "a", NOW_MS * 1000)).await;
    storage.pin(id(1)).await.unwrap();
    {
        let mut writer = storage.store.writer.lock().await;
        let connection = writer.as_mut().unwrap().connection();
        sqlx::query("UPDATE pinned SET records = x'0102030405060708'").execute(connection).await.unwrap();
    }
    assert_eq!(ids_of(&storage, 1).await, [1]);
    assert_eq!(storage.store.reader.damage.count(), 1);
}
