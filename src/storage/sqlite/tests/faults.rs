//! The engine refuses a statement, or has no room, in the middle of housekeeping: no answer changes, and the same is done later.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::differential::{Era, Pair, random_spans};
use super::steps::{bulky, by_hand, memory_of, options};
use super::support::{HandClock, NOW_MS, Random, batch, config, span};
use crate::model::{SpanBatch, TraceId};
use crate::storage::sqlite::seal::row_at;
use crate::storage::{
    ErrorKind, QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteStorage, StorageBackend, StorageOptions,
};

const TRACES: u64 = 60;
const DAY_MS: i64 = 86_400_000;

/// Has the writer do something.
async fn tell(storage: &SqliteStorage, sql: &str) {
    let mut writer = storage.store.writer.lock().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(writer.as_mut().unwrap().connection()).await.unwrap();
}

/// From now on this fails for every row: `DELETE ON block`.
async fn refuse(storage: &SqliteStorage, what: &str) {
    tell(storage, &format!("CREATE TEMP TRIGGER refuse BEFORE {what} BEGIN SELECT RAISE(ABORT, 'refused'); END")).await;
}

async fn allow(storage: &SqliteStorage) {
    tell(storage, "DROP TRIGGER refuse").await;
}

async fn is_there(storage: &SqliteStorage, low: u64) -> bool {
    let id = TraceId::from_halves(0, low).unwrap();
    !storage.traces(&[id], &QueryBudget::unlimited()).await.unwrap().is_empty()
}

/// A store with several blocks, traces that went from one to another, and rows that are in none; and its like in memory.
async fn pair(random: &mut Random, writes: &mut Vec<SpanBatch>) -> Pair {
    pair_of(|_, _| SpanBatch::new(), random, writes).await
}

/// The same with more in each write.
async fn pair_of(more: fn(u64, &mut Random) -> SpanBatch, random: &mut Random, writes: &mut Vec<SpanBatch>) -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStorage::open(by_hand(directory.path()), options(), HandClock::new()).await.unwrap();
    for number in 0..24 {
        let count = 1 + random.below(25);
        let mut spans = random_spans(random, count, TRACES);
        spans.append(&more(number, random));
        sqlite.write(&[batch(spans.clone())]).await.remove(0).unwrap();
        writes.push(spans);
        if number % 4 == 3 {
            seal_some(&sqlite).await.unwrap();
        }
    }
    Pair { sqlite, memory: memory_of(writes).await, era: Era::FIRST, _directory: directory }
}

async fn seal_some(storage: &SqliteStorage) -> Result<(), crate::storage::StorageError> {
    let rows = storage.store.live.rows();
    let spans: usize = rows.iter().map(|row| row.spans).sum();
    let Some(sealed_to) = row_at(&rows, spans * 2 / 3) else { return Ok(()) };
    storage.store.seal(sealed_to).await
}

/// Everything that housekeeping does when there is something to do; the first failure.
async fn keep_house(storage: &SqliteStorage) -> Result<(), crate::storage::StorageError> {
    let store = &storage.store;
    let sealed = seal_some(storage).await;
    let merged = store.merge_once().await.map(|_| ());
    store.live.forget_hidden();
    let collected = store.collect_garbage(Instant::now() + Duration::from_secs(60)).await;
    [sealed, merged, collected, storage.maintain().await].into_iter().collect()
}

#[tokio::test]
async fn what_the_engine_refuses_while_sealing_and_merging_changes_no_answer_and_is_done_later() {
    for what in [
        "INSERT ON chunk",
        "INSERT ON \"view\"",
        "INSERT ON block",
        "INSERT ON taken",
        "DELETE ON recent",
        "DELETE ON block",
        "DELETE ON chunk",
        "DELETE ON \"view\"",
    ] {
        let (mut random, mut writes) = (Random::new(21), Vec::new());
        let pair = pair(&mut random, &mut writes).await;
        refuse(&pair.sqlite, what).await;
        for _ in 0..2 {
            assert!(keep_house(&pair.sqlite).await.is_err(), "{what} is done by it");
            let _ = pair.compare_all(&mut random, TRACES).await;
        }
        // Writers are not held back.
        let more = random_spans(&mut random, 20, TRACES);
        for storage in [&pair.sqlite as &dyn SpanConsumer, &pair.memory] {
            storage.write(&[batch(more.clone())]).await.remove(0).unwrap();
        }
        let _ = pair.compare_all(&mut random, TRACES).await;
        allow(&pair.sqlite).await;
        keep_house(&pair.sqlite).await.unwrap();
        let _ = pair.compare_all(&mut random, TRACES).await;
        assert_eq!(left_over(&pair.sqlite).await, 0, "{what}");
        reopened(pair, &mut random).await;
    }
}

