//! gRPC and gRPC-Web: zipkin's `SpanService/Report`, OTLP's `TraceService/Export`, health and reflection.
//!
//! Bodies are read by [`BodyReader`] before tonic sees them, so the limits of size, time and memory are those of every other
//! transport; tonic does the framing, the compression and the statuses.

mod descriptor;
mod method;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

use self::method::{Memory, Unary};
use super::intake::Intake;
use super::otlp::OtlpConfig;
use crate::codec::DecodeLimits;
use crate::ingest::Collector;
use crate::telemetry::CollectorMetrics;
use crate::web::answer;
use crate::web::body::BodyReader;

const REPORT_PATH: &str = "/zipkin.proto3.SpanService/Report";
const EXPORT_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Settings of zipkin's gRPC collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCollectorConfig {
    /// Serve zipkin's service (`COLLECTOR_GRPC_ENABLED`).
    pub enabled: bool,
    /// Bounds of one message beyond its size.
    pub decode: DecodeLimits,
    /// Most bytes of one message inflated, of OTLP's service too.
    pub message_bytes_max: usize,
}

impl Default for GrpcCollectorConfig {
    fn default() -> Self {
        // As many as zipkin takes in a body.
        Self { enabled: true, decode: DecodeLimits::default(), message_bytes_max: 10 << 20 }
    }
}

/// The services that are switched on.
pub fn routes(
    collector: &Collector,
    config: &GrpcCollectorConfig,
    otlp: &OtlpConfig,
    metrics: &CollectorMetrics,
    bodies: &BodyReader,
) -> Router {
    // Zipkin shows this transport's counters also when it is switched off.
    let zipkin_metrics = metrics.transport("grpc");
    let intake = |metrics| Arc::new(Intake { collector: collector.clone(), metrics, bodies: bodies.clone() });
    let mut routes = Router::new();
    let mut services = Vec::new();
    if config.enabled {
        let unary = Unary::report(intake(zipkin_metrics), config.decode, config.message_bytes_max);
        routes = routes.route(REPORT_PATH, unary_route(unary, bodies));
        services.push("zipkin.proto3.SpanService");
    }
    if otlp.enabled {
        let unary = Unary::export(intake(metrics.transport("otlp_grpc")), otlp.decode, config.message_bytes_max);
        routes = routes.route(EXPORT_PATH, unary_route(unary, bodies));
        services.push("opentelemetry.proto.collector.trace.v1.TraceService");
    }
    if services.is_empty() { routes } else { routes.merge(descriptor::routes(&services)) }
}

/// A path of one unary method. Other HTTP methods are 405 and other media types 415, as zipkin answers here.
fn unary_route(unary: Unary, bodies: &BodyReader) -> MethodRouter {
    let bodies = bodies.clone();
    any(move |request: Request| {
        let (unary, bodies) = (unary.clone(), bodies.clone());
        async move {
            if request.method() != Method::POST {
                return answer::method_not_allowed().await;
            }
            let media_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
            if !media_type.starts_with(b"application/grpc") {
                let text = "Missing or invalid Content-Type header.";
                return answer::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, answer::PLAIN_TEXT, text);
            }
            serve(unary, &bodies, request).await
        }
    })
}

async fn serve(unary: Unary, bodies: &BodyReader, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let received = match bodies.read(&head.headers, body).await {
        Ok(received) => received,
        Err(error) => return method::body_status(error).into_http::<Body>(),
    };
    // A frame begins with 1 when the message is compressed; only tonic knows what it inflates to, so the most is taken.
    let compressed = received.bytes.first().is_some_and(|flag| *flag != 0);
    let mut permit = received.permit;
    let message_bytes_max = if compressed { unary.message_bytes_max } else { received.bytes.len() };
    if let Err(refused) = permit.grow(message_bytes_max, bodies.memory_wait()).await {
        return method::body_status(refused.into()).into_http::<Body>();
    }
    head.extensions.insert(Memory::new(permit));
    let body = tonic::body::Body::new(http_body_util::Full::new(received.bytes));
    let is_zipkins = unary.is_report();
    let service = GrpcWebLayer::new().layer(unary);
    match service.oneshot(http::Request::from_parts(head, body)).await {
        Ok(response) if is_zipkins => as_zipkin(response.map(Body::new)),
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// Zipkin names the format of its messages, and the encoding even where there is none.
fn as_zipkin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if headers.get(CONTENT_TYPE).is_some_and(|media_type| media_type == "application/grpc") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
        headers.entry("grpc-encoding").or_insert(HeaderValue::from_static("identity"));
    }
    response
}

#[cfg(test)]
mod tests;
