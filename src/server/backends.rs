//! The list of storage backends, and the wrappers round each.

use std::sync::Arc;

use anyhow::Context;
use prometheus::Registry;

use crate::config::{StorageConfig, StorageKind};
use crate::storage::{MemoryStorage, NoneStorage, SqliteStorage, StorageBackend};
use crate::telemetry::Clock;

/// Opens the backend that is configured.
pub(super) async fn open(
    config: &StorageConfig,
    registry: &Registry,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn StorageBackend>> {
    let options = config.options.clone();
    let backend: Arc<dyn StorageBackend> = match config.kind {
        StorageKind::Sqlite => Arc::new(open_sqlite(config, registry, clock).await?),
        StorageKind::Mem => Arc::new(MemoryStorage::new(config.memory.clone(), options)),
        StorageKind::None => Arc::new(NoneStorage),
    };
    Ok(backend)
}

async fn open_sqlite(
    config: &StorageConfig,
    registry: &Registry,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<SqliteStorage> {
    let storage = SqliteStorage::open(config.sqlite.clone(), config.options.clone(), clock).await.with_context(|| {
        format!(
            "spans cannot be kept in {}: SQLITE_PATH or XDG_DATA_HOME can name another directory, one that this user \
             may write to (STORAGE_TYPE=mem keeps spans in memory only)",
            config.sqlite.path.display()
        )
    })?;
    storage.metrics().register(registry)?;
    Ok(storage)
}
