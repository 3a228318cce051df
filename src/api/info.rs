//! `/info`: which server this is, in zipkin's shape.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::ApiState;
use super::file::File;

const ACTUATOR_JSON: &str = "application/vnd.spring-boot.actuator.v2+json; charset=utf-8";

/// Version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit it was built from, abbreviated; `unknown` in a debug build.
pub const COMMIT: &str = env!("ZIPKIND_COMMIT");

fn file(content_type: &'static str) -> File {
    let body = format!("{{\"zipkin\":{{\"version\":\"{VERSION}\",\"commit\":\"{COMMIT}\"}}}}");
    File::new(content_type, None, Bytes::from(body))
}

pub(super) async fn info(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    file("application/json; charset=utf-8").answer(&headers, state.inner.started_ms)
}

pub(super) async fn actuator_info(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    file(ACTUATOR_JSON).answer(&headers, state.inner.started_ms)
}
