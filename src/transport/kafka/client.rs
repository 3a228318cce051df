//! What librdkafka tells its clients, and the client that only asks.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::config::KafkaConfig;

/// Passes a line of librdkafka's log on.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(facility, "librdkafka: {line}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, "librdkafka: {line}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, "librdkafka: {line}"),
    }
}

/// Events of producers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProducerEvents;

impl ClientContext for ProducerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "a Kafka client reports an error");
    }
}

impl ProducerContext for ProducerEvents {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}

/// A client that produces nothing: it asks about brokers, offsets and groups. Cheap to clone.
#[derive(Clone)]
pub(super) struct Prober {
    client: Arc<ThreadedProducer<ProducerEvents>>,
}

impl Prober {
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, KafkaError> {
        Ok(Self { client: Arc::new(config.producer().create_with_context(ProducerEvents)?) })
    }

    /// True answers from the brokers, within `timeout`.
    pub(super) async fn is_reachable(&self, topic: &str, timeout: Duration) -> Result<(), KafkaError> {
        let topic = topic.to_owned();
        self.ask(move |client| client.client().fetch_metadata(Some(&topic), timeout).map(drop)).await
    }

    /// First offset that is there, and the one after the last.
    pub(super) async fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let topic = topic.to_owned();
        self.ask(move |client| client.client().fetch_watermarks(&topic, partition, timeout)).await
    }

    /// Members of a group that the brokers know.
    pub(super) async fn member_count(&self, group: &str, timeout: Duration) -> Result<usize, KafkaError> {
        let group = group.to_owned();
        self.ask(move |client| {
            let list = client.client().fetch_group_list(Some(&group), timeout)?;
            Ok(list.groups().iter().map(|group| group.members().len()).sum())
        })
        .await
    }

    /// These calls block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&ThreadedProducer<ProducerEvents>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let client = Arc::clone(&self.client);
        tokio::task::spawn_blocking(move || question(&client)).await.unwrap_or(Err(KafkaError::Canceled))
    }
}
