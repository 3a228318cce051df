//! Settings of the Kafka collector.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::codec::DecodeLimits;

/// Settings of the Kafka collector and of what else speaks to Kafka.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Consume at all (`COLLECTOR_KAFKA_ENABLED`).
    pub enabled: bool,
    /// Brokers to begin with, `host:port` with commas between; empty is off (`KAFKA_BOOTSTRAP_SERVERS`).
    pub bootstrap_servers: String,
    /// Topics of messages in zipkin's formats (`KAFKA_TOPIC`).
    pub topics: Vec<String>,
    /// Topics of OTLP protobuf (`KAFKA_OTLP_TOPIC`).
    pub otlp_topics: Vec<String>,
    /// The consumer group (`KAFKA_GROUP_ID`).
    pub group_id: String,
    /// Consumers in this process (`KAFKA_STREAMS`).
    pub streams: usize,
    /// Properties of librdkafka that somebody set, over all that is decided here. May hold passwords.
    pub properties: Vec<(String, String)>,
    /// Most bytes fetched ahead for one partition (`KAFKA_PREFETCH_BYTES`).
    pub prefetch_bytes: usize,
    /// How long a partition that is taken away may finish what it began (`KAFKA_DRAIN_TIMEOUT`).
    pub drain_timeout: Duration,
    /// Where messages go that cannot be kept (`KAFKA_DEAD_LETTER_TOPIC`); `None` drops them.
    pub dead_letter_topic: Option<String>,
    /// Where spans go that come in by other ways (`KAFKA_FORWARD_TOPIC`); nothing is read from Kafka then.
    pub forward_topic: Option<String>,
    /// Bounds of one message beyond its size.
    pub decode: DecodeLimits,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            bootstrap_servers: String::new(),
            topics: vec!["zipkin".to_owned()],
            otlp_topics: Vec::new(),
            group_id: "zipkin".to_owned(),
            streams: 1,
            properties: Vec::new(),
            prefetch_bytes: 4 << 20,
            drain_timeout: Duration::from_secs(10),
            dead_letter_topic: None,
            forward_topic: None,
            decode: DecodeLimits::default(),
        }
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("KafkaConfig")
            .field("enabled", &self.enabled)
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("topics", &self.topics)
            .field("otlp_topics", &self.otlp_topics)
            .field("group_id", &self.group_id)
            .field("streams", &self.streams)
            .field("properties", &names)
            .finish_non_exhaustive()
    }
}

impl KafkaConfig {
    /// True when there is something to consume.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled
            && self.forward_topic.is_none()
            && !self.bootstrap_servers.is_empty()
            && !self.all_topics().is_empty()
    }

    /// Every topic that is consumed, each once.
    #[must_use]
    pub fn all_topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = Vec::new();
        for topic in self.topics.iter().chain(&self.otlp_topics) {
            if !topics.contains(&topic.as_str()) {
                topics.push(topic);
            }
        }
        topics
    }

    /// What every client of this process has: brokers, security, and what else was set.
    pub(super) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap_servers).set("client.id", "zipkind");
        // Servers that ask clients for metrics get none: they stand under /prometheus.
        client.set("enable.metrics.push", "false");
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
    }

    /// The same for what is no member of a group: without the properties that only consumers have, which librdkafka
    /// would warn of.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut client = self.client();
        for (name, _) in &self.properties {
            if !SHARED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                client.remove(name);
            }
        }
        client
    }
}

/// Properties that mean the same to producers.
const SHARED_PREFIXES: &[&str] = &[
    "ssl.",
    "sasl.",
    "security.",
    "socket.",
    "client.",
    "bootstrap.",
    "metadata.",
    "reconnect.",
    "connections.",
    "broker.",
    "enable.ssl.",
    "enable.sasl.",
    "debug",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown_and_producers_get_what_is_theirs() {
        let properties = vec![
            ("sasl.password".to_owned(), "hunter2".to_owned()),
            ("auto.offset.reset".to_owned(), "latest".to_owned()),
        ];
        let config = KafkaConfig { properties, ..KafkaConfig::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.client().get("auto.offset.reset"), Some("latest"));
        assert_eq!(config.producer().get("auto.offset.reset"), None);
        assert_eq!(config.producer().get("sasl.password"), Some("hunter2"));
    }

    #[test]
    fn it_is_on_with_brokers_and_topics_alone() {
        let with = |servers: &str, enabled| KafkaConfig {
            bootstrap_servers: servers.to_owned(),
            enabled,
            ..KafkaConfig::default()
        };
        assert!(!with("", true).is_on());
        assert!(!with("k:9092", false).is_on());
        assert!(with("k:9092", true).is_on());
        let twice = KafkaConfig { otlp_topics: vec!["otlp".into(), "zipkin".into()], ..KafkaConfig::default() };
        assert_eq!(twice.all_topics(), ["zipkin", "otlp"]);
    }

    #[test]
    fn tls_plain_and_scram_are_compiled_in() {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let set = [
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", mechanism),
                ("sasl.username", "zipkin"),
                ("sasl.password", "secret"),
            ];
            let properties = set.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let config = KafkaConfig { properties, ..KafkaConfig::default() };
            let client: Result<rdkafka::producer::BaseProducer, _> = config.producer().create();
            assert!(client.is_ok(), "{mechanism}: {:?}", client.err());
        }
    }
}
