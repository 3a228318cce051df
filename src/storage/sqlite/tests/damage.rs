//! Flipped bits and lost tails anywhere in the file: told, never a wrong answer, the rest is read.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use sqlx::Connection;

use super::differential::random_spans;
use super::support::{HandClock, NOW_MS, Random, batch, config, sealing_often};
use crate::model::red::{RED_SERIES_MAX, RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};
use crate::storage::sqlite::SqliteInspector;
use crate::storage::{
    ErrorKind, QueryBudget, ScanRequest, SpanConsumer, SpanStore, SqliteStorage, StorageBackend, StorageOptions,
};

const TRACES: u64 = 40;
const PAGE: usize = 4_096;
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
async fn a_flipped_bit_in_any_page_is_told_and_never_gives_wrong_spans() {
    let directory = tempfile::tempdir().unwrap();
    let whole = file(directory.path()).await;
    let bytes = fs::read(config(directory.path()).path).unwrap();
    let mut random = Random::new(9);
    let mut told = 0;
    let pages = bytes.len() / PAGE;
    for page in 0..pages {
        // The engine does not look at all of its own head (100 bytes of the first page).
        let place = page * PAGE + 100 + random.below(PAGE as u64 - 100) as usize;
        let damaged = tempfile::tempdir().unwrap();
        let mut changed = bytes.clone();
        changed[place] ^= 1 << random.below(8);
        fs::write(config(damaged.path()).path, changed).unwrap();
        told += usize::from(read_all(damaged.path(), &whole, &format!("bit at {place}")).await > 0);
    }
    assert!(told >= TOLD_MIN, "only {told} of {pages} were told");
}

#[tokio::test]
async fn a_file_cut_anywhere_is_told_and_never_replaced_by_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let whole = file(directory.path()).await;
    let bytes = fs::read(config(directory.path()).path).unwrap();
    let mut random = Random::new(10);
    let ends = [0, 1, 100, 512, PAGE - 1, PAGE, PAGE + 1, bytes.len() - PAGE, bytes.len() - 1];
    let anywhere: Vec<usize> = (0..20).map(|_| random.below(bytes.len() as u64) as usize).collect();
    for end in ends.into_iter().chain(anywhere) {
        let damaged = tempfile::tempdir().unwrap();
        for name in fs::read_dir(directory.path()).unwrap() {
            let name = name.unwrap().file_name();
            fs::copy(directory.path().join(&name), damaged.path().join(&name)).unwrap();
        }
        fs::write(config(damaged.path()).path, &bytes[..end]).unwrap();
        let about = format!("cut at {end} of {}", bytes.len());
        assert!(read_all(damaged.path(), &whole, &about).await > 0, "{about} was not told");
        assert_eq!(fs::read(config(damaged.path()).path).unwrap().len().min(end), end, "{about}: not made smaller");
    }
}

/// Everything that is derived, as it is told.
async fn derived(storage: &SqliteStorage) -> (Vec<String>, Vec<SpanBatch>, Vec<DependencyLink>, RedAnswer) {
    let budget = QueryBudget::unlimited();
    let minute = NOW_MS / 60_000;
    let red = RedRequest {
        service_name: None,
        span_name: None,
        remote_service_name: None,
        start_minute: minute - 10,
        end_minute: minute + 10,
        step_minutes: 1,
        series_max: RED_SERIES_MAX,
    };
    let mut tagged = QueryRequest::window(NOW_MS * 2, NOW_MS * 2, 1_000);
    tagged.annotation_query = vec![("env".to_owned(), "a".to_owned())];
    let mut names = storage.service_names().await.unwrap();
    for service in names.clone() {
        names.extend(storage.span_names(&service).await.unwrap());
    }
    (
        names,
        storage.search(&tagged, &budget).await.unwrap(),
        storage.dependencies(NOW_MS * 2, NOW_MS * 2, &budget).await.unwrap(),
        storage.red(&red, &budget).await.unwrap(),
    )
}

#[tokio::test]
async fn a_damaged_view_changes_no_answer_and_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path()).await;
    let path = config(directory.path()).path;
    let open = async || SqliteStorage::open(config(directory.path()), lenient(), HandClock::new()).await.unwrap();
    let storage = open().await;
    // The newest block then is all there is of its traces, so that every one of its views is read.
    if let Some(row) = storage.store.live.rows().back() {
        storage.store.seal(row.id).await.unwrap();
    }
    let whole = derived(&storage).await;
    storage.close().await;
    drop(storage);
    for kind in 1..=4_i64 {
        for damage in [
            "UPDATE view SET value = substr(value, 1, length(value) - 1) WHERE id % 256 = ?1",
            "DELETE FROM view WHERE id % 256 = ?1",
        ] {
            let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            sqlx::query(damage).bind(kind).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            let storage = open().await;
            assert_eq!(derived(&storage).await, whole, "view {kind}: {damage}");
            assert!(storage.metrics().damaged.get() > 0, "view {kind}: {damage}");
            storage.maintain().await.unwrap();
            assert_eq!(derived(&storage).await, whole, "view {kind}: {damage}");
            assert_eq!(storage.store.reader.damage.count(), 0, "what was mended is not told any more");
            storage.close().await;
            drop(storage);
            assert_eq!(SqliteInspector::open(&path).await.unwrap().check().await.unwrap(), [""; 0], "view {kind}");
        }
    }
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
    let all = ScanRequest { after: None, window_ms: None, spans_max: usize::MAX };
    let scanned = inspector.scan(&all).await.unwrap();
    assert_eq!((scanned.spans(), scanned.damaged), (whole.values().map(SpanBatch::len).sum(), 0));
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
