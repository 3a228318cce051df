//! Where spans rest, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::servers;
use crate::config::reader::Reader;
use crate::config::sources::EnvSource;
use crate::config::variables as rows;
use crate::storage::{
    MemoryConfig, MysqlConfig, PostgresConfig, RetryConfig, SqliteConfig, StorageOptions, Synchronous, ThrottleConfig,
    TimeoutConfig,
};

/// Where the database rests when the environment says nothing.
const DATA_DIRECTORY: &str = "/var/lib/zipkind";
/// Its name in its directory.
const DATABASE_FILE: &str = "zipkind.db";
/// Shortest time between two rounds of background work.
const MAINTAIN_INTERVAL_LEAST: Duration = Duration::from_millis(100);

/// Where spans rest.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// Which backend.
    pub kind: StorageKind,
    /// Settings all backends share.
    pub options: StorageOptions,
    /// Settings of the memory store.
    pub memory: MemoryConfig,
    /// Settings of the embedded database.
    pub sqlite: SqliteConfig,
    /// Settings of PostgreSQL.
    pub postgres: PostgresConfig,
    /// Settings of MySQL and MariaDB.
    pub mysql: MysqlConfig,
    /// How long calls may take.
    pub timeout: TimeoutConfig,
    /// How often and how long a call is tried again.
    pub retry: RetryConfig,
    /// How writes at once follow the store; `None`: as many as it serves well, always.
    pub throttle: Option<ThrottleConfig>,
    /// Most series of the metrics of requests; `None`: there are none.
    pub red_metrics_series_max: Option<usize>,
    /// Time between two rounds of background work.
    pub maintain_interval: Duration,
}

/// The backends that can be chosen (`STORAGE_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// The durable embedded database.
    Sqlite,
    /// Memory only.
    Mem,
    /// Nowhere.
    None,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
}

impl StorageKind {
    /// As in `STORAGE_TYPE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mem => "mem",
            Self::None => "none",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }
}

pub(super) fn storage(reader: &mut Reader, env: &dyn EnvSource, notes: &mut Vec<String>) -> StorageConfig {
    let kind = match reader.choice(&rows::STORAGE_TYPE) {
        Some("mem") => StorageKind::Mem,
        Some("none") => StorageKind::None,
        Some("postgres") => StorageKind::Postgres,
        Some("mysql") => StorageKind::Mysql,
        _ => StorageKind::Sqlite,
    };
    if reader.is_set(&rows::MEM_MAX_SPANS) && !reader.is_set(&rows::STORAGE_TYPE) {
        notes.push(
            "MEM_MAX_SPANS is set without STORAGE_TYPE=mem: spans go to the durable store (sqlite), not to memory"
                .to_owned(),
        );
    }
    let options = StorageOptions {
        strict_trace_id: reader.flag(&rows::STRICT_TRACE_ID),
        search_enabled: reader.flag(&rows::SEARCH_ENABLED),
        autocomplete_keys: reader.list(&rows::AUTOCOMPLETE_KEYS),
        service_names_max: reader.number(&rows::STORAGE_SERVICE_NAMES_MAX, 1..=10_000_000),
        names_per_service_max: reader.number(&rows::STORAGE_NAMES_PER_SERVICE_MAX, 1..=10_000_000),
    };
    let memory = MemoryConfig {
        spans_max: reader.number(&rows::MEM_MAX_SPANS, 1..=usize::MAX),
        bytes_max: reader.bytes(&rows::MEM_MAX_BYTES, 1 << 20),
    };
    let sqlite = sqlite(reader, env);
    let red_metrics_series_max = reader.number(&rows::RED_METRICS_SERIES_MAX, 1..=100_000);
    StorageConfig {
        kind,
        options,
        memory,
        postgres: servers::postgres(reader, &sqlite, kind == StorageKind::Postgres),
        mysql: servers::mysql(reader, &sqlite, kind == StorageKind::Mysql),
        sqlite,
        timeout: TimeoutConfig {
            write: reader.duration(&rows::STORAGE_WRITE_TIMEOUT),
            read: reader.duration(&rows::STORAGE_READ_TIMEOUT),
            check: reader.duration(&rows::STORAGE_CHECK_TIMEOUT),
        },
        retry: RetryConfig {
            tries_max: reader.number(&rows::STORAGE_TRIES_MAX, 1..=100),
            time_max: reader.duration(&rows::STORAGE_RETRY_TIME_MAX),
            first_pause: reader.duration(&rows::STORAGE_RETRY_FIRST_PAUSE),
            pause_max: reader.duration(&rows::STORAGE_RETRY_PAUSE_MAX),
        },
        throttle: {
            let config = ThrottleConfig {
                concurrency_min: reader.number(&rows::STORAGE_THROTTLE_MIN_CONCURRENCY, 1..=10_000),
                concurrency_max: reader.number(&rows::STORAGE_THROTTLE_MAX_CONCURRENCY, 1..=10_000),
            };
            reader.flag(&rows::STORAGE_THROTTLE_ENABLED).then_some(config)
        },
        red_metrics_series_max: reader.flag(&rows::RED_METRICS_ENABLED).then_some(red_metrics_series_max),
        maintain_interval: reader.duration(&rows::RETENTION_INTERVAL).max(MAINTAIN_INTERVAL_LEAST),
    }
}

