//! Settings of the SQLite store.

use std::path::PathBuf;
use std::time::Duration;

/// When the engine waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit is on the disk before it is acknowledged: survives loss of power.
    #[default]
    Full,
    /// Commits survive the end of the process; loss of power may cost the newest, the file stays whole.
    Normal,
    /// Nothing waits; loss of power may damage the file.
    Off,
}

/// Settings of [`SqliteStorage`](super::SqliteStorage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The database file. Its directory is made when missing; `-wal`, `-shm` and `-lock` files stand beside it.
    pub path: PathBuf,
    /// When the engine waits for the disk.
    pub synchronous: Synchronous,
    /// Spans older than this are removed, by their timestamps (by arrival when they have none). `None` keeps them.
    pub retention_max_age: Option<Duration>,
    /// A span stays at least this long after it arrived, however old its timestamp is, so that what was imported or
    /// came late can be looked at. Ignored when space is short.
    pub retention_min_stay: Duration,
    /// The oldest spans are removed beyond this many bytes of file. `None`: half of what is free when the store opens,
    /// the file's own bytes included.
    pub retention_max_bytes: Option<u64>,
    /// Longest time one call of `maintain` removes old spans, in turns with writes.
    pub retention_turn: Duration,
    /// Page cache of the writer, bytes.
    pub write_cache_bytes: u64,
    /// Page cache of each read connection, bytes.
    pub read_cache_bytes: u64,
    /// Read connections: most queries that run at once.
    pub read_connections: u32,
    /// Longest wait for a read connection, or for a lock that another process holds.
    pub busy_timeout: Duration,
    /// Spans kept in memory beside the file until about half of them are sealed into a block; writers wait at four times as
    /// many. Also what a start has to read.
    pub recent_spans_max: usize,
    /// The same in bytes.
    pub recent_bytes_max: usize,
    /// Spans are sealed after this time however few they are.
    pub recent_age_max: Duration,
    /// Bytes of decoded blocks kept for queries.
    pub block_cache_bytes: usize,
    /// The write-ahead log is moved into the database when it reaches this many bytes.
    pub wal_checkpoint_bytes: u64,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("zipkind.db"),
            synchronous: Synchronous::Full,
            retention_max_age: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_min_stay: Duration::from_secs(3600),
            retention_max_bytes: None,
            retention_turn: Duration::from_secs(5),
            write_cache_bytes: 64 << 20,
            read_cache_bytes: 4 << 20,
            read_connections: 4,
            busy_timeout: Duration::from_secs(5),
            recent_spans_max: 1 << 17,
            recent_bytes_max: 64 << 20,
            recent_age_max: Duration::from_secs(3600),
            block_cache_bytes: 64 << 20,
            wal_checkpoint_bytes: 16 << 20,
        }
    }
}
