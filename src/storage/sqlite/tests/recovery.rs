//! What a crash leaves behind: copies of the files at any moment, logs with a torn end, damaged pages.

use std::fs;
use std::path::Path;

use super::support::{Random, batch, config, open, span};
use crate::model::{SpanBatch, TraceId};
use crate::storage::{Batch, QueryBudget, SpanConsumer, SpanStore, SqliteStorage, StorageBackend};

const SUFFIXES: [&str; 2] = ["", "-wal"];

/// What a machine that loses power has on its disk: database and log, nothing of the memory shared beside them.
pub(super) fn copy(from: &Path, to: &Path) {
    for suffix in SUFFIXES {
        let name = format!("zipkind.db{suffix}");
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

async fn ids_of(storage: &SqliteStorage, low: u64) -> Vec<u64> {
    let id = TraceId::from_halves(0, low).unwrap();
    let traces = storage.traces(&[id], &QueryBudget::unlimited()).await.unwrap();
    traces.iter().flat_map(SpanBatch::iter).map(|span| span.id.value()).collect()
}

/// A write of two traces and a new service, so that a half of it would show.
fn pair(n: u64) -> [Batch; 2] {
    let service = format!("svc{n}");
    [batch(span(2 * n, 1, &service, n as i64 * 1_000_000)), batch(span(2 * n + 1, 1, &service, n as i64 * 1_000_000))]
}

/// Opens a copy and looks that the first `acknowledged` pairs are there, and of all others both halves or none.
async fn assert_whole(directory: &Path, acknowledged: u64, begun: u64) {
    let storage = open(directory).await;
    let services = storage.service_names().await.unwrap();
    for n in 1..=begun {
        let halves = [ids_of(&storage, 2 * n).await.len(), ids_of(&storage, 2 * n + 1).await.len()];
        let is_listed = services.contains(&format!("svc{n}"));
        let expected = if n <= acknowledged { [1, 1] } else { [halves[0]; 2] };
        assert_eq!(halves, expected, "pair {n} of {acknowledged}");
        assert_eq!(is_listed, halves == [1, 1], "pair {n} of {acknowledged}");
    }
    // And it goes on from there.
    storage.write(&pair(1_000)).await.into_iter().for_each(|result| assert!(result.is_ok()));
    assert_eq!(ids_of(&storage, 2_001).await, [1]);
    storage.close().await;
}

#[tokio::test]
async fn a_copy_after_any_acknowledged_write_has_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let small_log = crate::storage::SqliteConfig { wal_checkpoint_bytes: 64 << 10, ..config(directory.path()) };
    let clock = super::support::HandClock::new();
    let storage = SqliteStorage::open(small_log, Default::default(), clock).await.unwrap();
    for n in 1..=40 {
        storage.write(&pair(n)).await.into_iter().for_each(|result| assert!(result.is_ok()));
        if n % 4 == 0 {
            let crashed = tempfile::tempdir().unwrap();
            copy(directory.path(), crashed.path());
            assert_whole(crashed.path(), n, n).await;
        }
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_after_the_last_synced_byte_has_every_acknowledged_write_and_no_half() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    let wal = directory.path().join("zipkind.db-wal");
    let mut synced = Vec::new();
    for n in 1..=12 {
        storage.write(&pair(n)).await.into_iter().for_each(|result| assert!(result.is_ok()));
        synced.push(fs::metadata(&wal).unwrap().len());
    }
    let mut random = Random::new(3);
    for _ in 0..24 {
        let crashed = tempfile::tempdir().unwrap();
        copy(directory.path(), crashed.path());
        let end = synced[3] + random.below(synced[11] - synced[3]);
        let acknowledged = synced.iter().filter(|bytes| **bytes <= end).count() as u64;
        let torn = fs::OpenOptions::new().write(true).open(crashed.path().join("zipkind.db-wal")).unwrap();
        torn.set_len(end).unwrap();
        drop(torn);
        assert_whole(crashed.path(), acknowledged, 12).await;
    }
}

/// The head of the log, and of each of its frames: page number, then what is of no interest here, then the page.
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
const PAGE: usize = 4_096;

/// Moves the first bytes of the log's pages into the database, as a checkpoint that ends there does.
fn checkpoint_in_part(directory: &Path, bytes: usize) {
    let path = directory.join("zipkind.db");
    let (log, mut database) = (fs::read(directory.join("zipkind.db-wal")).unwrap(), fs::read(&path).unwrap());
    let mut left = bytes;
    for frame in log[LOG_HEAD..].chunks_exact(FRAME_HEAD + PAGE) {
        let (head, page) = frame.split_at(FRAME_HEAD);
        let start = (u32::from_be_bytes(head[..4].try_into().unwrap()) as usize - 1) * PAGE;
        let moved = left.min(PAGE);
        database.resize(database.len().max(start + moved), 0);
        database[start..start + moved].copy_from_slice(&page[..moved]);
        left -= moved;
    }
    fs::write(path, database).unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_ended_anywhere_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    for n in 1..=12 {
        storage.write(&pair(n)).await.into_iter().for_each(|result| assert!(result.is_ok()));
    }
    let pages = (fs::metadata(directory.path().join("zipkind.db-wal")).unwrap().len() as usize - LOG_HEAD)
        / (FRAME_HEAD + PAGE);
    let mut random = Random::new(4);
    for _ in 0..16 {
        let crashed = tempfile::tempdir().unwrap();
        copy(directory.path(), crashed.path());
        checkpoint_in_part(crashed.path(), random.below((pages * PAGE) as u64) as usize);
        assert_whole(crashed.path(), 12, 12).await;
    }
}

#[tokio::test]
async fn garbage_behind_the_last_synced_byte_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    for n in 1..=3 {
        storage.write(&pair(n)).await.into_iter().for_each(|result| assert!(result.is_ok()));
    }
    let crashed = tempfile::tempdir().unwrap();
    copy(directory.path(), crashed.path());
    let wal = crashed.path().join("zipkind.db-wal");
    let mut bytes = fs::read(&wal).unwrap();
    bytes.extend((0..20_000_u32).map(|n| (n * 31) as u8));
    fs::write(&wal, bytes).unwrap();
    assert_whole(crashed.path(), 3, 3).await;
}

#[tokio::test]
async fn a_row_that_was_damaged_is_told_and_the_rest_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    for n in 1..=2 {
        storage.write(&pair(n)).await.into_iter().for_each(|result| assert!(result.is_ok()));
    }
    storage.close().await;
    drop(storage);
    let path = config(directory.path()).path;
    let mut bytes = fs::read(&path).unwrap();
    // The id of trace 3 in its record: flags before it, span id 1 after it.
    let record = [3_u64.to_le_bytes(), 1_u64.to_le_bytes()].concat();
    let at = bytes.windows(record.len()).position(|window| window == record).unwrap();
    bytes[at + 9] ^= 1;
    fs::write(&path, bytes).unwrap();

    let storage = open(directory.path()).await;
    assert!(storage.health_name().contains("damaged=1"), "{}", storage.health_name());
    assert_eq!(storage.metrics().damaged.get(), 1);
    assert_eq!([ids_of(&storage, 3).await.len(), ids_of(&storage, 5).await.len()], [0, 1]);
    // It stays in the file, whatever else is sealed.
    let rows = "SELECT count(*) FROM recent";
    let sealed_to = storage.store.live.rows().back().unwrap().id;
    storage.store.seal(sealed_to).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(rows).fetch_one(&storage.store.reader.pool).await.unwrap(), 1);
    assert_eq!(ids_of(&storage, 5).await, [1]);
}
