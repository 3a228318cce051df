//! Keeping the write-ahead log short.
//!
//! The engine moves the log into the database by itself when a commit finds it long, and starts it anew when no reader needs it.
//! Reads here are single short statements, but there may be one at each such moment; then the writer waits for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqliteConnection;

use super::config::SqliteConfig;
use super::open::beside;

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
}

impl Wal {
    pub(super) fn new(config: &SqliteConfig) -> Self {
        Self {
            path: beside(&config.path, "-wal"),
            checkpoint_bytes: config.wal_checkpoint_bytes,
            busy_timeout: config.busy_timeout,
            commits: 0,
        }
    }

    /// After a commit: starts the log anew when it has grown too long.
    pub(super) async fn bound(&mut self, connection: &mut SqliteConnection) {
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
