//! Spans from Kafka: each message is stored once, also when processes die and partitions move.
//!
//! A thread per stream keeps the membership of the group; a task per partition reads that partition's own queue, decodes, and
//! hands messages to a lane of its own. With a store that keeps positions, a message's position is committed in the
//! transaction of its spans and Kafka's committed offset only follows; with others, Kafka's offset is committed after the
//! spans are stored. A full lane or a spent memory budget means that the partition's queue is not read: librdkafka then
//! fetches no more, while the membership goes on.

mod client;
mod config;
mod consumer;
mod dead_letter;
mod forward;
mod health;
mod message;
mod metrics;
pub mod overrides;
mod partition;
mod progress;
mod stream;
pub mod tasks;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::Registry;
use rdkafka::error::KafkaError;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use config::KafkaConfig;
pub use forward::Forwarder;

use crate::ingest::{Collector, MemoryBudget};
use crate::storage::StorageBackend;
use crate::telemetry::{Clock, CollectorMetrics, HealthComponent};
use client::Prober;
use dead_letter::DeadLetters;
use health::KafkaHealth;
use metrics::KafkaMetrics;

/// What the collector is made of.
#[derive(Clone)]
pub struct KafkaParts<'a> {
    /// Its settings.
    pub config: &'a KafkaConfig,
    /// Where spans go.
    pub collector: Collector,
    /// Where positions are read.
    pub storage: Arc<dyn StorageBackend>,
    /// True when only this process writes to the store: other members of the group then keep their spans elsewhere.
    pub store_is_private: bool,
    /// Memory for what is fetched and decoded.
    pub budget: MemoryBudget,
    /// Zipkin's counters.
    pub metrics: &'a CollectorMetrics,
    /// Where its own metrics are shown.
    pub registry: &'a Registry,
    /// Time of day, for the age of messages.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for KafkaParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaParts").field("config", self.config).finish_non_exhaustive()
    }
}

/// Why the collector does not start. Brokers that are away are no reason.
#[derive(Debug, thiserror::Error)]
pub enum KafkaStartError {
    /// A property that librdkafka refuses, or no memory for its client.
    #[error("the Kafka client does not start: {0}")]
    Client(#[from] KafkaError),
    /// Another part has one of the metrics.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// The running collector.
pub struct KafkaCollector {
    shared: Arc<Shared>,
    stop: CancellationToken,
    streams: Vec<std::thread::JoinHandle<()>>,
    watch: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for KafkaCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaCollector").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// What streams and partitions share.
pub(in crate::transport::kafka) struct Shared {
    config: KafkaConfig,
    collector: Collector,
    storage: Arc<dyn StorageBackend>,
    keeps_positions: bool,
    budget: MemoryBudget,
    metrics: KafkaMetrics,
    clock: Arc<dyn Clock>,
    dead_letters: Option<DeadLetters>,
    prober: Prober,
    /// Bytes fetched ahead for a partition: what is set, or less when there are many partitions.
    prefetch_bytes: AtomicUsize,
    state: Mutex<State>,
}

/// What `/health` tells.
#[derive(Debug, Default)]
struct State {
    /// The last error that stopped a stream, until one works again.
    stream_error: Option<String>,
    /// Members of the group in other processes, where the store is this process's own.
    other_members: usize,
}

impl KafkaCollector {
    /// Starts the streams on threads of their own, and partitions' tasks on the current runtime. Brokers may be away.
    ///
    /// # Errors
    /// [`KafkaStartError`].
    pub fn start(parts: KafkaParts<'_>) -> Result<Self, KafkaStartError> {
        let KafkaParts { config, collector, storage, budget, clock, .. } = parts;
        let metrics = KafkaMetrics::register(parts.registry, parts.metrics.transport("kafka"))?;
        let shared = Arc::new(Shared {
            keeps_positions: storage.capabilities().source_positions,
            prefetch_bytes: AtomicUsize::new(config.prefetch_bytes),
            prober: Prober::new(config)?,
            dead_letters: DeadLetters::new(config)?,
            config: config.clone(),
            collector,
            storage,
            budget,
            metrics,
            clock,
            state: Mutex::default(),
        });
        // Wrong properties are told now, not by a stream that cannot begin.
        consumer::check(&shared)?;
        let stop = CancellationToken::new();
        let streams = (0..config.streams).map(|index| stream::start(Arc::clone(&shared), index, stop.clone()));
        let streams = streams.collect::<std::io::Result<Vec<_>>>();
        let streams = streams.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        let watch = parts.store_is_private.then(|| {
            let watching = health::watch_members_forever(Arc::clone(&shared));
            let stopped = stop.clone().cancelled_owned();
            tokio::spawn(async move {
                tokio::select! {
                    () = stopped => {}
                    () = watching => {}
                }
            })
        });
        tracing::info!(
            brokers = config.bootstrap_servers,
            topics = config.all_topics().join(","),
            group = config.group_id,
            exactly_once = shared.keeps_positions,
            "spans are read from Kafka"
        );
        Ok(Self { shared, stop, streams, watch })
    }

    /// The component of `/health`.
    #[must_use]
    pub fn health(&self) -> Arc<dyn HealthComponent> {
        Arc::new(KafkaHealth { shared: Arc::clone(&self.shared) })
    }

    /// Stops reading, lets partitions finish what they began, commits and leaves the group; what takes longer than
    /// `deadline` is left to the next member.
    pub async fn stop(self, deadline: Duration) {
        self.stop.cancel();
        let end = Instant::now() + deadline;
        if let Some(watch) = self.watch {
            let _ = watch.await;
        }
        let ended = tokio::task::spawn_blocking(move || {
            for stream in self.streams {
                if stream.join().is_err() {
                    tracing::error!("a Kafka stream ended out of order");
                }
            }
        });
        if tokio::time::timeout_at(end, ended).await.is_err() {
            tracing::warn!("the Kafka group was not left in time; its other members wait for the session to end");
        }
    }
}

/// Share of the memory budget that is fetched ahead at most, over all partitions.
const PREFETCH_SHARE: usize = 2;
/// Least bytes fetched ahead for a partition, however many there are.
const PREFETCH_BYTES_MIN: usize = 64 << 10;

impl Shared {
    /// What may be fetched ahead for each of `partitions` of a stream.
    fn prefetch_bytes_for(&self, partitions: usize) -> usize {
        let share = self.budget.bytes_max() / PREFETCH_SHARE / self.config.streams.max(1);
        self.config.prefetch_bytes.min(share / partitions.max(1)).max(PREFETCH_BYTES_MIN)
    }
}
