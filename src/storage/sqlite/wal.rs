//! Keeping the write-ahead log short.
//!
//! A connection of its own moves the log into the database while the writer goes on; what was written meanwhile, which is little, is
//! moved in a turn of the writer, so that the next commit starts the log anew, unless a reader needs it. Reads are single short
//! statements, but there may be one at each such moment: a log that has grown far too long makes the writer wait for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::Mutex;

use super::Store;
use super::config::SqliteConfig;
use super::error::during;
use super::open::beside;
use super::seal::open_writer;
use crate::storage::StorageError;

/// Times the checkpoint size at which the writer waits for readers.
const LIMIT: u64 = 4;
/// Commits between two attempts.
const COMMITS_BETWEEN: u32 = 64;
const WAIT: Duration = Duration::from_millis(50);

/// Watches the log's length; belongs to the writer.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    checkpoint_bytes: u64,
    busy_timeout: Duration,
    /// Since the length was looked at.
    commits: u32,
    bytes: u64,
    /// Bytes that went into the log since it was moved last, about; read by whoever moves it.
    written: Arc<AtomicU64>,
}

/// What a commit adds to the log beside the values it brings, about.
const COMMIT_BYTES: u64 = 8_192;

impl Wal {
    pub(super) fn new(config: &SqliteConfig) -> Self {
        let path = beside(&config.path, "-wal");
        Self {
            checkpoint_bytes: config.wal_checkpoint_bytes,
            busy_timeout: config.busy_timeout,
            commits: 0,
            bytes: 0,
            // What an earlier process left.
            written: Arc::new(AtomicU64::new(file_bytes(&path))),
            path,
        }
    }

    /// The count of bytes, for a [`Checkpoints`].
    pub(super) fn written(&self) -> Arc<AtomicU64> {
        self.written.clone()
    }

    /// After a commit of values of so many bytes: starts the log anew when it has grown far too long.
    pub(super) async fn bound(&mut self, connection: &mut SqliteConnection, bytes: usize) {
        let bytes = COMMIT_BYTES + bytes as u64;
        self.written.fetch_add(bytes, Ordering::Relaxed);
        (self.commits, self.bytes) = (self.commits + 1, self.bytes + bytes);
        if self.commits < COMMITS_BETWEEN && self.bytes < self.checkpoint_bytes {
            return;
        }
        (self.commits, self.bytes) = (0, 0);
        let bytes = file_bytes(&self.path);
        if bytes < LIMIT * self.checkpoint_bytes {
            return;
        }
        match restart(connection, self.busy_timeout).await {
            Ok(true) => tracing::debug!(bytes, "the write-ahead log was started anew"),
            Ok(false) => tracing::warn!(bytes, "readers keep the write-ahead log from being emptied"),
            Err(error) => tracing::warn!(bytes, %error, "the write-ahead log could not be emptied"),
        }
    }
}

/// When the log is moved into the database, and by whom.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// `None` after `close`.
    pub(super) connection: Mutex<Option<SqliteConnection>>,
    written: Arc<AtomicU64>,
    bytes: u64,
    is_running: Arc<AtomicBool>,
}

/// The right to move the log, until dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Checkpoints {
    pub(super) fn new(connection: SqliteConnection, written: Arc<AtomicU64>, config: &SqliteConfig) -> Self {
        let bytes = config.wal_checkpoint_bytes;
        Self { connection: Mutex::new(Some(connection)), written, bytes, is_running: Arc::default() }
    }

    /// A turn when there is enough to be moved and nobody else does it.
    pub(super) fn try_begin(&self) -> Option<Turn> {
        self.try_begin_from(self.bytes)
    }

    fn try_begin_from(&self, bytes: u64) -> Option<Turn> {
        let is_time = self.written.load(Ordering::Relaxed) >= bytes && !self.is_running.swap(true, Ordering::AcqRel);
        is_time.then(|| Turn(Arc::clone(&self.is_running)))
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "sqlite did not close well");
        }
    }
}

impl Store {
    /// Moves the log in a turn of [`Checkpoints::try_begin`].
    pub(super) async fn checkpoint_in_background(&self, turn: Turn) {
        if let Err(error) = self.checkpoint(turn).await {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database");
        }
    }

    /// Moves whatever is in the log: where nothing is written for long nobody else does, and space that was given back comes back
    /// only then.
    pub(super) async fn checkpoint_rest(&self) -> Result<(), StorageError> {
        match self.checkpoints.try_begin_from(1) {
            Some(turn) => self.checkpoint(turn).await,
            None => Ok(()),
        }
    }

    /// Moves the log into the database: most of it beside the writer, the rest in its turn. What fails, or is needed by a reader,
    /// is tried again by housekeeping, or when as much was written once more.
    async fn checkpoint(&self, _turn: Turn) -> Result<(), StorageError> {
        self.checkpoints.written.store(0, Ordering::Relaxed);
        let moved = self.move_log().await;
        if !moved.as_ref().is_ok_and(|is_whole| *is_whole) {
            self.checkpoints.written.fetch_add(COMMIT_BYTES, Ordering::Relaxed);
        }
        moved.map(|_| ())
    }

    async fn move_log(&self) -> Result<bool, StorageError> {
        if let Some(connection) = self.checkpoints.connection.lock().await.as_mut() {
            move_log(connection).await.map_err(during("checkpoint"))?;
        }
        let mut writer = self.writer.lock().await;
        move_log(open_writer(&mut writer)?.connection()).await.map_err(during("checkpoint"))
    }
}

/// True when nothing is left in it.
async fn move_log(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let (_, pages, moved): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    Ok(moved >= pages)
}

/// True when the whole log was moved into the database and cut.
async fn restart(connection: &mut SqliteConnection, normal: Duration) -> Result<bool, sqlx::Error> {
    set_busy_timeout(connection, WAIT).await?;
    let result =
        sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    set_busy_timeout(connection, normal).await?;
    result.map(|(busy, _, _)| busy == 0)
}

async fn set_busy_timeout(connection: &mut SqliteConnection, wait: Duration) -> Result<(), sqlx::Error> {
    let statement = format!("PRAGMA busy_timeout = {}", wait.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(connection).await.map(|_| ())
}

/// Length of a file, 0 when there is none.
pub(super) fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
