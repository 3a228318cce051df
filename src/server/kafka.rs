//! The Kafka collector, where brokers are configured.

use std::sync::Arc;

use prometheus::Registry;

use crate::config::{Config, StorageKind};
use crate::ingest::{Collector, MemoryBudget};
use crate::storage::StorageBackend;
use crate::telemetry::{Clock, CollectorMetrics};
use crate::transport::kafka::{KafkaCollector, KafkaParts};

/// What the collector is made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) collector: Collector,
    pub(super) storage: Arc<dyn StorageBackend>,
    pub(super) budget: MemoryBudget,
    pub(super) metrics: &'a CollectorMetrics,
    pub(super) registry: &'a Registry,
    pub(super) clock: Arc<dyn Clock>,
}

/// Starts it if it is on.
pub(super) fn start(parts: Parts<'_>) -> anyhow::Result<Option<KafkaCollector>> {
    let Parts { config, collector, storage, budget, metrics, registry, clock } = parts;
    if !config.kafka.is_on() {
        return Ok(None);
    }
    let store_is_private = matches!(config.storage.kind, StorageKind::Sqlite | StorageKind::Mem);
    let parts =
        KafkaParts { config: &config.kafka, collector, storage, store_is_private, budget, metrics, registry, clock };
    Ok(Some(KafkaCollector::start(parts)?))
}
