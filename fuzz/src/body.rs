//! Any request body through the collector's real routes: read in pieces, inflated, decoded, stored.
//!
//! An input is three bytes that choose the route, the encodings and the pieces, and then the body.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use prometheus::Registry;
use tower::ServiceExt as _;
use zipkind::ingest::{Collector, IngestConfig, MemoryBudget};
use zipkind::storage::{MemoryConfig, MemoryStorage, StorageOptions};
use zipkind::telemetry::CollectorMetrics;
use zipkind::transport::{http as collector, otlp};
use zipkind::web::body::BodyReader;
use zipkind::web::limits::BodyLimits;

/// A way in, and where messages for it lie.
#[derive(Debug)]
pub struct Route {
    /// Folder below `tests/golden`.
    pub folder: &'static str,
    path: &'static str,
    media_type: &'static str,
}

/// Every way in over HTTP.
pub const ROUTES: [Route; 6] = [
    Route { folder: "json_v2", path: "/api/v2/spans", media_type: "application/json" },
    Route { folder: "proto3", path: "/api/v2/spans", media_type: "application/x-protobuf" },
    Route { folder: "json_v1", path: "/api/v1/spans", media_type: "application/json" },
    Route { folder: "thrift", path: "/api/v1/spans", media_type: "application/x-thrift" },
    Route { folder: "otlp", path: "/v1/traces", media_type: "application/x-protobuf" },
    Route { folder: "otlp", path: "/v1/traces", media_type: "application/json" },
];

/// What `content-encoding` says, by the second byte of an input.
pub const ENCODINGS: [Option<&str>; 9] = [
    None,
    Some("gzip"),
    Some("deflate"),
    Some("zstd"),
    Some("br"),
    Some("gzip, zstd"),
    Some("br, deflate"),
    Some("snappy"),
    Some("gzip, gzip, gzip"),
];

/// In the second byte: the body is packed here, so that mutations reach the message within.
pub const PACK: u8 = 0x80;
const LIMITS: (usize, usize) = (64 << 10, 256 << 10);
const BUDGET_BYTES: usize = 64 << 20;
/// How long memory may take to come back when nothing is under way.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(5);

/// Answers with one of the statuses a body may have, the same packed and plain, and gives all memory back.
pub fn check(input: &[u8]) {
    let Some(([route, encoding, pieces], message)) = input.split_first_chunk::<3>() else { return };
    let route = &ROUTES[usize::from(*route) % ROUTES.len()];
    let packing = usize::from(encoding & !PACK) % ENCODINGS.len();
    DOOR.with(|door| {
        if encoding & PACK == 0 {
            door.post(route, ENCODINGS[packing], *pieces, message);
            return;
        }
        let packed = packed(packing, message);
        let status = door.post(route, ENCODINGS[packing], *pieces, &packed);
        // Nothing packed is refused and nothing is not; and three encodings are too many.
        if !message.is_empty() && packing != ENCODINGS.len() - 1 && message.len().max(packed.len()) <= LIMITS.0 {
            assert_eq!(status, door.post(route, None, 0, message), "{:?}", ENCODINGS[packing]);
        }
    });
}

/// The bytes in these encodings.
pub fn packed(packing: usize, bytes: &[u8]) -> Vec<u8> {
    let names = ENCODINGS[packing].unwrap_or_default().split(", ");
    names.fold(bytes.to_vec(), |bytes, name| pack(name, &bytes).expect("packing in memory does not fail"))
}

fn pack(encoding: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let fast = flate2::Compression::fast();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), fast);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), fast);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        "zstd" => zstd::stream::encode_all(bytes, 1),
        "br" => {
            let mut packed = Vec::new();
            let params = brotli::enc::BrotliEncoderParams { quality: 0, lgwin: 16, ..Default::default() };
            brotli::BrotliCompress(&mut &bytes[..], &mut packed, &params)?;
            Ok(packed)
        }
        _ => Ok(bytes.to_vec()),
    }
}

thread_local! {
    static DOOR: Door = Door::open();
}

/// The routes over a memory store, and a runtime to call them on.
struct Door {
    runtime: tokio::runtime::Runtime,
    router: Router,
    budget: MemoryBudget,
}

impl Door {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let budget = MemoryBudget::new(BUDGET_BYTES);
        let entered = runtime.enter();
        let router = routes(budget.clone()).expect("a registry of its own");
        drop(entered);
        Self { runtime, router, budget }
    }

    /// The status of the answer.
    fn post(&self, route: &Route, encoding: Option<&str>, pieces: u8, body: &[u8]) -> u16 {
        let mut request = Request::post(route.path).header("content-type", route.media_type);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let request = request.body(in_pieces(body, pieces)).expect("a request");
        let status = self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("routes always answer");
            let status = response.status().as_u16();
            drop(response);
            let given_back = async {
                while self.budget.used_bytes() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            let in_time = tokio::time::timeout(GIVEN_BACK_WITHIN, given_back).await;
            assert!(in_time.is_ok(), "{} bytes were not given back", self.budget.used_bytes());
            status
        });
        assert!([200, 202, 400, 413, 415].contains(&status), "{status}");
        status
    }
}

fn routes(budget: MemoryBudget) -> Result<Router, prometheus::Error> {
    let registry = Registry::new();
    let memory = MemoryConfig { spans_max: 2_000, bytes_max: 8 << 20 };
    let storage = Arc::new(MemoryStorage::new(memory, StorageOptions::default()));
    let ingest = Collector::start(&IngestConfig::default(), storage, &registry, budget.clone())?;
    let limits = BodyLimits {
        wire_bytes_max: LIMITS.0,
        inflated_bytes_max: LIMITS.1,
        // Small, so that the way over threads for work is taken, too.
        inline_bytes_max: 16 << 10,
        ..BodyLimits::default()
    };
    let bodies = BodyReader::register(limits, budget, &registry)?;
    let metrics = CollectorMetrics::register(&registry)?;
    let zipkin =
        collector::routes(ingest.clone(), &collector::HttpCollectorConfig::default(), &metrics, bodies.clone());
    Ok(zipkin.merge(otlp::routes(ingest, &otlp::OtlpConfig::default(), &metrics, bodies)))
}

/// The body whole for 0, else in pieces of about so many bytes.
fn in_pieces(body: &[u8], pieces: u8) -> Body {
    if pieces == 0 {
        return Body::from(body.to_vec());
    }
    let pieces: Vec<_> = body
        .chunks(usize::from(pieces) * 16)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_stream(futures_util::stream::iter(pieces))
}
