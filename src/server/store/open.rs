//! Stores opened by a command instead of a server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use prometheus::Registry;

use crate::config::{StorageConfig, StorageKind, StoreAddress};
use crate::server::backends;
use crate::storage::{
    MysqlLayout, Retry, RetryConfig, ScanPage, ScanRequest, SpanStore, SqliteInspector, StorageBackend, StorageError,
    TimeoutConfig, open_mysql_to_read, open_postgres_to_read,
};
use crate::telemetry::SystemClock;
use crate::transport::kafka::KafkaConfig;

/// Nobody waits at the other end: a store that is away may come back.
const PATIENCE: RetryConfig = RetryConfig {
    tries_max: 1_000,
    time_max: Duration::from_secs(120),
    first_pause: Duration::from_millis(50),
    pause_max: Duration::from_secs(5),
};
/// One write of a command, which may have to wait for the engine's housekeeping.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// The named store's configuration, or that of the configured one.
pub(super) fn chosen(base: &StorageConfig, address: Option<&StoreAddress>) -> anyhow::Result<StorageConfig> {
    let mut config = address.map_or_else(|| base.clone(), |address| address.applied_to(base));
    config.postgres.acquire_timeout = ACQUIRE_TIMEOUT;
    config.mysql.acquire_timeout = ACQUIRE_TIMEOUT;
    match config.kind {
        StorageKind::Mem | StorageKind::None => {
            bail!("STORAGE_TYPE is {:?}, which keeps nothing beyond its process", config.kind.name())
        }
        _ => Ok(config),
    }
}

/// Which store that is, without user and password: equal for the same store.
pub(super) fn identity(config: &StorageConfig) -> String {
    match config.kind {
        StorageKind::Postgres => format!("postgres:{}", config.postgres.place()),
        StorageKind::Mysql => format!("mysql:{}", config.mysql.place()),
        _ => {
            let path = &config.sqlite.path;
            let whole = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
            format!("sqlite:{}", whole.unwrap_or_else(|_| path.clone()).display())
        }
    }
}

/// What people call it.
pub(super) fn shown(config: &StorageConfig) -> String {
    let layout = match (config.kind, config.mysql.layout) {
        (StorageKind::Mysql, Some(MysqlLayout::Zipkin)) => ", zipkin's tables",
        (StorageKind::Mysql, Some(MysqlLayout::Native)) => ", our own tables",
        _ => "",
    };
    format!("{}{layout}", identity(config))
}

/// A store that is read from end to end.
#[derive(Debug)]
pub(super) enum Source {
    /// A file as it is now, also while a server has it open.
    File(Box<SqliteInspector>),
    Server(Retry),
}

impl Source {
    /// Opens a store for reading alone: nothing is made in it.
    pub(super) async fn open(config: &StorageConfig) -> anyhow::Result<Self> {
        let (options, clock) = (config.options.clone(), Arc::new(SystemClock));
        let backend: Arc<dyn StorageBackend> = match config.kind {
            StorageKind::Postgres => {
                Arc::new(open_postgres_to_read(config.postgres.clone(), options, clock).await.map_err(unreadable)?)
            }
            StorageKind::Mysql => open_mysql_to_read(config.mysql.clone(), options, clock).await.map_err(unreadable)?,
            _ => {
                let inspector = SqliteInspector::open(&config.sqlite.path).await.map_err(unreadable)?;
                return Ok(Self::File(Box::new(inspector)));
            }
        };
        Ok(Self::Server(Retry::new(backend, PATIENCE)))
    }

    /// As [`SpanStore::scan`].
    pub(super) async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        match self {
            Self::File(inspector) => inspector.scan(request).await,
            Self::Server(backend) => backend.scan(request).await,
        }
    }
}

fn unreadable(error: StorageError) -> anyhow::Error {
    anyhow!("the store cannot be read: {error}")
}

/// Opens a store to be written. Nothing is removed from it by age or size: that is its server's to do. Commands have no timer for
/// it; SQLite also removes while it seals.
pub(super) async fn target(config: &StorageConfig) -> anyhow::Result<Arc<dyn StorageBackend>> {
    let mut config = config.clone();
    config.sqlite.retention_max_age = None;
    config.sqlite.retention_max_bytes = None;
    config.retry = PATIENCE;
    config.timeout = TimeoutConfig { write: WRITE_TIMEOUT, read: WRITE_TIMEOUT, ..config.timeout };
    let clock = Arc::new(SystemClock);
    backends::open(&config, &KafkaConfig::default(), &Registry::new(), clock, false).await
}
