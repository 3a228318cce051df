//! What the collector counts beside zipkin's transport counters: progress by topic and partition, and what went wrong.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::message::Poison;
use crate::telemetry::TransportMetrics;

/// Families of the Kafka collector; clones share them.
#[derive(Clone, Debug)]
pub(super) struct KafkaMetrics {
    pub(super) transport: TransportMetrics,
    consumed: IntGaugeVec,
    end: IntGaugeVec,
    lag: IntGaugeVec,
    lag_seconds: GaugeVec,
    messages: IntCounterVec,
    spans: IntCounterVec,
    paused: IntGaugeVec,
    pauses: IntCounterVec,
    rebalances: IntCounterVec,
    repositions: IntCounterVec,
    poison: IntCounterVec,
    dead_letters: IntCounterVec,
    missing: IntCounterVec,
    /// Topics that were deleted and made again while their position was stored.
    pub(super) made_anew: IntCounter,
    /// Partitions this process reads.
    pub(super) assigned: IntGauge,
    /// Members of the group that are not this process's.
    pub(super) other_members: IntGauge,
    /// Errors of the client, brokers away included.
    pub(super) client_errors: IntCounter,
}

/// One partition's share.
#[derive(Clone, Debug)]
pub(super) struct PartitionMetrics {
    pub(super) consumed: IntGauge,
    pub(super) lag_seconds: prometheus::Gauge,
    pub(super) messages: IntCounter,
    pub(super) spans: IntCounter,
    pub(super) paused: IntGauge,
    pub(super) pauses: IntCounter,
    pub(super) missing: IntCounter,
}

/// Why a partition is read again from its stored position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reposition {
    /// The store did not take a batch for now.
    StorageUnavailable,
    /// Another member wrote since, or the outcome of an earlier write was not known.
    StalePosition,
    /// The topic was deleted and made again.
    MadeAnew,
    /// It gave nothing though it had something; the group was joined anew.
    Stalled,
    /// The end of damaged messages was looked for, and the client did not go back from there.
    Damage,
}

impl Reposition {
    const ALL: [Self; 5] = [Self::StorageUnavailable, Self::StalePosition, Self::MadeAnew, Self::Stalled, Self::Damage];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::StorageUnavailable => "storage_unavailable",
            Self::StalePosition => "stale_position",
            Self::MadeAnew => "made_anew",
            Self::Stalled => "stalled",
            Self::Damage => "damage",
        }
    }
}

/// What happened to the set of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Assigned,
    Revoked,
    /// Taken away without warning: the group had given this member up.
    Lost,
}

