//! Spans over HTTP: `POST /api/v2/spans` and `POST /api/v1/spans`, with zipkin's order of checks, answers and accounts.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode, Version};

use super::intake::{Intake, IntakeError, submit_message};
use crate::codec::{self, DecodeError, DecodeLimits, Format};
use crate::ingest::Collector;
use crate::telemetry::CollectorMetrics;
use crate::web::answer;
use crate::web::body::{BodyError, BodyReader};
use crate::web::inflate::Encoding;

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
    let receiver = Arc::new(Receiver { intake: Intake { collector, metrics, bodies }, limits: config.decode });
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
type Refusal = IntakeError<DecodeError>;

struct Receiver {
    intake: Intake,
    limits: DecodeLimits,
}

impl Receiver {
    async fn receive(&self, path_version: PathVersion, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let format = path_version.format(&head.headers);
        match self.take(format, &head.headers, body).await {
            Ok(()) => accepted(),
            Err(refusal) => {
                tracing::debug!(?refusal, %format, "a message was refused");
                refuse(&refusal, head.version)
            }
        }
    }

    /// The steps of zipkin's collector, in its order.
    async fn take(&self, format: Format, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
        let Intake { metrics, bodies, .. } = &self.intake;
        let received = bodies.read(headers, body).await.map_err(Refusal::Body)?;
        metrics.messages.inc();
        let inflated = bodies.inflate(headers, received).await.map_err(|error| {
            metrics.messages_dropped.inc();
            Refusal::Body(error)
        })?;
        if inflated.bytes.is_empty() || *inflated.bytes == *b"[]" {
            return Ok(());
        }
        metrics.bytes.inc_by(inflated.bytes.len() as u64);
        metrics.message_bytes.set(inflated.bytes.len() as f64);
        let growth = if matches!(format, Format::JsonV2 | Format::JsonV1) { 1 } else { BINARY_GROWTH_MAX };
        let limits = self.limits;
        let decode = move |bytes: &Bytes| {
            codec::check_list(format, bytes)?;
            codec::decode(format, bytes, &limits).map(|spans| (spans, ()))
        };
        let (spans, permit, ()) = self.intake.decode(inflated, growth, decode).await.inspect_err(|refusal| {
            // Zipkin counts a message whose spans it cannot read twice, and one that is no list at all once.
            let unreadable = matches!(refusal, IntakeError::Decode(error) if !error.is_no_list());
            metrics.messages_dropped.inc_by(if unreadable { 2 } else { 1 });
        })?;
        self.intake.submit(spans, permit).await
    }
}

fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refuse(refusal: &Refusal, version: Version) -> Response {
    let text = match refusal {
        IntakeError::Body(error) => body_message(*error),
        IntakeError::Decode(error) => error.to_string(),
        IntakeError::Submit(error) => submit_message(error),
    };
    let verdict = refusal.verdict();
    verdict.apply(answer::message(verdict.status, text), version)
}

/// Zipkin's words where it has them.
fn body_message(error: BodyError) -> String {
    match error {
        BodyError::Malformed(Encoding::Gzip) => "Cannot gunzip spans".to_owned(),
        BodyError::Malformed(encoding) => format!("Cannot inflate spans: not {}", encoding.as_str()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
