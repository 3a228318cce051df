//! Kafka: what is read, and what else is done with it.

use super::Effect::{Mapped, Used};
use super::Kind::{Bytes, Duration, Flag, List, Number, Secret, Text};
use super::Preset::{Text as Is, Unset};
use super::TimeUnit::Milliseconds;

super::variables! {
    COLLECTOR_KAFKA_ENABLED: Flag, Is("true"), Used, ["COLLECTOR_KAFKA_ENABLED"], "zipkin.collector.kafka.enabled",
        "take spans from Kafka when there is an address";
    KAFKA_BOOTSTRAP_SERVERS: List, Unset, Used, ["KAFKA_BOOTSTRAP_SERVERS"], "zipkin.collector.kafka.bootstrap-servers",
        "brokers to begin with, host:port; unset: nothing is read from Kafka";
    KAFKA_TOPIC: List, Is("zipkin"), Used, ["KAFKA_TOPIC"], "zipkin.collector.kafka.topic",
        "topics of messages in zipkin's formats, told apart by content: JSON v2 and v1, protobuf, thrift";
    KAFKA_OTLP_TOPIC: List, Unset, Used, ["KAFKA_OTLP_TOPIC"], "zipkind.collector.kafka.otlp-topic",
        "topics of OTLP protobuf, read as well";
    KAFKA_GROUP_ID: Text, Is("zipkin"), Used, ["KAFKA_GROUP_ID"], "zipkin.collector.kafka.group-id",
        "consumer group";
    KAFKA_STREAMS: Number, Is("1"), Used, ["KAFKA_STREAMS"], "zipkin.collector.kafka.streams",
        "consumers of this process, 1 to 64; one serves many partitions at once";
    KAFKA_OVERRIDES: Secret, Unset, Mapped("properties of the Java client are translated to librdkafka's, its own names are taken too; a line at start names each that has no equivalent"), [], "zipkin.collector.kafka.overrides.*",
        "any property of the consumer";
    KAFKA_PREFETCH_BYTES: Bytes, Is("4MiB"), Used, ["KAFKA_PREFETCH_BYTES"], "zipkind.collector.kafka.prefetch-bytes",
        "most bytes fetched ahead for one partition, all together at most half of INGEST_MEMORY_BYTES";
    KAFKA_DRAIN_TIMEOUT: Duration(Milliseconds), Is("10s"), Used, ["KAFKA_DRAIN_TIMEOUT"], "zipkind.collector.kafka.drain-timeout",
        "how long a partition that moves to another member may finish what it began";
    KAFKA_DEAD_LETTER_TOPIC: Text, Unset, Used, ["KAFKA_DEAD_LETTER_TOPIC"], "zipkind.collector.kafka.dead-letter-topic",
        "topic for messages that cannot be kept, with the reason in headers; unset: they are counted and dropped";
    KAFKA_COLLECTOR_ONLY: Flag, Is("false"), Used, ["KAFKA_COLLECTOR_ONLY"], "zipkind.collector.kafka.only",
        "read Kafka and do nothing else: no other way in, no queries, no UI; health and metrics stay";
    KAFKA_FORWARD_TOPIC: Text, Unset, Used, ["KAFKA_FORWARD_TOPIC"], "zipkind.kafka.forward-topic",
        "spans that come in over HTTP, gRPC and OTLP go to this topic instead of a store, and senders hear 202 when all replicas have them; nothing is read from Kafka then";
}
