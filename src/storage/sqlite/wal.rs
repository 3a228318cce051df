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
    commits: u32,
    /// Bytes that went into the log since it was moved last, about; read by whoever moves it.
    written: Arc<AtomicU64>,
}

/// What a commit adds to the log beside the values it brings, about.
const COMMIT_BYTES: u64 = 8_192;

impl Wal {
    pub(super) fn new(config: &SqliteConfig) -> Self {
        Self {
            path: beside(&config.path, "-wal"),
            checkpoint_bytes: config.wal_checkpoint_bytes,
            busy_timeout: config.busy_timeout,
            commits: 0,
            written: Arc::default(),
        }
    }

    /// The count of bytes, for a [`Checkpoints`].
    pub(super) fn written(&self) -> Arc<AtomicU64> {
        self.written.clone()
    }

    /// After a commit of values of so many bytes: starts the log anew when it has grown far too long.
    pub(super) async fn bound(&mut self, connection: &mut SqliteConnection, bytes: usize) {
        self.written.fetch_add(COMMIT_BYTES + bytes as u64, Ordering::Relaxed);
        self.commits += 1;
        if self.commits < COMMITS_BETWEEN {
            return;
        }
        self.commits = 0;
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
    connection: Mutex<Option<SqliteConnection>>,
    written: Arc<AtomicU64>,
    bytes: u64,
    is_running: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(connection: SqliteConnection, written: Arc<AtomicU64>, config: &SqliteConfig) -> Self {
        let bytes = config.wal_checkpoint_bytes;
        Self { connection: Mutex::new(Some(connection)), written, bytes, is_running: AtomicBool::new(false) }
    }

    /// True when it is time, and for nobody else until it was done.
    pub(super) fn try_begin(&self) -> bool {
        self.written.load(Ordering::Relaxed) >= self.bytes && !self.is_running.swap(true, Ordering::AcqRel)
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
    /// Moves the log after [`Checkpoints::try_begin`]. What fails is tried again when as much was written once more.
    pub(super) async fn checkpoint_in_background(&self) {
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database");
        }
        self.checkpoints.is_running.store(false, Ordering::Release);
    }

    /// Moves the log into the database: most of it beside the writer, the rest in its turn.
    pub(super) async fn checkpoint(&self) -> Result<(), StorageError> {
        self.checkpoints.written.store(0, Ordering::Relaxed);
        if let Some(connection) = self.checkpoints.connection.lock().await.as_mut() {
            move_log(connection).await.map_err(during("checkpoint"))?;
        }
        let mut writer = self.writer.lock().await;
        move_log(open_writer(&mut writer)?.connection()).await.map_err(during("checkpoint"))
    }
}

async fn move_log(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await.map(|_| ())
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
