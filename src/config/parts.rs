//! Fills each part's struct from the rows of the table.

mod kafka;
mod reading;
mod self_tracing;
mod servers;
mod storage;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) use storage::database_file;
pub use storage::{StorageConfig, StorageKind};

use super::Config;
use super::reader::Reader;
use super::sources::EnvSource;
use super::variables as rows;
use crate::codec::DecodeLimits;
use crate::ingest::{AckMode, IngestConfig, memory_bytes_default};
use crate::telemetry::log::{LogConfig, LogLevel};
use crate::transport::grpc::GrpcCollectorConfig;
use crate::transport::http::HttpCollectorConfig;
use crate::transport::otlp::{OtlpConfig, OtlpPort};
use crate::web::cors::AllowedOrigins;
use crate::web::edge::EdgeConfig;
use crate::web::limits::{BodyLimits, ServerLimits};

/// Windows of HTTP/2: what the protocol begins with, and its most.
const WINDOW_BYTES: RangeInclusive<u32> = 65_535..=(1 << 31) - 1;

/// Listening, and the end of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address of everything; `None` for all interfaces, IPv6 and IPv4.
    pub address: Option<IpAddr>,
    /// Port of everything; 0 for a free one.
    pub port: u16,
    /// How long the end waits for requests under way and waiting spans.
    pub drain_timeout: Duration,
    /// Names of the sockets that are handed over (`LISTEN_FDNAMES`), in their order.
    pub listen_fd_names: Vec<String>,
    /// Threads that serve requests; `None` for one per processor.
    pub worker_threads: Option<usize>,
}

impl ServerConfig {
    /// The address to bind when one is set.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.address.map(|address| SocketAddr::new(address, self.port))
    }
}

/// Reads all parts. What cannot be read is a problem of the reader, and the result is then thrown away.
pub(super) fn read(reader: &mut Reader, env: &dyn EnvSource, notes: &mut Vec<String>) -> Config {
    let server = server(reader);
    let log = log(reader, notes);
    let self_tracing = self_tracing::self_tracing(reader);
    let storage = storage::storage(reader, env, notes);
    let query = reading::query(reader, &storage.options);
    let api = reading::api(reader, &storage.options);
    let ingest = ingest(reader);
    let decode = DecodeLimits {
        spans_max: reader.number(&rows::COLLECTOR_MESSAGE_SPANS_MAX, 1..=100_000_000),
        otlp_spans_bytes_max: reader.bytes(&rows::COLLECTOR_OTLP_SPANS_BYTES_MAX, 1 << 10),
    };
    let ingest_memory_bytes = reader.bytes_or(&rows::INGEST_MEMORY_BYTES, 1 << 20, memory_bytes_default());
    let mut config = Config {
        server,
        log,
        self_tracing,
        storage,
        ingest,
        ingest_memory_bytes,
        limits: server_limits(reader),
        body: body_limits(reader),
        http_collector: HttpCollectorConfig { enabled: reader.flag(&rows::COLLECTOR_HTTP_ENABLED), decode },
        grpc_collector: GrpcCollectorConfig {
            enabled: reader.flag(&rows::COLLECTOR_GRPC_ENABLED),
            decode,
            message_bytes_max: reader.bytes(&rows::GRPC_MESSAGE_BYTES_MAX, 1 << 10),
        },
        otlp: OtlpConfig {
            enabled: reader.flag(&rows::COLLECTOR_OTLP_ENABLED),
            http_port: otlp_port(reader, &rows::COLLECTOR_OTLP_HTTP_PORT, OtlpConfig::default().http_port),
            grpc_port: otlp_port(reader, &rows::COLLECTOR_OTLP_GRPC_PORT, OtlpConfig::default().grpc_port),
            decode,
        },
        kafka: kafka::kafka(reader, decode, notes),
        query,
        api,
        edge: EdgeConfig {
            allowed_origins: AllowedOrigins::parse(&reader.text(&rows::QUERY_ALLOWED_ORIGINS).unwrap_or_default()),
        },
        settings: Vec::new(),
        notes: Vec::new(),
    };
    if reader.flag(&rows::KAFKA_COLLECTOR_ONLY) {
        kafka::nothing_else(&mut config, reader);
    }
    config
}

/// A port that somebody set is wanted; the standard one is an offer.
fn otlp_port(reader: &mut Reader, variable: &rows::Variable, standard: Option<OtlpPort>) -> Option<OtlpPort> {
    match reader.number_if_set(variable, 0..=u16::MAX) {
        None => standard,
        Some(0) => None,
        Some(number) => Some(OtlpPort::Chosen(number)),
    }
}

fn server_limits(reader: &mut Reader) -> ServerLimits {
    ServerLimits {
        connections_max: reader.number(&rows::HTTP_CONNECTIONS_MAX, 1..=10_000_000),
        head_bytes_max: reader.bytes(&rows::HTTP_HEAD_BYTES_MAX, 8 << 10),
        head_timeout: reader.duration(&rows::HTTP_HEAD_TIMEOUT),
        idle_timeout: reader.duration(&rows::HTTP_IDLE_TIMEOUT),
        write_timeout: reader.duration(&rows::HTTP_WRITE_TIMEOUT),
        http2_streams_max: reader.number(&rows::HTTP2_STREAMS_MAX, 1..=100_000),
        http2_stream_window_bytes: reader.bytes_within(&rows::HTTP2_STREAM_WINDOW_BYTES, WINDOW_BYTES),
        http2_connection_window_bytes: reader.bytes_within(&rows::HTTP2_CONNECTION_WINDOW_BYTES, WINDOW_BYTES),
        http2_resets_pending_max: reader.number(&rows::HTTP2_RESETS_PENDING_MAX, 1..=100_000),
        // The drain timeout decides, when the server starts.
        shutdown_timeout: ServerLimits::default().shutdown_timeout,
    }
}

