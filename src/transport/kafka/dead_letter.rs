//! Messages that cannot be kept go to a topic of their own, payload unchanged, with where they came from and why.

use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::client::ProducerEvents;
use super::config::KafkaConfig;
use super::message::Poison;

/// Headers of a dead letter.
pub(super) const REASON: &str = "zipkind-reason";
pub(super) const DETAIL: &str = "zipkind-detail";
pub(super) const SOURCE_TOPIC: &str = "zipkind-topic";
pub(super) const SOURCE_PARTITION: &str = "zipkind-partition";
pub(super) const SOURCE_OFFSET: &str = "zipkind-offset";

/// How long a dead letter may take; its partition waits meanwhile.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest explanation in a header.
const DETAIL_BYTES_MAX: usize = 1_000;

/// Where a message came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// The way to the dead-letter topic.
pub(super) struct DeadLetters {
    producer: FutureProducer<ProducerEvents>,
    topic: String,
}

impl DeadLetters {
    /// `None` when no topic is set.
    pub(super) fn new(config: &KafkaConfig) -> Result<Option<Self>, KafkaError> {
        let Some(topic) = config.dead_letter_topic.clone() else { return Ok(None) };
        let mut client = config.producer();
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("compression.type", "zstd")
            // A message that a broker took, with its headers, is taken again.
            .set("message.max.bytes", "100000000")
            .set("delivery.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string());
        Ok(Some(Self { producer: client.create_with_context(ProducerEvents)?, topic }))
    }

    /// Sends a message; `Ok` when all replicas have it.
    pub(super) async fn send(
        &self,
        source: Source<'_>,
        poison: Poison,
        detail: &str,
        payload: &[u8],
    ) -> Result<(), KafkaError> {
        let (partition, offset) = (source.partition.to_string(), source.offset.to_string());
        let header = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new()
            .insert(header(REASON, poison.as_str()))
            .insert(header(DETAIL, shortened(detail)))
            .insert(header(SOURCE_TOPIC, source.topic))
            .insert(header(SOURCE_PARTITION, &partition))
            .insert(header(SOURCE_OFFSET, &offset));
        let record = FutureRecord::<(), [u8]>::to(&self.topic).payload(payload).headers(headers);
        match self.producer.send(record, DELIVERY_TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(DETAIL_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_explanation_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(DETAIL_BYTES_MAX);
        assert_eq!(shortened(&format!("x{long}")).len(), DETAIL_BYTES_MAX - 1);
    }
}
