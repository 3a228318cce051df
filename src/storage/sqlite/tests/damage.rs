//! Flipped bits and lost tails anywhere in the file: told, never a wrong answer, the rest is read.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use sqlx::Connection;

use super::differential::random_spans;
use super::support::{HandClock, NOW_MS, Random, batch, config, sealing_often};
use crate::model::{QueryRequest, SpanBatch, TraceId};
use crate::storage::sqlite::SqliteInspector;
use crate::storage::{ErrorKind, QueryBudget, SpanConsumer, SpanStore, SqliteStorage, StorageBackend, StorageOptions};

const TRACES: u64 = 40;
const PLACES: u64 = 40;
/// Most of a small file is free pages and slack; so many must have hit something.
const TOLD_MIN: usize = 3;

fn ids() -> Vec<TraceId> {
    (0..TRACES).map(|low| TraceId::from_halves(0, low + u64::MAX / 2).unwrap()).collect()
}

fn lenient() -> StorageOptions {
    StorageOptions { strict_trace_id: false, ..StorageOptions::default() }
}

/// A closed file with several blocks, and what each trace is.
async fn file(directory: &Path) -> HashMap<TraceId, SpanBatch> {
    let storage = SqliteStorage::open(sealing_often(directory), lenient(), HandClock::new()).await.unwrap();
    let mut random = Random::new(5);
    for _ in 0..40 {
        storage.write(&[batch(random_spans(&mut random, 12, TRACES))]).await.remove(0).unwrap();
        storage.maintain().await.unwrap();
    }
    let budget = QueryBudget::unlimited();
    let mut traces = HashMap::new();
    for id in ids() {
        let found = storage.traces(&[id], &budget).await.unwrap();
        traces.extend(found.into_iter().map(|spans| (id, spans)));
    }
    assert!(storage.store.live.blocks().len() > 1);
    storage.close().await;
    traces
}

/// Opens what is left and asks for everything; how much was told to be damaged.
async fn read_all(directory: &Path, whole: &HashMap<TraceId, SpanBatch>, about: &str) -> usize {
    let storage = match SqliteStorage::open(config(directory), lenient(), HandClock::new()).await {
        Ok(storage) => storage,
        Err(error) => {
            assert!(matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Rejected), "{about}: {error}");
            return 1;
        }
    };
    let budget = QueryBudget::unlimited();
    let (mut right, mut told) = (0, 0);
    for id in ids() {
        match storage.traces(&[id], &budget).await {
            Ok(found) => right += usize::from(found.first() == whole.get(&id)),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Corrupt, "{about}: {error}");
                told += 1;
            }
        }
    }
    let all = QueryRequest::window(NOW_MS * 2, NOW_MS * 2, 1_000);
    let searched = storage.search(&all, &budget).await;
    assert!(searched.is_ok_and(|found| found.iter().all(|spans| !spans.is_empty())), "{about}: the rest is found");
    told += storage.store.reader.damage.count();
    assert!(right == ids().len() || told > 0, "{about}: {right} traces are right and nothing was told");
    storage.close().await;
    told
}

#[tokio::test]
async fn flipped_bits_are_told_and_never_give_wrong_spans() {
    let directory = tempfile::tempdir().unwrap();
    let whole = file(directory.path()).await;
    let bytes = fs::read(config(directory.path()).path).unwrap();
    let mut random = Random::new(9);
    let mut told = 0;
    for _ in 0..PLACES {
        let place = 100 + random.below(bytes.len() as u64 - 100) as usize;
        let damaged = tempfile::tempdir().unwrap();
        let mut changed = bytes.clone();
        changed[place] ^= 1 << random.below(8);
        fs::write(config(damaged.path()).path, changed).unwrap();
        told += usize::from(read_all(damaged.path(), &whole, &format!("bit at {place}")).await > 0);
    }
    assert!(told >= TOLD_MIN, "only {told} of {PLACES} were told");
}

#[tokio::test]
async fn a_check_finds_what_was_changed_and_nothing_in_a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let whole = file(directory.path()).await;
    let path = config(directory.path()).path;
    let storage = SqliteStorage::open(config(directory.path()), lenient(), HandClock::new()).await.unwrap();
    // Beside the server that has it open.
    let inspector = SqliteInspector::open(&path).await.unwrap();
    assert_eq!(inspector.check().await.unwrap(), [""; 0]);
    let figures = inspector.figures().await.unwrap();
    assert!(figures["blocks"] > 1 && figures["block_spans"] > 0 && figures["damaged"] == 0, "{figures:?}");
    let mut exported = 0;
    inspector.export(|spans| exported += spans.len()).await.unwrap();
    assert!(exported >= whole.values().map(SpanBatch::len).sum());
    let copy = directory.path().join("copy.db");
    SqliteInspector::backup(&path, &copy).await.unwrap();
    assert!(SqliteInspector::backup(&path, &copy).await.is_err(), "a file that exists is not replaced");
    assert_eq!(SqliteInspector::open(&copy).await.unwrap().figures().await.unwrap()["blocks"], figures["blocks"]);
    storage.close().await;

    let mut connection = sqlx::SqliteConnection::connect(copy.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(
        "UPDATE view SET value = (SELECT value FROM view WHERE id % 256 = 4 ORDER BY id LIMIT 1) WHERE id % 256 = 4",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let problems = SqliteInspector::open(&copy).await.unwrap().check().await.unwrap();
    assert!(problems.iter().any(|problem| problem.contains("view 4 is not what its spans give")), "{problems:?}");
}
