//! The forwarding role: spans that come in over HTTP, gRPC or OTLP go to a topic, and their senders are answered when all
//! replicas have them. To the rest of the process it is a store that keeps nothing and reads nothing.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use super::client::{Prober, ProducerEvents};
use super::config::KafkaConfig;
use crate::codec::proto3;
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};
use crate::storage::{
    Batch, Capabilities, ErrorKind, NoneStorage, QueryBudget, SourcePosition, SpanConsumer, SpanStore, StorageBackend,
    StorageError, Stored,
};

const NAME: &str = "kafka";
/// A message takes no further span beyond this many bytes of records: well below the brokers' default of 1 MB.
const MESSAGE_BYTES_MAX: usize = 500_000;
/// How long a message may take; its sender waits meanwhile.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(8);
/// How long brokers may take to answer a question about their health.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Writes that are under way at once.
const CONCURRENT_WRITES: usize = 8;

/// Sends spans to a topic.
pub struct Forwarder {
    producer: FutureProducer<ProducerEvents>,
    prober: Prober,
    servers: String,
    topic: String,
    nothing: NoneStorage,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// A forwarder to `topic`. Brokers may be away.
    ///
    /// # Errors
    /// When librdkafka refuses a property.
    pub fn new(config: &KafkaConfig, topic: &str) -> Result<Self, KafkaError> {
        let mut client = config.producer();
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            .set("compression.type", "lz4")
            .set("delivery.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string());
        Ok(Self {
            producer: client.create_with_context(ProducerEvents)?,
            prober: Prober::new(config)?,
            servers: config.bootstrap_servers.clone(),
            topic: topic.to_owned(),
            nothing: NoneStorage,
        })
    }

    async fn forward(&self, batch: &Batch) -> Result<Stored, StorageError> {
        if batch.position.is_some() {
            return Err(error(ErrorKind::Unsupported, "a topic keeps no positions"));
        }
        let messages: Vec<Vec<u8>> = messages(&batch.spans).map(|spans| proto3::encode(&spans)).collect();
        let sent = messages.iter().map(|payload| {
            let record = FutureRecord::<(), [u8]>::to(&self.topic).payload(payload.as_slice());
            self.producer.send(record, DELIVERY_TIMEOUT)
        });
        for result in join_all(sent).await {
            if let Err((reason, _)) = result {
                let too_large = reason.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
                // What was sent of the batch is sent again then: readers fold equal spans.
                return Err(error(if too_large { ErrorKind::Rejected } else { ErrorKind::Unavailable }, reason));
            }
        }
        Ok(Stored { spans: batch.spans.len() })
    }
}

/// Divides spans so that each part is a message.
fn messages(spans: &SpanBatch) -> impl Iterator<Item = SpanBatch> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let (mut to, mut bytes) = (from, 0);
        while to < spans.len() && (to == from || bytes + spans.record(to).len() <= MESSAGE_BYTES_MAX) {
            bytes += spans.record(to).len();
            to += 1;
        }
        let part = (to > from).then(|| spans.slice(from, to));
        from = to;
        part
    })
}

fn error(kind: ErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError::new(kind, NAME, "forward", source)
}

#[async_trait]
impl SpanConsumer for Forwarder {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        join_all(batches.iter().map(|batch| self.forward(batch))).await
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.nothing.source_position(group, topic, partition).await
    }
}

#[async_trait]
impl SpanStore for Forwarder {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.nothing.search(request, budget).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.nothing.traces(ids, budget).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.nothing.service_names().await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.nothing.span_names(service_name).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.nothing.remote_service_names(service_name).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        self.nothing.autocomplete_values(key).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.nothing.dependencies(end_ts_ms, lookback_ms, budget).await
    }
}

#[async_trait]
impl StorageBackend for Forwarder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        format!("KafkaForwarder{{bootstrapServers={}, topic={}}}", self.servers, self.topic)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrent_writes: CONCURRENT_WRITES, ..Capabilities::default() }
    }

    async fn check(&self) -> Result<(), StorageError> {
        let reachable = self.prober.is_reachable(&self.topic, ANSWER_TIMEOUT).await;
        reachable.map_err(|reason| error(ErrorKind::Unavailable, reason))
    }

    async fn close(&self) {
        let producer = self.producer.clone();
        let _ = tokio::task::spawn_blocking(move || producer.flush(DELIVERY_TIMEOUT)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, DecodeLimits, Format};

    fn batch(spans: usize, name_bytes: usize) -> SpanBatch {
        let name = "x".repeat(name_bytes);
        let spans: Vec<String> =
            (1..=spans).map(|id| format!(r#"{{"traceId":"a","id":"{id:x}","name":"{name}"}}"#)).collect();
        let json = format!("[{}]", spans.join(","));
        codec::decode(Format::JsonV2, json.as_bytes(), &DecodeLimits::default()).unwrap()
    }

    #[test]
    fn every_span_is_in_one_message_and_messages_are_bounded() {
        let spans = batch(30, 100_000);
        let parts: Vec<_> = messages(&spans).collect();
        assert_eq!(parts.iter().map(SpanBatch::len).sum::<usize>(), 30);
        assert!(parts.len() > 6 && parts.iter().all(|part| part.record_bytes() <= MESSAGE_BYTES_MAX));
        assert_eq!(messages(&batch(10, 5)).count(), 1);
        // A span beyond the bound is a message of its own, for the brokers to judge.
        assert_eq!(messages(&batch(2, 600_000)).count(), 2);
        assert_eq!(messages(&SpanBatch::new()).count(), 0);
    }
}