fn body_limits(reader: &mut Reader) -> BodyLimits {
    BodyLimits {
        wire_bytes_max: reader.bytes(&rows::HTTP_BODY_BYTES_MAX, 1 << 10),
        inflated_bytes_max: reader.bytes(&rows::HTTP_INFLATED_BYTES_MAX, 1 << 10),
        encodings_max: reader.number(&rows::HTTP_ENCODINGS_MAX, 1..=8),
        zstd_window_log_max: reader.bytes_within(&rows::HTTP_ZSTD_WINDOW_BYTES_MAX, 1 << 10..=128 << 20).ilog2(),
        inline_bytes_max: reader.bytes(&rows::HTTP_INLINE_BYTES_MAX, 0),
        work_max: reader.number_if_set(&rows::HTTP_WORK_MAX, 1..=1024).unwrap_or(0),
        work_wait: reader.duration(&rows::HTTP_WORK_WAIT),
        timeout: reader.duration(&rows::HTTP_BODY_TIMEOUT),
        memory_wait: reader.duration(&rows::COLLECTOR_QUEUE_WAIT),
    }
}

fn server(reader: &mut Reader) -> ServerConfig {
    ServerConfig {
        port: reader.number(&rows::QUERY_PORT, 0..=u16::MAX),
        address: reader.text(&rows::SERVER_ADDRESS).and_then(|text| match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                reader.problem("SERVER_ADDRESS", format!("\"{text}\" is not an IP address"));
                None
            }
        }),
        drain_timeout: reader.duration(&rows::SERVER_DRAIN_TIMEOUT),
        listen_fd_names: {
            // The number itself is read by the library that takes the sockets.
            let _: Option<u16> = reader.number_if_set(&rows::LISTEN_FDS, 0..=1024);
            let names = reader.text(&rows::LISTEN_FDNAMES).unwrap_or_default();
            names.split(':').map(str::to_owned).collect()
        },
        worker_threads: reader.number_if_set(&rows::SERVER_WORKER_THREADS, 1..=1024),
    }
}

fn log(reader: &mut Reader, notes: &mut Vec<String>) -> LogConfig {
    let format = reader.parsed(&rows::LOG_FORMAT).unwrap_or_default();
    let level = reader.parsed(&rows::LOG_LEVEL).unwrap_or(LogConfig::default().level);
    let mut targets = Vec::new();
    for (category, level) in reader.family(&rows::LOGGING_LEVEL, str::parse::<LogLevel>) {
        match log_target(&category) {
            Some(target) => targets.push((target, level)),
            None => notes.push(format!("logging.level.{category} has no effect: there is no such part in this server")),
        }
    }
    LogConfig { format, level, targets }
}

/// The module that a category of zipkin's, or of ours, means.
fn log_target(category: &str) -> Option<String> {
    let path = category.to_ascii_lowercase().replace('.', "::");
    match path.split("::").next()? {
        "zipkin" | "zipkin2" => Some("zipkind".to_owned()),
        "zipkind" => Some(path),
        _ => None,
    }
}

fn ingest(reader: &mut Reader) -> IngestConfig {
    let ack = match reader.choice(&rows::COLLECTOR_ACK) {
        Some("accepted") => AckMode::Accepted,
        _ => AckMode::Stored,
    };
    IngestConfig {
        sample_rate: reader.number(&rows::COLLECTOR_SAMPLE_RATE, 0.0..=1.0),
        ack,
        lanes: reader.number_if_set(&rows::INGEST_LANES, 1..=1024).unwrap_or(0),
        lane_messages_max: reader.number(&rows::INGEST_LANE_MESSAGES_MAX, 1..=10_000_000),
        messages_waiting_max: {
            let messages: usize = reader.number(&rows::STORAGE_THROTTLE_MAX_QUEUE_SIZE, 0..=10_000_000);
            reader.flag(&rows::STORAGE_THROTTLE_ENABLED).then_some(messages.max(1))
        },
        lane_bytes_max: reader.bytes(&rows::INGEST_LANE_BYTES_MAX, 1 << 16),
        batch_spans_max: reader.number(&rows::INGEST_BATCH_SPANS_MAX, 1..=10_000_000),
        batch_bytes_max: reader.bytes(&rows::INGEST_BATCH_BYTES_MAX, 1 << 10),
        linger: reader.duration(&rows::INGEST_LINGER),
        queue_wait: reader.duration(&rows::COLLECTOR_QUEUE_WAIT),
        lane_wait: reader.duration(&rows::INGEST_LANE_WAIT),
        write_timeout: reader.duration(&rows::INGEST_WRITE_TIMEOUT),
        retry_after: reader.duration(&rows::COLLECTOR_RETRY_AFTER),
    }
}
