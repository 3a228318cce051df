//! Fills each part's struct from the rows of the table.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use super::reader::Reader;
use super::sources::EnvSource;
use super::variables as rows;
use crate::api::{ApiConfig, UiConfig};
use crate::codec::DecodeLimits;
use crate::ingest::{AckMode, IngestConfig, memory_bytes_default};
use crate::query::QueryConfig;
use crate::storage::{MemoryConfig, StorageOptions};
use crate::telemetry::log::{LogConfig, LogLevel};
use crate::transport::http::HttpCollectorConfig;
use crate::web::cors::AllowedOrigins;
use crate::web::edge::EdgeConfig;
use crate::web::limits::{BodyLimits, ServerLimits};

/// Listening, and the end of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address of everything; `None` for all interfaces, IPv6 and IPv4.
    pub address: Option<IpAddr>,
    /// Port of everything; 0 for a free one.
    pub port: u16,
    /// How long the end waits for requests under way and waiting spans.
    pub drain_timeout: Duration,
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

/// Where spans rest.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// Which backend.
    pub kind: StorageKind,
    /// Settings all backends share.
    pub options: StorageOptions,
    /// Settings of the memory store.
    pub memory: MemoryConfig,
    /// Directory of the embedded database.
    pub sqlite_path: PathBuf,
    /// Time between two rounds of background work.
    pub maintain_interval: Duration,
    /// How long one write may take.
    pub write_timeout: Duration,
}

/// The backends that can be chosen (`STORAGE_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// The durable embedded database.
    Sqlite,
    /// Memory only.
    Mem,
    /// Nowhere.
    None,
}

impl StorageKind {
    /// As in `STORAGE_TYPE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mem => "mem",
            Self::None => "none",
        }
    }
}

/// Reads all parts. What cannot be read is a problem of the reader, and the result is then thrown away.
pub(super) fn read(reader: &mut Reader, env: &dyn EnvSource, notes: &mut Vec<String>) -> Config {
    let server = server(reader);
    let log = log(reader, notes);
    let storage = storage(reader, env, notes);
    let query = query(reader, &storage.options);
    let api = api(reader);
    let ingest = ingest(reader);
    let ingest_memory_bytes = match reader.bytes_if_set(&rows::INGEST_MEMORY_BYTES, 1 << 20) {
        Some(bytes) => bytes,
        None => reader.preset(&rows::INGEST_MEMORY_BYTES, memory_bytes_default()),
    };
    Config {
        server,
        log,
        storage,
        ingest,
        ingest_memory_bytes,
        limits: server_limits(reader),
        body: body_limits(reader),
        http_collector: HttpCollectorConfig {
            enabled: reader.flag(&rows::COLLECTOR_HTTP_ENABLED),
            decode: DecodeLimits { spans_max: reader.number(&rows::COLLECTOR_MESSAGE_SPANS_MAX, 1..=100_000_000) },
        },
        query,
        api,
        edge: EdgeConfig {
            allowed_origins: AllowedOrigins::parse(&reader.text(&rows::QUERY_ALLOWED_ORIGINS).unwrap_or_default()),
        },
        settings: Vec::new(),
        notes: Vec::new(),
    }
}

fn query(reader: &mut Reader, options: &StorageOptions) -> QueryConfig {
    QueryConfig {
        search_enabled: options.search_enabled,
        timeout: reader.duration_unless_zero(&rows::QUERY_TIMEOUT),
        lookback_default_ms: milliseconds(reader.duration(&rows::QUERY_LOOKBACK)),
        spans_read_max: reader.number(&rows::QUERY_SPANS_MAX, 1..=u64::MAX),
        autocomplete_keys: options.autocomplete_keys.clone(),
    }
}

fn api(reader: &mut Reader) -> ApiConfig {
    let query_enabled = reader.flag(&rows::QUERY_ENABLED);
    ApiConfig {
        query_enabled,
        ui_enabled: reader.flag_or(&rows::UI_ENABLED, query_enabled),
        names_max_age: reader.duration(&rows::QUERY_NAMES_CACHE),
        ui: ui(reader),
    }
}

