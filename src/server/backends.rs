//! The list of storage backends, and the wrappers round each.

use std::sync::Arc;

use anyhow::anyhow;
use prometheus::Registry;

use crate::config::{StorageConfig, StorageKind};
use crate::storage::{
    MemoryStorage, Metered, NoneStorage, RedMetrics, Retry, SqliteStorage, StorageBackend, StorageMetrics, Throttle,
    ThrottleMetrics, Timeout, Traced, open_mysql, open_postgres,
};
use crate::telemetry::Clock;
use crate::transport::kafka::{Forwarder, KafkaConfig};

/// Opens the backend that is configured.
pub(super) async fn open(
    config: &StorageConfig,
    kafka: &KafkaConfig,
    registry: &Registry,
    clock: Arc<dyn Clock>,
    self_tracing: bool,
) -> anyhow::Result<Arc<dyn StorageBackend>> {
    let options = config.options.clone();
    if let Some(topic) = &kafka.forward_topic {
        let forwarder = Arc::new(Forwarder::new(kafka, topic)?);
        return wrapped(Metered::new(forwarder, StorageMetrics::register(registry)?), config, registry);
    }
    let backend: Arc<dyn StorageBackend> = match config.kind {
        StorageKind::Sqlite => Arc::new(open_sqlite(config, registry, clock).await?),
        StorageKind::Mem => {
            let storage = MemoryStorage::new(config.memory, options);
            storage.register(registry)?;
            Arc::new(storage)
        }
        StorageKind::None => Arc::new(NoneStorage),
        StorageKind::Postgres => {
            let opened = open_postgres(config.postgres.clone(), options, clock).await;
            Arc::new(opened.map_err(|error| anyhow!("spans cannot be kept in PostgreSQL: {error}"))?)
        }
        StorageKind::Mysql => {
            let opened = open_mysql(config.mysql.clone(), options, clock).await;
            opened.map_err(|error| anyhow!("spans cannot be kept in MySQL: {error}"))?
        }
    };
    let requests = config.red_metrics_series_max.map(|series_max| RedMetrics::register(registry, series_max));
    let measured = Metered::new(backend, StorageMetrics::register(registry)?).with_requests(requests.transpose()?);
    let backend = wrapped(measured, config, registry)?;
    Ok(if self_tracing { Arc::new(Traced::new(backend)) } else { backend })
}

/// Each try is measured and limited; a write is tried again within the time its sender waits.
fn wrapped(measured: Metered, config: &StorageConfig, registry: &Registry) -> anyhow::Result<Arc<dyn StorageBackend>> {
    let mut limited: Arc<dyn StorageBackend> = Arc::new(Timeout::new(Arc::new(measured), config.timeout));
    if let Some(throttle) = config.throttle {
        limited = Arc::new(Throttle::new(limited, throttle, ThrottleMetrics::register(registry)?));
    }
    Ok(Arc::new(Retry::new(limited, config.retry)))
}

async fn open_sqlite(
    config: &StorageConfig,
    registry: &Registry,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<SqliteStorage> {
    let opened = SqliteStorage::open(config.sqlite.clone(), config.options.clone(), clock).await;
    // The error's own text says all its causes.
    let storage = opened.map_err(|error| {
        anyhow!(
            "spans cannot be kept in {}: {error}; SQLITE_PATH or XDG_DATA_HOME can name another directory, one that \
             this user may write to (STORAGE_TYPE=mem keeps spans in memory only)",
            config.sqlite.path.display()
        )
    })?;
    storage.metrics().register(registry)?;
    Ok(storage)
}
