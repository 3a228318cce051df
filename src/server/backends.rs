//! The list of storage backends, and the wrappers round each.

use std::sync::Arc;

use prometheus::Registry;

use crate::config::{StorageConfig, StorageKind};
use crate::storage::{MemoryStorage, NoneStorage, StorageBackend};
use crate::telemetry::Clock;

/// Opens the backend that is configured.
pub(super) async fn open(
    config: &StorageConfig,
    registry: &Registry,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn StorageBackend>> {
    let options = config.options.clone();
    let backend: Arc<dyn StorageBackend> = match config.kind {
        StorageKind::Mem => Arc::new(MemoryStorage::new(config.memory.clone(), options)),
        StorageKind::None => Arc::new(NoneStorage),
        StorageKind::Sqlite => anyhow::bail!("no sqlite yet"),
    };
    Ok(backend)
}
