//! The Kafka collector.

use crate::codec::DecodeLimits;
use crate::config::Config;
use crate::config::reader::Reader;
use crate::config::variables as rows;
use crate::transport::kafka::KafkaConfig;
use crate::transport::kafka::overrides::{self, Mapped};

/// Topic names as Kafka takes them.
const TOPIC_BYTES_MAX: usize = 249;

pub(super) fn kafka(reader: &mut Reader, decode: DecodeLimits, notes: &mut Vec<String>) -> KafkaConfig {
    let bootstrap_servers = reader.list(&rows::KAFKA_BOOTSTRAP_SERVERS).join(",");
    let dead_letter_topic = reader.text(&rows::KAFKA_DEAD_LETTER_TOPIC);
    let forward_topic = reader.text(&rows::KAFKA_FORWARD_TOPIC);
    let config = KafkaConfig {
        enabled: reader.flag(&rows::COLLECTOR_KAFKA_ENABLED),
        topics: reader.list(&rows::KAFKA_TOPIC),
        otlp_topics: reader.list(&rows::KAFKA_OTLP_TOPIC),
        group_id: reader.text(&rows::KAFKA_GROUP_ID).unwrap_or_default(),
        streams: reader.number(&rows::KAFKA_STREAMS, 1..=64),
        properties: properties(reader, notes),
        prefetch_bytes: reader.bytes(&rows::KAFKA_PREFETCH_BYTES, 64 << 10),
        drain_timeout: reader.duration(&rows::KAFKA_DRAIN_TIMEOUT),
        dead_letter_topic,
        forward_topic,
        bootstrap_servers,
        decode,
    };
    let topics = config
        .all_topics()
        .into_iter()
        .chain(config.dead_letter_topic.as_deref())
        .chain(config.forward_topic.as_deref());
    for topic in topics.filter(|topic| !is_topic(topic)).map(str::to_owned).collect::<Vec<_>>() {
        reader.problem("KAFKA_TOPIC", format!("\"{topic}\" is no name of a topic"));
    }
    if config.dead_letter_topic.as_deref().is_some_and(|topic| config.all_topics().contains(&topic)) {
        reader.problem(
            "KAFKA_DEAD_LETTER_TOPIC",
            "is one of the topics that are read, so messages would go round for ever",
        );
    }
    if config.forward_topic.is_some() && config.bootstrap_servers.is_empty() {
        reader.problem("KAFKA_FORWARD_TOPIC", "needs KAFKA_BOOTSTRAP_SERVERS");
    }
    config
}

/// Switches off everything that is not Kafka.
pub(super) fn nothing_else(config: &mut Config, reader: &mut Reader) {
    if !config.kafka.is_on() {
        reader
            .problem("KAFKA_COLLECTOR_ONLY", "needs KAFKA_BOOTSTRAP_SERVERS and a Kafka collector that is switched on");
    }
    config.http_collector.enabled = false;
    config.grpc_collector.enabled = false;
    config.otlp.enabled = false;
    config.api.query_enabled = false;
    config.api.ui_enabled = false;
}

/// Overrides in librdkafka's words.
fn properties(reader: &mut Reader, notes: &mut Vec<String>) -> Vec<(String, String)> {
    let set = reader.family(&rows::KAFKA_OVERRIDES, |text| Ok(text.to_owned()));
    let mut properties = Vec::new();
    for (name, mapped) in overrides::map(&set) {
        let property = format!("zipkin.collector.kafka.overrides.{name}");
        match mapped {
            Mapped::To(pairs) => properties.extend(pairs),
            Mapped::NoEffect(reason) => notes.push(format!("{property} has no effect: {reason}")),
            Mapped::Wrong(reason) => reader.problem(property, reason),
        }
    }
    properties
}

fn is_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=TOPIC_BYTES_MAX).contains(&name.len()) && name.bytes().all(legal) && !matches!(name, "." | "..")
}
