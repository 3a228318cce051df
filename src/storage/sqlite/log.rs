//! Keeping the write-ahead log short.
//!
//! The engine moves the log into the database by itself when a commit finds it long, and starts it anew when no reader needs
//! it. Readers that come one after the other without a gap can keep it from ever starting anew; then it is done here, with the
//! writer waiting for them, and beyond a second limit they are told to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;

use super::config::SqliteConfig;
use super::open::beside;

/// Times the checkpoint size at which the writer waits a little for readers.
const SOFT_LIMIT: u64 = 8;
/// Times the checkpoint size at which readers are told to end.
const HARD_LIMIT: u64 = 32;
/// Commits between two attempts.
const COMMITS_BETWEEN: u32 = 64;
/// How long the writer waits for readers at the first limit, and at the second.
const WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The queries that hold a state of the tables, by number.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    next: AtomicU64,
    ended_below: AtomicU64,
}

impl Snapshots {
    pub(super) fn begin(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// True when the log cannot wait for this one any longer.
    pub(super) fn is_ended(&self, number: u64) -> bool {
        number < self.ended_below.load(Ordering::Relaxed)
    }

    fn end_all(&self) {
        self.ended_below.store(self.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Watches the log's length; belongs to the writer.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    checkpoint_bytes: u64,
    busy_timeout: Duration,
    snapshots: Arc<Snapshots>,
    commits: u32,
}

impl Log {
    pub(super) fn new(config: &SqliteConfig, snapshots: Arc<Snapshots>) -> Self {
        Self {
            path: beside(&config.path, "-wal"),
            checkpoint_bytes: config.wal_checkpoint_bytes,
            busy_timeout: config.busy_timeout,
            snapshots,
            commits: 0,
        }
    }

    /// After a commit: starts the log anew when it has grown too long.
    pub(super) async fn bound(&mut self, connection: &mut SqliteConnection) {
        let bytes = file_bytes(&self.path);
        if bytes < SOFT_LIMIT * self.checkpoint_bytes {
            return;
        }
        self.commits += 1;
        if self.commits < COMMITS_BETWEEN {
            return;
        }
        self.commits = 0;
        let is_hard = bytes >= HARD_LIMIT * self.checkpoint_bytes;
        if is_hard {
            self.snapshots.end_all();
        }
        let wait = if is_hard { WAIT.1 } else { WAIT.0 };
        match restart(connection, wait, self.busy_timeout).await {
            Ok(true) => tracing::debug!(bytes, "the write-ahead log was started anew"),
            Ok(false) => tracing::warn!(bytes, "readers keep the write-ahead log from being emptied"),
            Err(error) => tracing::warn!(bytes, %error, "the write-ahead log could not be emptied"),
        }
    }
}

/// True when the whole log was moved into the database and cut.
async fn restart(connection: &mut SqliteConnection, wait: Duration, normal: Duration) -> Result<bool, sqlx::Error> {
    set_busy_timeout(connection, wait).await?;
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
