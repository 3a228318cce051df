//! Which ways in are open.

use super::Effect::{Nothing, Used};
use super::Kind::{Flag, Number};
use super::Preset::{Computed, Text as Is};

const NOT_BUILT: super::Effect = Nothing("this version has no such collector");

super::variables! {
    COLLECTOR_SAMPLE_RATE: Number, Is("1.0"), Used, ["COLLECTOR_SAMPLE_RATE"], "zipkin.collector.sample-rate",
        "share of traces that are kept, 0 to 1; spans with the debug flag are always kept";
    COLLECTOR_HTTP_ENABLED: Flag, Is("true"), Used, ["COLLECTOR_HTTP_ENABLED", "HTTP_COLLECTOR_ENABLED"], "zipkin.collector.http.enabled",
        "take spans over HTTP";
    COLLECTOR_GRPC_ENABLED: Flag, Is("true"), Used, ["COLLECTOR_GRPC_ENABLED"], "zipkin.collector.grpc.enabled",
        "take spans over gRPC, zipkin's service on the main port";
    COLLECTOR_OTLP_ENABLED: Flag, Is("true"), Used, ["COLLECTOR_OTLP_ENABLED"], "zipkin.collector.otlp.enabled",
        "take OpenTelemetry's OTLP traces over HTTP and gRPC, on the main port and on those below";
    COLLECTOR_OTLP_HTTP_PORT: Number, Computed("4318"), Used, ["COLLECTOR_OTLP_HTTP_PORT"], "zipkin.collector.otlp.http-port",
        "port for OTLP over HTTP, 0 for none; when another process has it, a set port is an error and the default a warning";
    COLLECTOR_OTLP_GRPC_PORT: Number, Computed("4317"), Used, ["COLLECTOR_OTLP_GRPC_PORT"], "zipkin.collector.otlp.grpc-port",
        "port for OTLP over gRPC, as above";
    COLLECTOR_RABBITMQ_ENABLED: Flag, Is("true"), NOT_BUILT, ["COLLECTOR_RABBITMQ_ENABLED"], "zipkin.collector.rabbitmq.enabled",
        "take spans from RabbitMQ when there is an address";
    COLLECTOR_ACTIVEMQ_ENABLED: Flag, Is("true"), NOT_BUILT, ["COLLECTOR_ACTIVEMQ_ENABLED"], "zipkin.collector.activemq.enabled",
        "take spans from ActiveMQ when there is an address";
    COLLECTOR_PULSAR_ENABLED: Flag, Is("true"), NOT_BUILT, ["COLLECTOR_PULSAR_ENABLED"], "zipkin.collector.pulsar.enabled",
        "take spans from Pulsar when there is an address";
    COLLECTOR_SCRIBE_ENABLED: Flag, Is("false"), NOT_BUILT, ["COLLECTOR_SCRIBE_ENABLED", "SCRIBE_ENABLED"], "zipkin.collector.scribe.enabled",
        "take spans over Scribe";
}
