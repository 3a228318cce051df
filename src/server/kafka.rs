//! The Kafka collector, where brokers are configured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;

use crate::config::{Config, StorageKind};
use crate::ingest::{Collector, MemoryBudget};
use crate::storage::StorageBackend;
use crate::telemetry::log::LogConfig;
use crate::telemetry::{Clock, CollectorMetrics, SystemClock, log};
use crate::transport::kafka::tasks::{self, KafkaTask, TaskParts};
use crate::transport::kafka::{KafkaCollector, KafkaParts};

use super::backends;

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

/// Does a task of `zipkind kafka` with the configured store and ends; the answer is for people.
///
/// # Errors
/// Why it was not done.
pub fn run_task(config: &Config, task: &KafkaTask) -> anyhow::Result<String> {
    // The answer has standard output for itself.
    let quiet = LogConfig { level: "error".parse().map_err(anyhow::Error::msg)?, ..config.log.clone() };
    log::init(&quiet)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")?;
    let answer = runtime.block_on(async {
        let registry = Registry::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let storage = backends::open(&config.storage, &config.kafka, &registry, clock, false).await?;
        let budget = MemoryBudget::new(config.ingest_memory_bytes);
        let collector = Collector::start(&config.ingest, Arc::clone(&storage), &registry, budget.clone())?;
        let metrics = CollectorMetrics::register(&registry)?;
        let (store, lanes) = (Arc::clone(&storage), collector.clone());
        let parts = TaskParts { config: &config.kafka, storage, collector, budget, metrics: &metrics };
        let answer = tasks::run(task, parts).await;
        lanes.drain(config.server.drain_timeout).await;
        store.close().await;
        anyhow::Ok(answer?)
    });
    // Consumers that still leave their brokers are not waited for.
    runtime.shutdown_timeout(TASK_END_TIMEOUT);
    answer
}

/// How long clients of a task may take to leave their brokers.
const TASK_END_TIMEOUT: Duration = Duration::from_secs(2);