impl Change {
    const ALL: [Self; 3] = [Self::Assigned, Self::Revoked, Self::Lost];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

const BY_PARTITION: &[&str] = &["topic", "partition"];

impl KafkaMetrics {
    pub(super) fn register(registry: &Registry, transport: TransportMetrics) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let family = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        let gauges = |name: &str, help: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let family = IntGaugeVec::new(Opts::new(name, help), BY_PARTITION)?;
            registry.register(Box::new(family.clone()))?;
            Ok(family)
        };
        let lag_seconds = GaugeVec::new(
            Opts::new("kafka_collector_lag_seconds", "age of the newest stored message while more wait, else 0"),
            BY_PARTITION,
        )?;
        registry.register(Box::new(lag_seconds.clone()))?;
        let metrics = Self {
            transport,
            consumed: gauges("kafka_collector_consumed_offset", "the offset after the last message that is stored")?,
            end: gauges("kafka_collector_end_offset", "the offset of the next message that will be produced")?,
            lag: gauges("kafka_collector_lag_messages", "messages that are produced and not stored")?,
            lag_seconds,
            messages: counters("kafka_collector_messages_total", "messages read", BY_PARTITION)?,
            spans: counters("kafka_collector_spans_total", "spans of messages that are stored", BY_PARTITION)?,
            paused: gauges("kafka_collector_paused", "1 while a partition waits for room or memory")?,
            pauses: counters("kafka_collector_pauses_total", "waits for room or memory", BY_PARTITION)?,
            rebalances: counters("kafka_collector_rebalances_total", "changes of the assignment", &["change"])?,
            repositions: counters(
                "kafka_collector_repositions_total",
                "times a partition was read again from its stored position",
                &["reason"],
            )?,
            poison: counters("kafka_collector_poison_messages_total", "messages that cannot be kept", &["reason"])?,
            dead_letters: counters("kafka_collector_dead_letters_total", "poison handed to its topic", &["result"])?,
            missing: counters(
                "kafka_collector_missing_messages_total",
                "messages that Kafka deleted before they were read",
                BY_PARTITION,
            )?,
            made_anew: one_counter(
                registry,
                "kafka_collector_topics_made_anew_total",
                "partitions of topics made again",
            )?,
            assigned: one_gauge(registry, "kafka_collector_assigned_partitions", "partitions this process reads")?,
            other_members: one_gauge(
                registry,
                "kafka_collector_other_members",
                "members of the group in other processes, where the store is this process's own",
            )?,
            client_errors: one_counter(registry, "kafka_collector_client_errors_total", "errors of the Kafka client")?,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// Families with a closed set of labels are there before anything happens.
    fn show_zeros(&self) {
        Poison::ALL.iter().for_each(|poison| drop(self.poison.with_label_values(&[poison.as_str()])));
        Change::ALL.iter().for_each(|change| drop(self.rebalances.with_label_values(&[change.as_str()])));
        Reposition::ALL.iter().for_each(|reason| drop(self.repositions.with_label_values(&[reason.as_str()])));
        ["delivered", "failed"].iter().for_each(|result| drop(self.dead_letters.with_label_values(&[*result])));
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> PartitionMetrics {
        let number = partition.to_string();
        let labels = &[topic, number.as_str()];
        PartitionMetrics {
            consumed: self.consumed.with_label_values(labels),
            lag_seconds: self.lag_seconds.with_label_values(labels),
            messages: self.messages.with_label_values(labels),
            spans: self.spans.with_label_values(labels),
            paused: self.paused.with_label_values(labels),
            pauses: self.pauses.with_label_values(labels),
            missing: self.missing.with_label_values(labels),
        }
    }

    /// Tells the end of a partition; the lag follows.
    pub(super) fn set_end(&self, topic: &str, partition: i32, end: i64) {
        self.end.with_label_values(&[topic, &partition.to_string()]).set(end);
        self.show_lag(topic, partition);
    }

    /// Shows how many messages are produced and not stored, as far as the end is known.
    pub(super) fn show_lag(&self, topic: &str, partition: i32) {
        let number = partition.to_string();
        let labels = &[topic, number.as_str()];
        let lag = self.end.with_label_values(labels).get() - self.consumed.with_label_values(labels).get();
        self.lag.with_label_values(labels).set(lag.max(0));
    }

    /// Shows the age of the newest stored message.
    pub(super) fn set_lag_seconds(&self, topic: &str, partition: i32, seconds: f64) {
        self.lag_seconds.with_label_values(&[topic, &partition.to_string()]).set(seconds);
    }

    /// Messages of a partition that wait.
    pub(super) fn lag(&self, topic: &str, partition: i32) -> i64 {
        self.lag.with_label_values(&[topic, &partition.to_string()]).get()
    }

    /// Shows a partition no more: another member tells of it now.
    pub(super) fn forget(&self, topic: &str, partition: i32) {
        let number = partition.to_string();
        let labels = &[topic, number.as_str()];
        // Counters stay: a counter that vanishes and returns looks like a restart.
        for family in [&self.consumed, &self.end, &self.lag, &self.paused] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.lag_seconds.remove_label_values(labels);
    }

    pub(super) fn rebalanced(&self, change: Change) {
        self.rebalances.with_label_values(&[change.as_str()]).inc();
    }

    pub(super) fn repositioned(&self, reason: Reposition) {
        self.repositions.with_label_values(&[reason.as_str()]).inc();
    }

    pub(super) fn poisoned(&self, poison: Poison) {
        self.poisoned_many(poison, 1);
    }

    pub(super) fn poisoned_many(&self, poison: Poison, messages: u64) {
        self.transport.messages_dropped.inc_by(messages);
        self.poison.with_label_values(&[poison.as_str()]).inc_by(messages);
    }

    pub(super) fn dead_letter(&self, delivered: bool) {
        self.dead_letters.with_label_values(&[if delivered { "delivered" } else { "failed" }]).inc();
    }
}

fn one_counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn one_gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