/// Values that belong to no block.
async fn left_over(storage: &SqliteStorage) -> i64 {
    let left_over = "SELECT (SELECT count(*) FROM chunk WHERE id / 65536 NOT IN (SELECT id FROM block)) \
        + (SELECT count(*) FROM view WHERE id / 256 NOT IN (SELECT id FROM block))";
    sqlx::query_scalar(left_over).fetch_one(&storage.store.reader.pool).await.unwrap()
}

/// The same after a restart.
async fn reopened(pair: Pair, random: &mut Random) {
    let Pair { sqlite, memory, era, _directory } = pair;
    sqlite.close().await;
    drop(sqlite);
    let sqlite = SqliteStorage::open(by_hand(_directory.path()), options(), HandClock::new()).await.unwrap();
    let pair = Pair { sqlite, memory, era, _directory };
    let _ = pair.compare_all(random, TRACES).await;
    pair.sqlite.close().await;
}

#[tokio::test]
async fn merging_into_a_full_file_changes_no_answer_and_is_done_later() {
    let (mut random, mut writes) = (Random::new(22), Vec::new());
    let pair = pair_of(|low, random| bulky(low + 1, NOW_MS, random), &mut random, &mut writes).await;
    let store = &pair.sqlite.store;
    let ids = || store.live.blocks().iter().map(|known| known.block.id).collect::<Vec<_>>();
    let before = ids();
    tell(&pair.sqlite, "PRAGMA incremental_vacuum; PRAGMA max_page_count = 1").await;
    assert_eq!(store.merge_once().await.unwrap_err().kind, ErrorKind::Full);
    assert_eq!(ids(), before);
    let _ = pair.compare_all(&mut random, TRACES).await;
    tell(&pair.sqlite, "PRAGMA max_page_count = 4294967294").await;
    assert!(store.merge_once().await.unwrap());
    assert_ne!(ids(), before);
    let _ = pair.compare_all(&mut random, TRACES).await;
    reopened(pair, &mut random).await;
}

/// A store with an old block, a new one, and one whose views are damaged.
async fn old_new_and_damaged(config: &SqliteConfig, clock: &std::sync::Arc<HandClock>) -> SqliteStorage {
    let open = async || SqliteStorage::open(config.clone(), StorageOptions::default(), clock.clone()).await.unwrap();
    let storage = open().await;
    let seal = async |storage: &SqliteStorage| {
        storage.store.seal(storage.store.live.rows().back().unwrap().id).await.unwrap();
    };
    storage.write(&[batch(span(1, 1, "old", clock_us(clock)))]).await.remove(0).unwrap();
    seal(&storage).await;
    clock.advance_ms(8 * DAY_MS);
    for (low, service) in [(2, "damaged"), (3, "new")] {
        storage.write(&[batch(span(low, 1, service, clock_us(clock)))]).await.remove(0).unwrap();
        seal(&storage).await;
    }
    tell(&storage, "UPDATE view SET value = substr(value, 2) WHERE id / 256 = 2").await;
    storage.close().await;
    drop(storage);
    open().await
}

fn clock_us(clock: &HandClock) -> i64 {
    crate::telemetry::Clock::now_ms(clock) * 1000
}

