//! A crash at any step of sealing, merging, removing and giving space back: the files as they are then, opened again, answer as if
//! nothing had been under way.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::AtStep;
use super::differential::{Era, Pair, random_request, random_spans};
use super::recovery::copy;
use super::support::{HandClock, NOW_MS, Random, batch, config};
use crate::model::{SpanBatch, SpanBuilder, SpanId, TraceId};
use crate::storage::sqlite::seal::row_at;
use crate::storage::{
    ErrorKind, MemoryConfig, MemoryStorage, QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteInspector,
    SqliteStorage, StorageBackend, StorageOptions,
};

const TRACES: u64 = 60;
const WRITES: usize = 40;

pub(super) fn options() -> StorageOptions {
    StorageOptions { autocomplete_keys: vec!["env".to_owned()], ..StorageOptions::default() }
}

/// Files as a crash at a step leaves them.
struct Crashed {
    step: &'static str,
    directory: tempfile::TempDir,
}

pub(super) async fn memory_of(writes: &[SpanBatch]) -> MemoryStorage {
    let memory = MemoryStorage::new(MemoryConfig::default(), options());
    for spans in writes {
        memory.write(&[batch(spans.clone())]).await.remove(0).unwrap();
    }
    memory
}

/// Every kind of answer is that of the memory store: nothing is missing, nothing doubled, views equal a recount.
async fn assert_same(crashed: Crashed, writes: &[SpanBatch], random: &mut Random) {
    let Crashed { step, directory } = crashed;
    let sqlite = SqliteStorage::open(by_hand(directory.path()), options(), HandClock::new()).await;
    let sqlite = sqlite.unwrap_or_else(|error| panic!("after {step:?}: {error}"));
    let pair = Pair { sqlite, memory: memory_of(writes).await, era: Era::FIRST, _directory: directory };
    for _ in 0..8 {
        pair.compare_search(&random_request(random, TRACES)).await;
    }
    pair.compare_traces(random, TRACES).await;
    pair.compare_dependencies(random, TRACES).await;
    pair.compare_red(random, TRACES).await;
    pair.compare_lists().await;
    let left_over = "SELECT (SELECT count(*) FROM chunk WHERE id / 65536 NOT IN (SELECT id FROM block)) \
        + (SELECT count(*) FROM view WHERE id / 256 NOT IN (SELECT id FROM block))";
    let left_over: i64 = sqlx::query_scalar(left_over).fetch_one(&pair.sqlite.store.reader.pool).await.unwrap();
    assert_eq!((left_over, pair.sqlite.metrics().damaged.get()), (0, 0), "after {step:?}");
    pair.sqlite.close().await;
}

/// Sealed and merged only when the test says so.
pub(super) fn by_hand(directory: &Path) -> SqliteConfig {
    SqliteConfig { retention_max_age: None, recent_spans_max: 4_000, ..config(directory) }
}

/// From now on: the files as they are at each step.
fn crashes_of(storage: &SqliteStorage, directory: &Path) -> Arc<Mutex<Vec<Crashed>>> {
    let crashes: Arc<Mutex<Vec<Crashed>>> = Arc::default();
    let (from, seen) = (directory.to_owned(), Arc::clone(&crashes));
    let at_step = move |step| {
        let crashed = Crashed { step, directory: tempfile::tempdir().unwrap() };
        copy(&from, crashed.directory.path());
        seen.lock().push(crashed);
    };
    *storage.store.at_step.lock() = Some(AtStep(Box::new(at_step)));
    crashes
}

#[tokio::test]
async fn a_crash_at_any_step_of_housekeeping_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open(by_hand(directory.path()), options(), HandClock::new()).await.unwrap();
    let crashes = crashes_of(&storage, directory.path());
    let mut random = Random::new(11);
    let (mut writes, mut steps): (Vec<SpanBatch>, std::collections::BTreeSet<&str>) = Default::default();
    for number in 0..WRITES {
        let count = 1 + random.below(25);
        let spans = random_spans(&mut random, count, TRACES);
        storage.write(&[batch(spans.clone())]).await.remove(0).unwrap();
        writes.push(spans);
        if number % 3 == 2 {
            let rows = storage.store.live.rows();
            let spans: usize = rows.iter().map(|row| row.spans).sum();
            storage.store.seal(row_at(&rows, spans * 2 / 3).unwrap()).await.unwrap();
        }
        if number % 10 == 9 {
            storage.store.merge_once().await.unwrap();
            storage.store.live.forget_hidden();
            storage.store.collect_garbage(Instant::now() + Duration::from_secs(60)).await.unwrap();
        }
        let crashed = std::mem::take(&mut *crashes.lock());
        for crashed in crashed {
            steps.insert(crashed.step);
            assert_same(crashed, &writes, &mut random).await;
        }
    }
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), ["blocks changed", "chunks stored", "some of a block removed"]);
    storage.close().await;
}

