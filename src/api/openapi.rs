//! `GET /api/ext/v1/openapi.json`: the description of everything that is answered over HTTP.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::ApiState;
use super::file::File;

/// Where the description is served.
pub(super) const PATH: &str = "/api/ext/v1/openapi.json";
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

pub(super) fn file() -> File {
    File::new("application/json; charset=utf-8", None, Bytes::from_static(DOCUMENT.as_bytes()))
}

pub(super) async fn openapi(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    state.inner.openapi.answer(&headers, state.inner.started_ms)
}
