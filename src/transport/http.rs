//! Spans over HTTP: `POST /api/v2/spans` and `POST /api/v1/spans`, with zipkin's order of checks, answers and accounts.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode, Version};

use crate::codec::{self, DecodeError, DecodeLimits, Format};
use crate::ingest::{Collector, MemoryPermit, SubmitError};
use crate::model::SpanBatch;
use crate::telemetry::{CollectorMetrics, TransportMetrics};
use crate::web::answer;
use crate::web::body::{BodyError, BodyReader, ReceivedBody};
use crate::web::inflate::Encoding;

/// What senders are told to wait when the server has no memory for their message.
const RETRY_AFTER_MEMORY: Duration = Duration::from_secs(1);
/// Decoded spans of the binary formats take up to this many times the memory of their bytes, those of JSON as much.
const BINARY_GROWTH_MAX: usize = 3;

/// Settings of the HTTP collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCollectorConfig {
    /// Serve the routes at all (`COLLECTOR_HTTP_ENABLED`).
    pub enabled: bool,
    /// Bounds of one message beyond its size.
    pub decode: DecodeLimits,
}

impl Default for HttpCollectorConfig {
    fn default() -> Self {
        Self { enabled: true, decode: DecodeLimits::default() }
    }
}

/// The collector's routes; none when it is switched off.
pub fn routes(
    collector: Collector,
    config: &HttpCollectorConfig,
    metrics: &CollectorMetrics,
    bodies: BodyReader,
) -> Router {
    // The transport's counters are shown from the start, also when it is switched off.
    let metrics = metrics.transport("http");
    if !config.enabled {
        return Router::new();
    }
    let receiver = Arc::new(Receiver { collector, decode: config.decode, metrics, bodies });
    let route = |path_version: PathVersion| {
        let receiver = Arc::clone(&receiver);
        post(move |request: Request| async move { receiver.receive(path_version, request).await })
    };
    Router::new().route("/api/v2/spans", route(PathVersion::V2)).route("/api/v1/spans", route(PathVersion::V1))
}

#[derive(Clone, Copy, Debug)]
enum PathVersion {
    V1,
    V2,
}

impl PathVersion {
    /// The path and the media type decide; nothing is found out from the bytes.
    fn format(self, headers: &HeaderMap) -> Format {
        let media_type = headers.get(CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
        let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match self {
            Self::V2 if essence.eq_ignore_ascii_case(b"application/x-protobuf") => Format::Proto3,
            Self::V2 => Format::JsonV2,
            Self::V1 if essence.eq_ignore_ascii_case(b"application/x-thrift") => Format::Thrift,
            Self::V1 => Format::JsonV1,
        }
    }
}

/// Why a message is not taken.
#[derive(Debug)]
enum Refusal {
    Body(BodyError),
    /// It is no list of the format at all.
    List(DecodeError),
    /// One of its spans cannot be read.
    Decode(DecodeError),
    Submit(SubmitError),
}

struct Receiver {
    collector: Collector,
    decode: DecodeLimits,
    metrics: TransportMetrics,
    bodies: BodyReader,
}

impl Receiver {
    async fn receive(&self, path_version: PathVersion, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let format = path_version.format(&head.headers);
        match self.take(format, &head.headers, body).await {
            Ok(()) => accepted(),
            Err(refusal) => {
                tracing::debug!(?refusal, %format, "a message was refused");
                refusal.answer(head.version)
            }
        }
    }

    /// The steps of zipkin's collector, in its order.
    async fn take(&self, format: Format, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
        let received = self.bodies.read(headers, body).await.map_err(Refusal::Body)?;
        self.metrics.messages.inc();
        let inflated = self.bodies.inflate(headers, received).await.map_err(|error| {
            self.metrics.messages_dropped.inc();
            Refusal::Body(error)
        })?;
        if inflated.bytes.is_empty() || *inflated.bytes == *b"[]" {
            return Ok(());
        }
        self.metrics.bytes.inc_by(inflated.bytes.len() as u64);
        self.metrics.message_bytes.set(inflated.bytes.len() as f64);
        let (spans, permit) = self.decode(format, inflated).await.inspect_err(|refusal| {
            // Zipkin counts a message whose spans it cannot read twice.
            self.metrics.messages_dropped.inc_by(if matches!(refusal, Refusal::Decode(_)) { 2 } else { 1 });
        })?;
        self.collector.submit(&self.metrics, spans, permit).await.map_err(Refusal::Submit)
    }

    /// Spans and their memory. The body's memory is given back.
    async fn decode(&self, format: Format, body: ReceivedBody) -> Result<(SpanBatch, MemoryPermit), Refusal> {
        let ReceivedBody { bytes, mut permit } = body;
        let growth = if matches!(format, Format::JsonV2 | Format::JsonV1) { 1 } else { BINARY_GROWTH_MAX };
        let more = bytes.len() * growth;
        permit.grow(more, self.bodies.memory_wait()).await.map_err(|refused| Refusal::Body(refused.into()))?;
        let limits = self.decode;
        let decode = move || {
            codec::check_list(format, &bytes).map_err(Refusal::List)?;
            codec::decode(format, &bytes, &limits).map_err(Refusal::Decode)
        };
        let spans = self.bodies.work(more / growth, decode).await.map_err(Refusal::Body)??;
        let spans_bytes = spans.memory_bytes();
        permit.shrink_to(spans_bytes);
        // Spans that grew beyond the estimate are there already: counted when there is room for it, never waited for.
        let _ = permit.try_grow(spans_bytes.saturating_sub(permit.bytes()));
        Ok((spans, permit))
    }
}

fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

impl Refusal {
    fn answer(&self, version: Version) -> Response {
        let (status, text, retry_after, close) = match self {
            Self::Body(error) => {
                let retry_after = error.is_retryable().then_some(RETRY_AFTER_MEMORY);
                (error.status(), body_message(*error), retry_after, error.closes_connection())
            }
            Self::List(error) | Self::Decode(error) => (StatusCode::BAD_REQUEST, error.to_string(), None, false),
            Self::Submit(error) => match error {
                SubmitError::Full { retry_after } | SubmitError::Unavailable { retry_after, .. } => {
                    (StatusCode::SERVICE_UNAVAILABLE, submit_message(error), Some(*retry_after), false)
                }
                SubmitError::ShuttingDown => {
                    (StatusCode::SERVICE_UNAVAILABLE, error.to_string(), Some(RETRY_AFTER_MEMORY), true)
                }
                SubmitError::Rejected { .. } | SubmitError::StalePosition => {
                    (StatusCode::BAD_REQUEST, submit_message(error), None, false)
                }
            },
        };
        let mut response = answer::message(status, text);
        if let Some(retry_after) = retry_after {
            // Whole seconds, and not "at once".
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if close && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Zipkin's words where it has them.
fn body_message(error: BodyError) -> String {
    match error {
        BodyError::Malformed(Encoding::Gzip) => "Cannot gunzip spans".to_owned(),
        BodyError::Malformed(encoding) => format!("Cannot inflate spans: not {}", encoding.as_str()),
        other => other.to_string(),
    }
}

/// What the store said is for the log: it may name hosts and tables.
fn submit_message(error: &SubmitError) -> String {
    match error {
        SubmitError::Unavailable { .. } => "storage is not available, try again later".to_owned(),
        SubmitError::Rejected { .. } => "storage cannot hold these spans".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
