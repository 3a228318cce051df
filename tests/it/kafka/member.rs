//! A member of the group in this process, over a store that the test chooses.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use zipkind::ingest::{Collector, IngestConfig, MemoryBudget};
use zipkind::storage::StorageBackend;
use zipkind::telemetry::{CollectorMetrics, SystemClock};
use zipkind::transport::kafka::{KafkaCollector, KafkaConfig, KafkaParts};

use super::broker::servers;
use super::{PATIENCE, metric_in};

/// A member of the group.
pub(crate) struct Member {
    pub(crate) kafka: KafkaCollector,
    collector: Collector,
    registry: Registry,
    pub(crate) budget: MemoryBudget,
}

/// The group has the topic's name.
pub(crate) fn config(topic: &str, more: &[(&str, &str)]) -> KafkaConfig {
    let base = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000"), ("auto.commit.interval.ms", "100")];
    let properties = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KafkaConfig {
        bootstrap_servers: servers().to_owned(),
        topics: vec![topic.to_owned()],
        group_id: topic.to_owned(),
        properties: properties.collect(),
        drain_timeout: Duration::from_secs(5),
        ..KafkaConfig::default()
    }
}

impl Member {
    pub(crate) fn join<S: StorageBackend + 'static>(
        config: &KafkaConfig,
        storage: &Arc<S>,
        memory_bytes: usize,
    ) -> Self {
        let registry = Registry::new();
        let budget = MemoryBudget::new(memory_bytes);
        let storage = Arc::clone(storage) as Arc<dyn StorageBackend>;
        let ingest = IngestConfig { write_timeout: Duration::from_secs(30), ..IngestConfig::default() };
        let collector = Collector::start(&ingest, Arc::clone(&storage), &registry, budget.clone()).unwrap();
        let metrics = CollectorMetrics::register(&registry).unwrap();
        let kafka = KafkaCollector::start(KafkaParts {
            config,
            collector: collector.clone(),
            storage,
            store_is_private: true,
            budget: budget.clone(),
            metrics: &metrics,
            registry: &registry,
            clock: Arc::new(SystemClock),
        });
        Self { kafka: kafka.unwrap(), collector, registry, budget }
    }

    pub(crate) async fn leave(self) {
        self.kafka.stop(PATIENCE).await;
        self.collector.drain(PATIENCE).await;
    }

    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        metric_in(&zipkind::telemetry::exposition::prometheus_text(&self.registry, &[]), name, &[label])
    }
}
