//! `GET /api/v2/...`: zipkin's read API.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use http::header::CACHE_CONTROL;

use super::ApiState;
use super::encode::{links_answer, names_answer, spans_answer, traces_answer};
use super::error::ApiError;
use super::params::Params;
use super::search::search_request;
use crate::model::TraceId;
use crate::web::answer;

/// Lists of names up to this length are not cached: a system that is just being set up changes quickly.
const UNCACHED_NAMES_MAX: usize = 3;
/// Most pieces that `traceIds` is cut into; the last one keeps the rest.
const TRACE_IDS_MAX: usize = 1000;

pub(super) async fn services(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let names = state.inner.query.service_names().await?;
    state.inner.services_listed.store(names.len(), Ordering::Relaxed);
    let cached = names.len() > UNCACHED_NAMES_MAX;
    Ok(names_list(&state, &names, cached))
}

pub(super) async fn spans(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let names = state.inner.query.span_names(params.mandatory("serviceName")?).await?;
    Ok(names_list(&state, &names, has_many_services(&state)))
}

pub(super) async fn remote_services(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let names = state.inner.query.remote_service_names(params.mandatory("serviceName")?).await?;
    Ok(names_list(&state, &names, has_many_services(&state)))
}

pub(super) async fn autocomplete_keys(State(state): State<ApiState>) -> Response {
    names_list(&state, state.inner.query.autocomplete_keys(), true)
}

pub(super) async fn autocomplete_values(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let key = params.mandatory("key")?;
    if key.is_empty() {
        return Err(ApiError::bad_request("key was empty"));
    }
    let values = state.inner.query.autocomplete_values(key).await?;
    Ok(names_list(&state, &values, values.len() > UNCACHED_NAMES_MAX))
}

pub(super) async fn traces(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let request = search_request(&params, state.inner.query.config().lookback_default_ms, state.inner.clock.now_ms())?;
    let traces = state.inner.query.search(&request).await?;
    Ok(traces_answer(traces).await)
}

pub(super) async fn trace(State(state): State<ApiState>, uri: Uri) -> Result<Response, ApiError> {
    let id = trace_id_of(&uri)?;
    match state.inner.query.trace(id).await? {
        Some(spans) => Ok(spans_answer(spans).await),
        None => Err(ApiError::NotFound(format!("{id} not found"))),
    }
}

/// The last segment of a path. By hand, because zipkin reads an id that is no UTF-8 as it reads any wrong id.
pub(super) fn trace_id_of(uri: &Uri) -> Result<TraceId, ApiError> {
    let segment = uri.path().rsplit('/').next().unwrap_or_default();
    let text = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    let text = text.trim_matches(|character| character <= ' ');
    TraceId::parse(text.as_bytes()).map_err(|error| ApiError::trace_id(&error))
}

pub(super) async fn trace_many(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let ids = distinct_trace_ids(params.mandatory("traceIds")?)?;
    let mut traces = state.inner.query.traces(&ids).await?;
    traces.retain(|spans| !spans.is_empty());
    Ok(traces_answer(traces).await)
}

pub(super) async fn dependencies(State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let end_ts_ms: i64 = params.primitive("endTs", params.mandatory("endTs")?)?;
    let lookback_ms = params.number("lookback")?.unwrap_or(state.inner.query.config().lookback_default_ms);
    if end_ts_ms <= 0 {
        return Err(ApiError::bad_request("endTs <= 0"));
    }
    if lookback_ms <= 0 {
        return Err(ApiError::bad_request("lookback <= 0"));
    }
    Ok(links_answer(&state.inner.query.dependencies(end_ts_ms, lookback_ms).await?))
}

/// True when the last answer to `/services` was long enough to be cached: the peer's rule for the lists below a service.
fn has_many_services(state: &ApiState) -> bool {
    state.inner.services_listed.load(Ordering::Relaxed) > UNCACHED_NAMES_MAX
}

fn names_list(state: &ApiState, names: &[String], cached: bool) -> Response {
    let mut response = names_answer(names);
    if cached {
        let value = format!("max-age={}, must-revalidate", state.inner.config.names_max_age.as_secs());
        answer::set_header(response.headers_mut(), CACHE_CONTROL, &value);
    }
    response
}

/// Piece by piece: normalise, then compare; the first piece that fails decides.
fn distinct_trace_ids(text: &str) -> Result<Vec<TraceId>, ApiError> {
    if text.is_empty() {
        return Err(ApiError::bad_request("traceIds parameter is empty"));
    }
    let mut ids: Vec<TraceId> = Vec::new();
    for piece in text.splitn(TRACE_IDS_MAX, ',') {
        let id = TraceId::parse(piece.as_bytes()).map_err(|error| ApiError::trace_id(&error))?;
        if ids.contains(&id) {
            return Err(ApiError::bad_request(format!("redundant traceId: {piece}")));
        }
        ids.push(id);
    }
    if ids.len() == 1 {
        return Err(ApiError::bad_request("Use /api/v2/trace/{traceId} endpoint to retrieve a single trace"));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thousandth_piece_keeps_the_rest() {
        let many: Vec<_> = (1..=1001).map(|id| format!("{id:x}")).collect();
        assert_eq!(distinct_trace_ids(&many[..1000].join(",")).unwrap().len(), 1000);
        let error = distinct_trace_ids(&many.join(",")).unwrap_err().to_string();
        assert_eq!(error, "3e8,3e9 should be lower-hex encoded with no prefix");
    }
}