#[tokio::test]
async fn views_that_cannot_be_made_anew_do_not_keep_old_spans_and_are_made_later() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let storage = old_new_and_damaged(&config, &HandClock::new()).await;
    let there = async || [is_there(&storage, 1).await, is_there(&storage, 2).await, is_there(&storage, 3).await];
    assert_eq!(there().await, [true; 3]);
    refuse(&storage, "INSERT ON \"view\"").await;
    for _ in 0..2 {
        assert!(storage.maintain().await.is_err(), "told");
        assert_eq!(there().await, [false, true, true]);
        assert_eq!(storage.service_names().await.unwrap(), ["damaged", "new"]);
        assert!(storage.store.reader.damage.count() > 0);
    }
    allow(&storage).await;
    storage.maintain().await.unwrap();
    assert_eq!((there().await, storage.store.reader.damage.count()), ([false, true, true], 0));
    storage.close().await;
}

#[tokio::test]
async fn old_spans_that_cannot_be_removed_go_later_and_keep_nothing_else_from_being_done() {
    for what in ["DELETE ON block", "DELETE ON chunk"] {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let storage = old_new_and_damaged(&config, &HandClock::new()).await;
        refuse(&storage, what).await;
        assert!(storage.maintain().await.is_err(), "told");
        assert_eq!(is_there(&storage, 1).await, what == "DELETE ON block");
        assert_eq!(storage.store.reader.damage.count(), 0, "the views were made anew all the same");
        allow(&storage).await;
        storage.maintain().await.unwrap();
        assert_eq!([is_there(&storage, 1).await, is_there(&storage, 3).await], [false, true]);
        assert_eq!(left_over(&storage).await, 0, "{what}");
        storage.close().await;
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_moved_stays_and_is_moved_later() {
    let (mut random, mut writes) = (Random::new(23), Vec::new());
    let pair = pair(&mut random, &mut writes).await;
    let foreign = pair._directory.path().join("foreign");
    std::fs::write(&foreign, [b'x'; 4096]).unwrap();
    let foreign: SqliteConnection = SqliteConnectOptions::new().filename(&foreign).connect().await.unwrap();
    let store = &pair.sqlite.store;
    let ours = store.checkpoints.connection.lock().await.replace(foreign);
    for _ in 0..2 {
        assert!(pair.sqlite.maintain().await.is_err(), "told");
        let _ = pair.compare_all(&mut random, TRACES).await;
    }
    let foreign = std::mem::replace(&mut *store.checkpoints.connection.lock().await, ours);
    drop(foreign);
    pair.sqlite.maintain().await.unwrap();
    assert_alone(&pair).await;
    let _ = pair.compare_all(&mut random, TRACES).await;
    reopened(pair, &mut random).await;
}

/// All that was written is in the database without its log.
async fn assert_alone(pair: &Pair) {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&pair.sqlite.store.config.path, copy.path().join("zipkind.db")).unwrap();
    let copied = SqliteStorage::open(by_hand(copy.path()), options(), HandClock::new()).await.unwrap();
    let all = crate::model::QueryRequest::window(i64::MAX / 4, i64::MAX / 4, 1_000_000);
    let budget = QueryBudget::unlimited();
    assert_eq!(copied.search(&all, &budget).await.unwrap(), pair.memory.search(&all, &budget).await.unwrap());
    copied.close().await;
}

#[tokio::test]
async fn housekeeping_moves_the_log_though_nothing_is_written() {
    let (mut random, mut writes) = (Random::new(24), Vec::new());
    let pair = pair(&mut random, &mut writes).await;
    pair.sqlite.maintain().await.unwrap();
    assert_alone(&pair).await;
    // And what a process left that was killed.
    let killed = tempfile::tempdir().unwrap();
    let more = random_spans(&mut random, 20, TRACES);
    for storage in [&pair.sqlite as &dyn SpanConsumer, &pair.memory] {
        storage.write(&[batch(more.clone())]).await.remove(0).unwrap();
    }
    super::recovery::copy(pair._directory.path(), killed.path());
    pair.sqlite.close().await;
    let sqlite = SqliteStorage::open(by_hand(killed.path()), options(), HandClock::new()).await.unwrap();
    let pair = Pair { sqlite, memory: pair.memory, era: pair.era, _directory: killed };
    pair.sqlite.maintain().await.unwrap();
    assert_alone(&pair).await;
    pair.sqlite.close().await;
}
