//! The span of each traced request of the API, named and tagged as zipkin-server does.

mod propagation;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};

use crate::telemetry::self_tracing::SelfTracer;

/// Routes below these are traced. Not health and metrics, which machines ask all the time; not OTLP and gRPC, so that two
/// servers that report to each other are no loop.
const TRACED: [&str; 2] = ["/api/", "/zipkin/api/"];

/// Puts the tracing round `routes`.
pub fn trace_requests(routes: Router, tracer: SelfTracer) -> Router {
    routes.layer(middleware::from_fn_with_state(tracer, trace_request))
}

async fn trace_request(State(tracer): State<SelfTracer>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if !TRACED.iter().any(|prefix| route.starts_with(prefix)) {
        return next.run(request).await;
    }
    let parent = propagation::extract(request.headers());
    let method = request.method().as_str();
    let name = format!("{} {route}", method.to_ascii_lowercase());
    let attributes = vec![
        KeyValue::new("http.method", method.to_owned()),
        KeyValue::new("http.path", request.uri().path().to_owned()),
    ];
    let Some(context) = tracer.begin(&parent, name, attributes) else {
        return next.run(request).await;
    };
    let response = next.run(request).with_context(context.clone()).await;
    tag_status(&context, response.status());
    response
}

/// As Brave: the status when it is not a success, and an `error` when it is one.
fn tag_status(context: &opentelemetry::Context, status: StatusCode) {
    if status.is_success() {
        return;
    }
    let span = context.span();
    span.set_attribute(KeyValue::new("http.status_code", status.as_u16().to_string()));
    if status.is_client_error() || status.is_server_error() {
        span.set_attribute(KeyValue::new("error", status.as_u16().to_string()));
    }
}