fn sqlite(reader: &mut Reader, env: &dyn EnvSource) -> SqliteConfig {
    let path = sqlite_path(reader, env);
    let synchronous = match reader.choice(&rows::SQLITE_SYNCHRONOUS) {
        Some("off") => Synchronous::Off,
        Some("normal") => Synchronous::Normal,
        _ => Synchronous::Full,
    };
    SqliteConfig {
        path,
        synchronous,
        retention_max_age: reader.duration_unless_zero(&rows::RETENTION_MAX_AGE),
        retention_min_stay: reader.duration(&rows::RETENTION_MIN_STAY),
        retention_max_bytes: reader.bytes_if_set(&rows::RETENTION_MAX_BYTES, 1 << 20).map(|bytes| bytes as u64),
        retention_turn: reader.duration(&rows::RETENTION_TURN),
        write_cache_bytes: reader.bytes(&rows::SQLITE_WRITE_CACHE_BYTES, 64 << 10) as u64,
        read_cache_bytes: reader.bytes(&rows::SQLITE_READ_CACHE_BYTES, 64 << 10) as u64,
        read_connections: reader.number(&rows::SQLITE_READ_CONNECTIONS, 1..=1024),
        busy_timeout: reader.duration(&rows::SQLITE_BUSY_TIMEOUT),
        recent_spans_max: reader.number(&rows::SQLITE_RECENT_SPANS_MAX, 1_000..=10_000_000),
        recent_bytes_max: reader.bytes(&rows::SQLITE_RECENT_BYTES_MAX, 1 << 20),
        recent_age_max: reader.duration(&rows::SQLITE_RECENT_AGE_MAX),
        block_cache_bytes: reader.bytes(&rows::SQLITE_BLOCK_CACHE_BYTES, 1 << 20),
        wal_checkpoint_bytes: reader.bytes(&rows::SQLITE_WAL_BYTES, 1 << 20) as u64,
    }
}

/// The file: as told, or in the directory that was told, or where the system keeps data.
fn sqlite_path(reader: &mut Reader, env: &dyn EnvSource) -> PathBuf {
    let directory = if reader.is_set(&rows::SQLITE_PATH) {
        PathBuf::from(reader.text(&rows::SQLITE_PATH).unwrap_or_default())
    } else {
        let data_home = env.get("XDG_DATA_HOME").filter(|home| !home.is_empty());
        let default = data_home.map_or_else(|| PathBuf::from(DATA_DIRECTORY), |home| Path::new(&home).join("zipkind"));
        reader.preset(&rows::SQLITE_PATH, default.display());
        default
    };
    database_file(&directory)
}

/// A path that does not end as a database file does is the directory of one.
pub(in crate::config) fn database_file(path: &Path) -> PathBuf {
    let is_file = path.extension().is_some_and(|extension| extension == "db");
    if is_file { path.to_owned() } else { path.join(DATABASE_FILE) }
}
