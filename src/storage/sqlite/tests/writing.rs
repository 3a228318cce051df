//! Transactions: positions, refusals, limits.

use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::support::{HandClock, NOW_MS, batch, config, open, span};
use crate::model::red::{RED_SERIES_MAX, RedRequest};
use crate::model::{SpanBatch, TraceId};
use crate::storage::{
    Batch, ErrorKind, MemoryConfig, MemoryStorage, QueryBudget, SourcePosition, SpanConsumer, SpanStore, SqliteStorage,
    StorageBackend, StorageOptions,
};

fn position(from: i64, next: i64) -> SourcePosition {
    SourcePosition {
        group: "zipkin".into(),
        topic: "zipkin".into(),
        partition: 3,
        from,
        next,
        last_message_ms: 7,
        last_message_checksum: u64::MAX,
    }
}

async fn count(storage: &SqliteStorage, low: u64) -> usize {
    let id = TraceId::from_halves(0, low).unwrap();
    storage.traces(&[id], &QueryBudget::unlimited()).await.unwrap().iter().map(SpanBatch::len).sum()
}

#[tokio::test]
async fn a_position_that_is_behind_refuses_its_batch_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let at = |low, from, next| Batch { spans: span(low, 1, "a", 1), position: Some(position(from, next)) };
    let results = storage.write(&[at(1, 0, 10), batch(span(2, 1, "a", 1)), at(3, 5, 12), at(4, 10, 20)]).await;
    let kinds: Vec<_> = results.iter().map(|result| result.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [None, None, Some(ErrorKind::StalePosition), None]);
    for (low, spans) in [(1, 1), (2, 1), (3, 0), (4, 1)] {
        assert_eq!(count(&storage, low).await, spans, "trace {low}");
    }
    let stored = storage.source_position("zipkin", "zipkin", 3).await.unwrap().unwrap();
    assert_eq!((stored.next, stored.last_message_checksum), (20, u64::MAX));

    let only_position = Batch { spans: SpanBatch::new(), position: Some(position(20, 30)) };
    storage.write(&[only_position]).await.remove(0).unwrap();
    storage.close().await;
    drop(storage);
    let storage = open(directory.path()).await;
    assert_eq!(storage.source_position("zipkin", "zipkin", 3).await.unwrap().unwrap().next, 30);
}

#[tokio::test]
async fn a_batch_the_engine_refuses_leaves_its_neighbours_stored() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let mut other = SqliteConnectOptions::new().filename(config(directory.path()).path).connect().await.unwrap();
    sqlx::raw_sql(
        "CREATE TRIGGER no_thirteen BEFORE INSERT ON recent WHEN instr(new.spans, x'0d00000000000000') \
         BEGIN SELECT RAISE(ABORT, 'unlucky'); END",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let batches: Vec<Batch> = [1, 13, 2].map(|low| batch(span(low, 1, "a", 1))).into();
    let results = storage.write(&batches).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1].as_ref().unwrap_err().kind, ErrorKind::Rejected);
    for (low, spans) in [(1, 1), (13, 0), (2, 1)] {
        assert_eq!(count(&storage, low).await, spans, "trace {low}");
    }
}

