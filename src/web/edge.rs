//! What every request passes, whichever part answers it: path rules, TRACE, cross-origin rules, counting.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::header::{ALLOW, CONNECTION, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, StatusCode, Version};
use tokio::time::Instant;

use super::answer;
use super::cors::{AllowedOrigins, Cors};
use super::path;
use super::request_metrics::RequestMetrics;

/// Settings of the shared layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Which other origins may read answers.
    pub allowed_origins: AllowedOrigins,
}

/// Puts the shared layers round the routes of all parts. Merge all routes first: a path of the API whose method no part
/// serves answers 404, as the peer does, and that can be said only here.
pub fn edge(routes: Router, config: EdgeConfig, metrics: RequestMetrics) -> Router {
    let routed = routes
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::not_found)
        .layer(middleware::from_fn_with_state(metrics, count_request));
    // A layer runs after routing; paths must change before it, so the routes become the fallback of an empty router.
    Router::new().fallback_service(routed).layer(middleware::from_fn_with_state(config, guard))
}

async fn guard(State(config): State<EdgeConfig>, mut request: Request, next: Next) -> Response {
    let cors = Cors::of(request.method(), request.headers(), &config.allowed_origins);
    let version = request.version();
    let mut response = match path::normalize(request.uri()) {
        Err(invalid) => closing(invalid.answer(), version),
        Ok(normal) => {
            if let Some(preflight) = cors.as_ref().and_then(Cors::preflight) {
                return with_nosniff(preflight);
            }
            if let Some(uri) = normal {
                *request.uri_mut() = uri;
            }
            next.run(request).await
        }
    };
    if response.status() == StatusCode::NOT_FOUND {
        // The router adds it to what it takes for a 405.
        response.headers_mut().remove(ALLOW);
    }
    if let Some(cors) = cors {
        cors.decorate(response.headers_mut());
    }
    with_nosniff(response)
}

fn with_nosniff(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// HTTP/2 has no such header; there the stream alone ends.
fn closing(mut response: Response, version: Version) -> Response {
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn count_request(State(metrics): State<RequestMetrics>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = if method == Method::TRACE { answer::method_not_allowed().await } else { next.run(request).await };
    metrics.observe(&method, response.status(), route.as_ref().map(MatchedPath::as_str), &path, start.elapsed());
    response
}

#[cfg(test)]
mod tests;