fn ui(reader: &mut Reader) -> UiConfig {
    UiConfig {
        environment: reader.text(&rows::UI_ENVIRONMENT).unwrap_or_default(),
        query_limit: reader.number(&rows::UI_QUERY_LIMIT, 1..=i32::MAX),
        default_lookback_ms: milliseconds(reader.duration(&rows::UI_DEFAULT_LOOKBACK)),
        logs_url: reader.text(&rows::UI_LOGS_URL),
        support_url: reader.text(&rows::UI_SUPPORT_URL),
        archive_post_url: reader.text(&rows::UI_ARCHIVE_POST_URL),
        archive_url: reader.text(&rows::UI_ARCHIVE_URL),
        dependency_enabled: reader.flag(&rows::UI_DEPENDENCY_ENABLED),
        dependency_low_error_rate: reader.number(&rows::UI_DEPENDENCY_LOW_ERROR_RATE, 0.0..=1.0),
        dependency_high_error_rate: reader.number(&rows::UI_DEPENDENCY_HIGH_ERROR_RATE, 0.0..=1.0),
        base_path: reader.text(&rows::UI_BASEPATH).unwrap_or_default(),
        link_patterns: reader.json(&rows::UI_LINK_PATTERNS).unwrap_or_default(),
        trace_bytes_max: reader.bytes(&rows::UI_TRACE_BYTES_MAX, 1) as u64,
        frame_ancestors: reader.text(&rows::UI_FRAME_ANCESTORS).unwrap_or_default(),
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn server_limits(reader: &mut Reader) -> ServerLimits {
    ServerLimits {
        connections_max: reader.number(&rows::HTTP_CONNECTIONS_MAX, 1..=10_000_000),
        head_bytes_max: reader.bytes(&rows::HTTP_HEAD_BYTES_MAX, 8 << 10),
        head_timeout: reader.duration(&rows::HTTP_HEAD_TIMEOUT),
        idle_timeout: reader.duration(&rows::HTTP_IDLE_TIMEOUT),
        write_timeout: reader.duration(&rows::HTTP_WRITE_TIMEOUT),
        ..ServerLimits::default()
    }
}

fn body_limits(reader: &mut Reader) -> BodyLimits {
    BodyLimits {
        wire_bytes_max: reader.bytes(&rows::HTTP_BODY_BYTES_MAX, 1 << 10),
        inflated_bytes_max: reader.bytes(&rows::HTTP_INFLATED_BYTES_MAX, 1 << 10),
        timeout: reader.duration(&rows::HTTP_BODY_TIMEOUT),
        memory_wait: reader.duration(&rows::COLLECTOR_QUEUE_WAIT),
        ..BodyLimits::default()
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

fn storage(reader: &mut Reader, env: &dyn EnvSource, notes: &mut Vec<String>) -> StorageConfig {
    let kind = match reader.choice(&rows::STORAGE_TYPE) {
        Some("mem") => StorageKind::Mem,
        Some("none") => StorageKind::None,
        _ => StorageKind::Sqlite,
    };
    if reader.is_set(&rows::MEM_MAX_SPANS) && !reader.is_set(&rows::STORAGE_TYPE) {
        notes.push(
            "MEM_MAX_SPANS is set without STORAGE_TYPE=mem: spans go to the durable store (sqlite), not to memory"
                .to_owned(),
        );
    }
    let options = StorageOptions {
        strict_trace_id: reader.flag(&rows::STRICT_TRACE_ID),
        search_enabled: reader.flag(&rows::SEARCH_ENABLED),
        autocomplete_keys: reader.list(&rows::AUTOCOMPLETE_KEYS),
        service_names_max: reader.number(&rows::STORAGE_SERVICE_NAMES_MAX, 1..=10_000_000),
        names_per_service_max: reader.number(&rows::STORAGE_NAMES_PER_SERVICE_MAX, 1..=10_000_000),
    };
    let memory = MemoryConfig {
        spans_max: reader.number(&rows::MEM_MAX_SPANS, 1..=usize::MAX),
        bytes_max: reader.bytes(&rows::MEM_MAX_BYTES, 1 << 20),
    };
    StorageConfig {
        kind,
        options,
        memory,
        sqlite_path: sqlite_path(reader, env),
        maintain_interval: reader.duration(&rows::RETENTION_INTERVAL).max(Duration::from_millis(100)),
        write_timeout: reader.duration(&rows::STORAGE_WRITE_TIMEOUT),
    }
}

fn sqlite_path(reader: &mut Reader, env: &dyn EnvSource) -> PathBuf {
    if reader.is_set(&rows::SQLITE_PATH) {
        return PathBuf::from(reader.text(&rows::SQLITE_PATH).unwrap_or_default());
    }
    let data_home = env.get("XDG_DATA_HOME").filter(|home| !home.is_empty());
    let path = data_home.map_or_else(|| PathBuf::from("/var/lib/zipkind"), |home| PathBuf::from(home).join("zipkind"));
    reader.preset(&rows::SQLITE_PATH, path.display());
    path
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
        lane_bytes_max: reader.bytes(&rows::INGEST_LANE_BYTES_MAX, 1 << 16),
        batch_spans_max: reader.number(&rows::INGEST_BATCH_SPANS_MAX, 1..=10_000_000),
        batch_bytes_max: reader.bytes(&rows::INGEST_BATCH_BYTES_MAX, 1 << 10),
        linger: reader.duration(&rows::INGEST_LINGER),
        queue_wait: reader.duration(&rows::COLLECTOR_QUEUE_WAIT),
        lane_wait: reader.duration(&rows::INGEST_LANE_WAIT),
        write_timeout: reader.duration(&rows::STORAGE_WRITE_TIMEOUT),
        retry_after: reader.duration(&rows::COLLECTOR_RETRY_AFTER),
    }
}