#[tokio::test]
async fn sealing_into_a_full_file_changes_no_answer_and_is_done_later() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStorage::open(by_hand(directory.path()), options(), HandClock::new()).await.unwrap();
    let mut random = Random::new(12);
    let mut writes = Vec::new();
    for _ in 0..30 {
        let spans = random_spans(&mut random, 40, TRACES);
        sqlite.write(&[batch(spans.clone())]).await.remove(0).unwrap();
        writes.push(spans);
    }
    let pair = Pair { sqlite, memory: memory_of(&writes).await, era: Era::FIRST, _directory: directory };
    let store = &pair.sqlite.store;
    let limit = async |pages: &'static str| {
        let mut writer = store.writer.lock().await;
        sqlx::raw_sql(pages).execute(writer.as_mut().unwrap().connection()).await.unwrap();
    };
    let sealed_to = store.live.rows().back().unwrap().id;
    limit("PRAGMA max_page_count = 1").await;
    assert_eq!(store.seal(sealed_to).await.unwrap_err().kind, ErrorKind::Full);
    assert_eq!((store.live.rows().len(), store.live.blocks().len()), (30, 0));
    let _ = pair.compare_all(&mut random, TRACES).await;
    limit("PRAGMA max_page_count = 4294967294").await;
    store.seal(sealed_to).await.unwrap();
    assert_eq!((store.live.rows().len(), store.live.blocks().len()), (0, 1));
    let _ = pair.compare_all(&mut random, TRACES).await;
    pair.sqlite.close().await;
}

const DAY_MS: i64 = 86_400_000;
const OLD: u64 = 1_000;
const NEW: u64 = 2_000;
/// Traces of each age, and spans of each: enough that removing them leaves pages to give back.
const PER_AGE: u64 = 16;
const PER_TRACE: u64 = 40;

/// A trace whose spans do not compress.
pub(super) fn bulky(low: u64, timestamp_ms: i64, random: &mut Random) -> SpanBatch {
    let mut spans = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for id in 1..=PER_TRACE {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, low).unwrap());
        builder.set_id(SpanId::new(id));
        builder.set_timestamp_us(timestamp_ms * 1000);
        builder.local_endpoint.set_service_name("bulky");
        let noise: String = (0..1_024).map(|_| char::from(33 + random.below(94) as u8)).collect();
        builder.add_tag("payload", &noise);
        builder.finish(&mut spans).unwrap();
    }
    spans
}

/// All that is to be kept is there, nothing of what is to go, and the file is whole.
async fn assert_only_new(crashed: Crashed, config: &SqliteConfig, clock: Arc<HandClock>) {
    let Crashed { step, directory } = crashed;
    let config = SqliteConfig { path: directory.path().join("zipkind.db"), ..config.clone() };
    let storage = SqliteStorage::open(config.clone(), options(), clock).await;
    let storage = storage.unwrap_or_else(|error| panic!("after {step:?}: {error}"));
    let ids =
        |first: u64| (first..first + PER_AGE).map(|low| TraceId::from_halves(0, low).unwrap()).collect::<Vec<_>>();
    let budget = QueryBudget::unlimited();
    assert_eq!(storage.traces(&ids(OLD), &budget).await.unwrap(), [], "after {step:?}");
    let new = storage.traces(&ids(NEW), &budget).await.unwrap();
    assert_eq!(new.iter().map(SpanBatch::len).sum::<usize>(), (PER_TRACE * PER_AGE) as usize, "after {step:?}");
    storage.close().await;
    drop(storage);
    let problems = SqliteInspector::open(&config.path).await.unwrap().check().await.unwrap();
    assert_eq!(problems, [""; 0], "after {step:?}");
}

#[tokio::test]
async fn a_crash_at_any_step_of_retention_keeps_what_is_to_be_kept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { retention_max_bytes: Some(8 << 20), ..config(directory.path()) };
    let clock = HandClock::new();
    let storage = SqliteStorage::open(config.clone(), options(), clock.clone()).await.unwrap();
    let mut random = Random::new(3);
    let seal_all = async || {
        let sealed_to = storage.store.live.rows().back().unwrap().id;
        storage.store.seal(sealed_to).await.unwrap();
    };
    for low in OLD..OLD + PER_AGE {
        storage.write(&[batch(bulky(low, NOW_MS, &mut random))]).await.remove(0).unwrap();
    }
    seal_all().await;
    clock.advance_ms(8 * DAY_MS);
    for low in NEW..NEW + PER_AGE {
        storage.write(&[batch(bulky(low, NOW_MS + 8 * DAY_MS, &mut random))]).await.remove(0).unwrap();
    }
    seal_all().await;
    let crashes = crashes_of(&storage, directory.path());
    storage.maintain().await.unwrap();
    let crashed = std::mem::take(&mut *crashes.lock());
    let mut steps: Vec<&str> = crashed.iter().map(|crashed| crashed.step).collect();
    steps.dedup();
    assert_eq!(steps, ["blocks removed", "some of a block removed", "pages given back"]);
    for crashed in crashed {
        assert_only_new(crashed, &config, clock.clone()).await;
    }
    storage.close().await;
}
