//! A crash at any step of sealing, merging and removing: the files as they are then, opened again, answer as if nothing had
//! been under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::AtStep;
use super::differential::{Pair, random_request, random_spans};
use super::recovery::copy;
use super::support::{HandClock, Random, batch, config};
use crate::model::SpanBatch;
use crate::storage::sqlite::seal::row_at;
use crate::storage::{
    MemoryConfig, MemoryStorage, SpanConsumer, SqliteConfig, SqliteStorage, StorageBackend, StorageOptions,
};

const TRACES: u64 = 60;
const WRITES: usize = 40;

fn options() -> StorageOptions {
    StorageOptions { autocomplete_keys: vec!["env".to_owned()], ..StorageOptions::default() }
}

/// Files as a crash at a step leaves them.
struct Crashed {
    step: &'static str,
    directory: tempfile::TempDir,
}

async fn memory_of(writes: &[SpanBatch]) -> MemoryStorage {
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
    let pair = Pair { sqlite, memory: memory_of(writes).await, _directory: directory };
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
fn by_hand(directory: &std::path::Path) -> SqliteConfig {
    SqliteConfig { retention_max_age: None, recent_spans_max: 4_000, ..config(directory) }
}

#[tokio::test]
async fn a_crash_at_any_step_of_housekeeping_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open(by_hand(directory.path()), options(), HandClock::new()).await.unwrap();
    let crashes: Arc<Mutex<Vec<Crashed>>> = Arc::default();
    let (from, seen) = (directory.path().to_owned(), Arc::clone(&crashes));
    let at_step = move |step| {
        let crashed = Crashed { step, directory: tempfile::tempdir().unwrap() };
        copy(&from, crashed.directory.path());
        seen.lock().push(crashed);
    };
    *storage.store.at_step.lock() = Some(AtStep(Box::new(at_step)));
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
