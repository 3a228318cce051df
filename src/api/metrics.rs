//! `/metrics` in zipkin's JSON, `/prometheus` in the text formats.

use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::ApiState;
use super::params::Params;
use crate::telemetry::exposition;
use crate::web::answer;

pub(super) async fn metrics(State(state): State<ApiState>) -> Response {
    answer::json(exposition::zipkin_metrics_json(&state.inner.registry).into_bytes())
}

pub(super) async fn prometheus(State(state): State<ApiState>, headers: HeaderMap, params: Params) -> Response {
    let names = params.all("name[]");
    let (content_type, text) = if accepts_openmetrics(&headers) {
        (exposition::OPENMETRICS_TEXT_TYPE, exposition::openmetrics_text(&state.inner.registry, &names))
    } else {
        (exposition::PROMETHEUS_TEXT_TYPE, exposition::prometheus_text(&state.inner.registry, &names))
    };
    answer::answer(StatusCode::OK, HeaderValue::from_static(content_type), text)
}

fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split(','));
    items.any(|item| item.trim().starts_with("application/openmetrics-text"))
}
