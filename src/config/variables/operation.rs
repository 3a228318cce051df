//! Server, logs and self tracing.

use super::Effect::{Mapped, Nothing, Used};
use super::Kind::{Choice, Duration, Flag, List, Number, Secret, Text, Url};
use super::Preset::{Computed, Text as Is, Unset};
use super::TimeUnit::Seconds;

const NO_TLS: super::Effect = Nothing("this version serves no TLS: put a proxy before it");
const NO_EUREKA: super::Effect = Nothing("this version does not register with Eureka");

super::variables! {
    QUERY_PORT: Number, Is("9411"), Used, ["QUERY_PORT"], "server.port",
        "port of everything; 0 takes a free one";
    SERVER_ADDRESS: Text, Computed("all interfaces, IPv6 and IPv4"), Used, ["SERVER_ADDRESS"], "server.address",
        "IP address to listen on";
    SERVER_DRAIN_TIMEOUT: Duration(Seconds), Is("10s"), Used, ["SERVER_DRAIN_TIMEOUT"], "zipkind.server.drain-timeout",
        "how long the end of the process waits for requests under way and for waiting spans to be stored";
    LISTEN_FDS: Number, Computed("none"), Used, ["LISTEN_FDS"], "",
        "how many listening sockets are handed over, as systemd does (with LISTEN_PID); they take the place of QUERY_PORT and the OTLP ports";
    LISTEN_FDNAMES: Text, Unset, Used, ["LISTEN_FDNAMES"], "",
        "their names with colons between: `otlp-http` and `otlp-grpc` are the OTLP ports; without such a name the port decides, and any other is for everything";
    SERVER_WORKER_THREADS: Number, Computed("one per processor"), Used, ["SERVER_WORKER_THREADS"], "zipkind.server.worker-threads",
        "threads that serve requests, 1 to 1024";
    LOG_FORMAT: Choice("text, json"), Is("text"), Used, ["LOG_FORMAT"], "zipkind.log.format",
        "one line of text, or one JSON object, per event";
    LOG_LEVEL: Choice("trace, debug, info, warn, error, off"), Is("info"), Used, ["LOG_LEVEL"], "logging.level.root",
        "least severe level that is logged";
    LOGGING_LEVEL: Choice("trace, debug, info, warn, error, off"), Unset,
        Mapped("zipkin's own categories (`zipkin`, `zipkin2` and below) mean all of zipkind; `zipkind.storage` and the like name a part; others have no effect"),
        [], "logging.level.*",
        "log level of a category";
    RED_METRICS_ENABLED: Flag, Is("false"), Used, ["RED_METRICS_ENABLED"], "zipkind.red-metrics.enabled",
        "count requests, errors and durations of services by span name in /prometheus, as spans are accepted";
    RED_METRICS_SERIES_MAX: Number, Is("1000"), Used, ["RED_METRICS_SERIES_MAX"], "zipkind.red-metrics.series-max",
        "most pairs of service and span name in those metrics, 1 to 100000; requests of others are counted together";
    JAVA_OPTS: Secret, Unset,
        Mapped("`-Dname=value` in it is read as a property; all else is for a JVM and has no effect"),
        ["JAVA_OPTS"], "",
        "options of zipkin's container image";
    COMPRESSION_ENABLED: Flag, Is("true"), Used, [], "server.compression.enabled",
        "compress answers for clients that allow it";
    COMPRESSION_MIME_TYPES: List, Is("application/json,application/javascript,text/css,image/svg"), Used, [], "server.compression.mime-types",
        "media types that are compressed";
    COMPRESSION_MIN_BYTES: super::Kind::Bytes, Is("2048"), Used, [], "server.compression.min-response-size",
        "smallest answer that is compressed";
    SELF_TRACING_ENABLED: Flag, Is("false"), Used, ["SELF_TRACING_ENABLED"], "zipkin.self-tracing.enabled",
        "trace own API calls, as service `zipkin-server`";
    SELF_TRACING_SAMPLE_RATE: Number, Is("1.0"), Used, ["SELF_TRACING_SAMPLE_RATE"], "zipkin.self-tracing.sample-rate",
        "share of own calls that begin a trace, 0 to 1; 1 leaves it to the next";
    SELF_TRACING_TRACES_PER_SECOND: Number, Is("1"), Used, ["SELF_TRACING_TRACES_PER_SECOND"], "zipkin.self-tracing.traces-per-second",
        "most own traces a second, 0 for all";
    SELF_TRACING_FLUSH_INTERVAL: Duration(Seconds), Is("1"), Used, ["SELF_TRACING_FLUSH_INTERVAL"], "zipkin.self-tracing.message-timeout",
        "time between two reports of own spans";
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: Url, Unset, Used, ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], "",
        "own spans go to this OTLP receiver instead of the own store: the whole `http://` address";
    OTEL_EXPORTER_OTLP_ENDPOINT: Url, Unset, Used, ["OTEL_EXPORTER_OTLP_ENDPOINT"], "",
        "the same without `/v1/traces`, which is added for HTTP";
    OTEL_EXPORTER_OTLP_PROTOCOL: Text, Is("http/protobuf"), Used, ["OTEL_EXPORTER_OTLP_PROTOCOL"], "",
        "what is spoken with that receiver: `http/protobuf` or `grpc`";
    SSL_ENABLED: Flag, Is("false"), NO_TLS, [], "armeria.ssl.enabled", "serve TLS";
    SSL_KEY_STORE: Text, Unset, NO_TLS, [], "armeria.ssl.key-store", "file of the key";
    SSL_KEY_STORE_TYPE: Text, Unset, NO_TLS, [], "armeria.ssl.key-store-type", "format of that file";
    SSL_KEY_STORE_PASSWORD: Secret, Unset, NO_TLS, [], "armeria.ssl.key-store-password", "password of that file";
    SSL_KEY_ALIAS: Text, Unset, NO_TLS, [], "armeria.ssl.key-alias", "which key of that file";
    SSL_PORTS: Text, Unset, NO_TLS, [], "armeria.ports*", "ports and their protocols";
    DISCOVERY_EUREKA_ENABLED: Flag, Is("true"), NO_EUREKA, ["DISCOVERY_EUREKA_ENABLED"], "zipkin.discovery.eureka.enabled",
        "register with Eureka when there is an address";
    EUREKA_SERVICE_URL: Url, Unset, NO_EUREKA, ["EUREKA_SERVICE_URL"], "zipkin.discovery.eureka.service-url",
        "address of Eureka";
    EUREKA_APP_NAME: Text, Is("zipkin"), NO_EUREKA, ["EUREKA_APP_NAME"], "zipkin.discovery.eureka.app-name",
        "name to register";
    EUREKA_INSTANCE_ID: Text, Computed("host:app:port"), NO_EUREKA, ["EUREKA_INSTANCE_ID"], "zipkin.discovery.eureka.instance-id",
        "id to register";
    EUREKA_HOSTNAME: Text, Computed("the machine's name"), NO_EUREKA, ["EUREKA_HOSTNAME"], "zipkin.discovery.eureka.hostname",
        "host to register";
}
