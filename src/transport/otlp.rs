//! OTLP traces over HTTP: `POST /v1/traces`, protobuf or JSON, with the answers of the OTLP specification.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode, Version};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;
use tonic::Code;
use tonic_types::pb::Status;

use super::intake::{Intake, IntakeError, submit_message};
use crate::codec::DecodeLimits;
use crate::codec::otlp::{self, OtlpError};
use crate::ingest::{Collector, SubmitError};
use crate::telemetry::CollectorMetrics;
use crate::web::answer;
use crate::web::body::{BodyError, BodyReader};

/// Where exporters post (OTLP specification, "OTLP/HTTP Request").
pub const PATH: &str = "/v1/traces";
/// Decoded messages of prost, and the spans made of them, against the bytes they came from.
pub(super) const GROWTH_MAX: usize = 6;

/// Settings of both OTLP collectors, HTTP and gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpConfig {
    /// Take OTLP at all (`COLLECTOR_OTLP_ENABLED`), on the main port too.
    pub enabled: bool,
    /// Port of its own for OTLP over HTTP; `None` is off.
    pub http_port: Option<OtlpPort>,
    /// Port of its own for OTLP over gRPC; `None` is off.
    pub grpc_port: Option<OtlpPort>,
    /// Bounds of one message beyond its size.
    pub decode: DecodeLimits,
}

/// A port, and what it means when another process has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpPort {
    /// The standard port: busy is a warning, for another collector may well run beside this one.
    Standard(u16),
    /// Somebody asked for this port: busy is an error.
    Chosen(u16),
}

impl OtlpPort {
    /// The number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Standard(number) | Self::Chosen(number) => number,
        }
    }
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            http_port: Some(OtlpPort::Standard(4318)),
            grpc_port: Some(OtlpPort::Standard(4317)),
            decode: DecodeLimits::default(),
        }
    }
}

/// The route; none when OTLP is switched off.
pub fn routes(collector: Collector, config: &OtlpConfig, metrics: &CollectorMetrics, bodies: BodyReader) -> Router {
    if !config.enabled {
        return Router::new();
    }
    let intake = Intake { collector, metrics: metrics.transport("otlp_http"), bodies };
    let receiver = Arc::new(Receiver { intake, limits: config.decode });
    Router::new().route(PATH, post(move |request: Request| async move { receiver.receive(request).await }))
}

struct Receiver {
    intake: Intake,
    limits: DecodeLimits,
}

/// The two encodings; the answer has the request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE)?.as_bytes();
        let essence = media_type.split(|byte| *byte == b';').next()?.trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/x-protobuf") {
            Some(Self::Protobuf)
        } else if essence.eq_ignore_ascii_case(b"application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn answer(self, status: StatusCode, protobuf: &impl Message, json: &serde_json::Value) -> Response {
        match self {
            Self::Protobuf => {
                let media_type = HeaderValue::from_static("application/x-protobuf");
                answer::answer(status, media_type, protobuf.encode_to_vec())
            }
            Self::Json => answer::answer(status, answer::JSON, json.to_string()),
        }
    }
}

/// Spans that were refused for their content, and why.
type Rejected = (usize, String);

impl Receiver {
    async fn receive(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some(encoding) = Encoding::of(&head.headers) else {
            let text = "content-type must be application/x-protobuf or application/json";
            return answer::message(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        };
        match self.take(encoding, &head.headers, body).await {
            Ok((rejected, reason)) => success(encoding, rejected, reason),
            Err(error) => {
                tracing::debug!(?error, "an OTLP request was refused");
                refusal(encoding, head.version, &error)
            }
        }
    }

    async fn take(
        &self,
        encoding: Encoding,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<Rejected, IntakeError<OtlpError>> {
        let intake = &self.intake;
        let received = intake.bodies.read(headers, body).await.map_err(IntakeError::Body)?;
        let dropped = |_: &IntakeError<OtlpError>| intake.metrics.messages_dropped.inc();
        let inflated = intake.bodies.inflate_even_to_nothing(headers, received).await.map_err(IntakeError::Body);
        let inflated = inflated.inspect_err(dropped)?;
        intake.count(inflated.bytes.len());
        let limits = self.limits;
        let decode = move |bytes: &bytes::Bytes| {
            let export = match encoding {
                Encoding::Protobuf => otlp::decode_protobuf(bytes, &limits),
                Encoding::Json => otlp::decode_json(bytes, &limits),
            }?;
            Ok((export.spans, (export.rejected, export.reason)))
        };
        let (spans, permit, rejected) = intake.decode(inflated, GROWTH_MAX, decode).await.inspect_err(dropped)?;
        intake.submit(spans, permit).await?;
        Ok(rejected)
    }
}

pub(super) fn response(rejected: usize, reason: String) -> ExportTraceServiceResponse {
    let partial_success =
        (rejected > 0).then_some(ExportTracePartialSuccess { rejected_spans: rejected as i64, error_message: reason });
    ExportTraceServiceResponse { partial_success }
}

fn success(encoding: Encoding, rejected: usize, reason: String) -> Response {
    let json = if rejected == 0 {
        json!({})
    } else {
        // 64-bit integers are text in protobuf's JSON.
        json!({"partialSuccess": {"rejectedSpans": rejected.to_string(), "errorMessage": reason}})
    };
    encoding.answer(StatusCode::OK, &response(rejected, reason), &json)
}

/// Retryable are 429, 502, 503 and 504 only (OTLP specification, "Failures").
fn refusal(encoding: Encoding, version: Version, error: &IntakeError<OtlpError>) -> Response {
    let (code, message) = match error {
        IntakeError::Body(error) => (body_code(*error), error.to_string()),
        IntakeError::Decode(error) => (Code::InvalidArgument, error.to_string()),
        IntakeError::Submit(error) => (submit_code(error), submit_message(error)),
    };
    let json = json!({"code": code as i32, "message": message});
    let verdict = error.verdict();
    let status = Status { code: code as i32, message, details: Vec::new() };
    verdict.apply(encoding.answer(verdict.status, &status, &json), version)
}

pub(super) fn submit_code(error: &SubmitError) -> Code {
    match error {
        SubmitError::Full { .. } | SubmitError::Unavailable { .. } | SubmitError::ShuttingDown => Code::Unavailable,
        SubmitError::Rejected { .. } | SubmitError::StalePosition => Code::InvalidArgument,
    }
}

pub(super) fn body_code(error: BodyError) -> Code {
    match error {
        BodyError::TooLarge | BodyError::InflatedTooLarge => Code::ResourceExhausted,
        BodyError::Timeout | BodyError::TooSlow => Code::DeadlineExceeded,
        BodyError::NoMemory | BodyError::Busy => Code::Unavailable,
        BodyError::Broken | BodyError::Malformed(_) | BodyError::TooManyEncodings => Code::InvalidArgument,
    }
}

#[cfg(test)]
pub(super) mod tests;
