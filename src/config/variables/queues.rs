//! Queues and RPC of zipkin: understood, and not built yet.

use super::Effect::Nothing;
use super::Kind::{Duration, Flag, List, Number, Secret, Text, Url};
use super::Preset::{Text as Is, Unset};
use super::TimeUnit::Milliseconds;

const NO_RABBITMQ: super::Effect = Nothing("this version has no RabbitMQ collector");
const NO_ACTIVEMQ: super::Effect = Nothing("this version has no ActiveMQ collector");
const NO_PULSAR: super::Effect = Nothing("this version has no Pulsar collector");
const NO_SCRIBE: super::Effect = Nothing("this version has no Scribe collector");
const NOT_READ: super::Effect = Nothing("zipkin 3.6 documents it but does not read it, and neither does this server");

super::variables! {
    RABBIT_ADDRESSES: List, Unset, NO_RABBITMQ, ["RABBIT_ADDRESSES"], "zipkin.collector.rabbitmq.addresses", "hosts with ports";
    RABBIT_URI: Url, Unset, NO_RABBITMQ, ["RABBIT_URI"], "zipkin.collector.rabbitmq.uri", "address, wins over its parts";
    RABBIT_CONCURRENCY: Number, Is("1"), NO_RABBITMQ, ["RABBIT_CONCURRENCY"], "zipkin.collector.rabbitmq.concurrency", "consumers";
    RABBIT_CONNECTION_TIMEOUT: Duration(Milliseconds), Is("60000"), NO_RABBITMQ, ["RABBIT_CONNECTION_TIMEOUT"], "zipkin.collector.rabbitmq.connection-timeout", "time limit of connecting";
    RABBIT_USER: Text, Is("guest"), NO_RABBITMQ, ["RABBIT_USER"], "zipkin.collector.rabbitmq.username", "user";
    RABBIT_PASSWORD: Secret, Is("guest"), NO_RABBITMQ, ["RABBIT_PASSWORD"], "zipkin.collector.rabbitmq.password", "password";
    RABBIT_QUEUE: Text, Is("zipkin"), NO_RABBITMQ, ["RABBIT_QUEUE"], "zipkin.collector.rabbitmq.queue", "queue";
    RABBIT_VIRTUAL_HOST: Text, Is("/"), NO_RABBITMQ, ["RABBIT_VIRTUAL_HOST"], "zipkin.collector.rabbitmq.virtual-host", "virtual host";
    RABBIT_USE_SSL: Flag, Is("false"), NO_RABBITMQ, ["RABBIT_USE_SSL"], "zipkin.collector.rabbitmq.use-ssl", "connect with TLS";

    ACTIVEMQ_URL: Url, Unset, NO_ACTIVEMQ, ["ACTIVEMQ_URL"], "zipkin.collector.activemq.url", "address of the broker";
    ACTIVEMQ_QUEUE: Text, Is("zipkin"), NO_ACTIVEMQ, ["ACTIVEMQ_QUEUE"], "zipkin.collector.activemq.queue", "queue";
    ACTIVEMQ_CONCURRENCY: Number, Is("1"), NO_ACTIVEMQ, ["ACTIVEMQ_CONCURRENCY"], "zipkin.collector.activemq.concurrency", "consumers";
    ACTIVEMQ_USERNAME: Text, Unset, NO_ACTIVEMQ, ["ACTIVEMQ_USERNAME"], "zipkin.collector.activemq.username", "user";
    ACTIVEMQ_PASSWORD: Secret, Unset, NO_ACTIVEMQ, ["ACTIVEMQ_PASSWORD"], "zipkin.collector.activemq.password", "password";
    ACTIVEMQ_PREFIX: Text, Is("zipkin"), NO_ACTIVEMQ, [], "zipkin.collector.activemq.client-id-prefix", "start of client ids";
    ACTIVEMQ_CONNECTION_PREFIX: Text, Is("zipkin"), NO_ACTIVEMQ, [], "zipkin.collector.activemq.connection-id-prefix", "start of connection ids";
    ACTIVEMQ_CLIENT_ID_PREFIX: Text, Unset, NOT_READ, ["ACTIVEMQ_CLIENT_ID_PREFIX"], "", "use the property";

    PULSAR_SERVICE_URL: Url, Unset, NO_PULSAR, ["PULSAR_SERVICE_URL"], "zipkin.collector.pulsar.service-url", "address of the broker";
    PULSAR_TOPIC: Text, Is("zipkin"), NO_PULSAR, ["PULSAR_TOPIC"], "zipkin.collector.pulsar.topic", "topic";
    PULSAR_SUBSCRIPTION_NAME: Text, Is("zipkin"), NO_PULSAR, ["PULSAR_SUBSCRIPTION_NAME"], "zipkin.collector.pulsar.subscription-name", "subscription";
    PULSAR_CONCURRENCY: Number, Is("1"), NO_PULSAR, ["PULSAR_CONCURRENCY"], "zipkin.collector.pulsar.concurrency", "consumers";
    PULSAR_CLIENT_PROPS: Secret, Unset, NO_PULSAR, [], "zipkin.collector.pulsar.client-props.*", "any property of the client";
    PULSAR_CONSUMER_PROPS: Secret, Unset, NO_PULSAR, [], "zipkin.collector.pulsar.consumer-props.*", "any property of the consumer";

    COLLECTOR_PORT: Number, Is("9410"), NO_SCRIBE, ["COLLECTOR_PORT"], "zipkin.collector.scribe.port", "port of Scribe";
    SCRIBE_CATEGORY: Text, Is("zipkin"), NO_SCRIBE, ["SCRIBE_CATEGORY"], "zipkin.collector.scribe.category", "category that is taken";
}