#[tokio::test]
async fn a_store_that_another_writer_blocks_says_unavailable_and_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    {
        // Only the writer is impatient: a reader that waits for its turn on a busy machine is not what this is about.
        let mut writer = storage.store.writer.lock().await;
        sqlx::raw_sql("PRAGMA busy_timeout = 1").execute(writer.as_mut().unwrap().connection()).await.unwrap();
    }
    let mut other = SqliteConnectOptions::new().filename(config(directory.path()).path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = storage.write(&[batch(span(1, 1, "a", 1))]).await.remove(0).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(storage.check().await.unwrap_err().kind, ErrorKind::Unavailable);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    tokio::time::resume();
    storage.check().await.unwrap();
    storage.write(&[batch(span(1, 1, "a", 1))]).await.remove(0).unwrap();
    assert_eq!(count(&storage, 1).await, 1);
    assert_eq!(storage.service_names().await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_full_database_says_so_and_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let limit = async |pages: &'static str| {
        let mut writer = storage.store.writer.lock().await;
        sqlx::raw_sql(pages).execute(writer.as_mut().unwrap().connection()).await.unwrap();
    };
    limit("PRAGMA max_page_count = 1").await;
    let mut refused = Vec::new();
    for low in 1..=500 {
        let many: SpanBatch = (1..=20).fold(SpanBatch::new(), |mut spans, id| {
            spans.append(&span(low, id, "a", 1_000_000));
            spans
        });
        if let Err(error) = storage.write(&[batch(many)]).await.remove(0) {
            assert_eq!(error.kind, ErrorKind::Full, "{error}");
            refused.push(low);
        }
    }
    assert!(!refused.is_empty() && refused.len() < 500);
    assert_eq!(storage.check().await.unwrap_err().kind, ErrorKind::Full);
    limit("PRAGMA max_page_count = 4294967294").await;
    for low in 1..=500 {
        assert_eq!(count(&storage, low).await, if refused.contains(&low) { 0 } else { 20 });
    }
    storage.write(&[batch(span(refused[0], 1, "b", 1_000_000))]).await.remove(0).unwrap();
    storage.check().await.unwrap();
    assert_eq!(count(&storage, refused[0]).await, 1);
    assert_eq!(storage.service_names().await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn services_beyond_the_limit_are_found_but_not_listed() {
    let directory = tempfile::tempdir().unwrap();
    let options = StorageOptions { service_names_max: 2, ..StorageOptions::default() };
    let storage = SqliteStorage::open(config(directory.path()), options, HandClock::new()).await.unwrap();
    for (index, service) in ["a", "b", "c"].into_iter().enumerate() {
        storage.write(&[batch(span(index as u64 + 1, 1, service, 5_000))]).await.remove(0).unwrap();
    }
    assert_eq!(storage.service_names().await.unwrap(), ["a", "b"]);
    assert!(storage.span_names("c").await.unwrap().is_empty());
    let request = crate::model::QueryRequest {
        service_name: Some("c".into()),
        remote_service_name: None,
        span_name: None,
        annotation_query: Vec::new(),
        min_duration_us: None,
        max_duration_us: None,
        end_ts_ms: 10,
        lookback_ms: 10,
        limit: 10,
    };
    assert_eq!(storage.search(&request, &QueryBudget::unlimited()).await.unwrap().len(), 1);
    assert_eq!(storage.metrics().names_left_out.get(), 0);
    storage.maintain().await.unwrap();
    let counted = storage.metrics().names_left_out.get();
    assert!(counted > 0);
    storage.maintain().await.unwrap();
    assert_eq!(storage.metrics().names_left_out.get(), counted, "nothing is counted again");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_side_by_side_are_all_stored() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(open(directory.path()).await);
    let tasks: Vec<_> = (1..=40_u64)
        .map(|low| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.write(&[batch(span(low, 1, "a", 1))]).await.remove(0).unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for low in 1..=40 {
        assert_eq!(count(&storage, low).await, 1);
    }
}

#[tokio::test]
async fn after_a_checkpoint_the_log_starts_anew() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let log_bytes = || std::fs::metadata(directory.path().join("zipkind.db-wal")).unwrap().len();
    for low in 1..=20 {
        storage.write(&[batch(span(low, 1, "a", 1))]).await.remove(0).unwrap();
    }
    let bytes = log_bytes();
    storage.write(&[batch(span(21, 1, "a", 1))]).await.remove(0).unwrap();
    assert!(log_bytes() > bytes);
    storage.store.checkpoint_rest().await.unwrap();
    let bytes = log_bytes();
    for low in 22..=40 {
        storage.write(&[batch(span(low, 1, "a", 1))]).await.remove(0).unwrap();
    }
    assert_eq!(log_bytes(), bytes);
    assert!(storage.store.checkpoints.try_begin().is_none(), "not due");
    assert_eq!(count(&storage, 40).await, 1);
}

#[tokio::test]
async fn what_is_kept_for_readers_does_not_make_sealing_due_again() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    for low in 1..=200 {
        storage.write(&[batch(span(low, 1, &"long".repeat(100), 1_000_000))]).await.remove(0).unwrap();
    }
    let store = &storage.store;
    let before = store.live.held();
    assert_eq!((before.0, before.1), (200, store.live.memory_bytes()));
    let reader = store.live.view();
    store.seal(store.live.rows().back().unwrap().id).await.unwrap();
    assert_eq!(store.live.held(), (0, 0));
    assert!(store.live.memory_bytes() >= before.1, "the reader looks at it");
    storage.write(&[batch(span(201, 1, "a", 1_000_000))]).await.remove(0).unwrap();
    assert!(store.live.held().1 < before.1 / 10);
    drop(reader);
    store.live.forget_hidden();
    assert_eq!((store.live.held().0, count(&storage, 7).await, count(&storage, 201).await), (1, 1, 1));
}

#[tokio::test]
async fn traces_that_were_sealed_before_anybody_asked_are_in_one_place() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let store = &storage.store;
    for low in 1..=200 {
        storage.write(&[batch(span(low, 1, "a", 1_000_000))]).await.remove(0).unwrap();
    }
    store.seal(store.live.rows().back().unwrap().id).await.unwrap();
    assert_eq!(store.live.view().split.len(), 0);
    storage.write(&[batch(span(7, 2, "a", 1_000_000))]).await.remove(0).unwrap();
    assert_eq!(store.live.view().split.iter().copied().collect::<Vec<_>>(), [7]);
    assert_eq!(count(&storage, 7).await, 2);
}

#[tokio::test]
async fn what_traces_in_memory_count_for_is_kept_until_they_change_or_are_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let store = &storage.store;
    let memory = MemoryStorage::new(MemoryConfig::default(), StorageOptions::default());
    let put = async |spans: SpanBatch| {
        for consumer in [&storage as &dyn SpanConsumer, &memory] {
            consumer.write(&[batch(spans.clone())]).await.remove(0).unwrap();
        }
    };
    let minute = NOW_MS / 60_000;
    let request = RedRequest {
        service_name: None,
        span_name: None,
        remote_service_name: None,
        start_minute: minute,
        end_minute: minute + 10,
        step_minutes: 1,
        series_max: RED_SERIES_MAX,
    };
    let assert_same = async || {
        let budget = QueryBudget::unlimited();
        let answer = storage.red(&request, &budget).await.unwrap();
        assert_eq!(answer, memory.red(&request, &budget).await.unwrap());
    };
    put(span(1, 1, "a", NOW_MS * 1000)).await;
    assert_same().await;
    let kept = store.live.red.bytes_kept();
    assert!(kept > 0);
    assert_same().await;
    put(span(1, 2, "a", NOW_MS * 1000)).await;
    put(span(2, 1, "a", (NOW_MS + 100_000) * 1000)).await;
    assert_same().await;
    assert!(store.live.red.bytes_kept() > kept, "two stretches of time");
    store.seal(store.live.rows().back().unwrap().id).await.unwrap();
    assert_same().await;
    put(span(2, 2, "a", (NOW_MS + 100_000) * 1000)).await;
    assert_same().await;
}
