//! `/api/ext/v1/pin`: traces that stay when retention removes what is as old. Served with `PIN_ENABLED` only.
//!
//! * `GET /api/ext/v1/pin`: `{"pinned":[{"traceId","spanCount","bytes"}]}`, by id
//! * `POST /api/ext/v1/pin/{traceId}`: keeps a copy of the spans that the trace has now, and answers with its entry; again, it
//!   copies what came since. 404 when there is no such trace, 507 when all copies together would be more than a hundredth
//!   of what the store may hold
//! * `DELETE /api/ext/v1/pin/{traceId}`: 204, also when it was not pinned
//!
//! POST and DELETE want a header `X-Requested-By` with any value (403 without it). No page of another origin can send one, because
//! no preflight allows it.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use serde::Serialize;

use super::ApiState;
use super::error::ApiError;
use super::reads::trace_id_of;
use crate::query::QueryError;
use crate::storage::{ErrorKind, PinnedTrace, StorageError};
use crate::web::answer;

const REQUESTED_BY: HeaderName = HeaderName::from_static("x-requested-by");

pub(super) async fn list(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let pinned = state.inner.storage.pinned().await.map_err(QueryError::Storage)?;
    let pinned = pinned.iter().map(PinJson::from).collect();
    Ok(answer::json(json_of(&ListJson { pinned })))
}

pub(super) async fn pin(State(state): State<ApiState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    require_own_request(&headers)?;
    let id = trace_id_of(&uri)?;
    let pinned = state.inner.storage.pin(id).await.map_err(refused)?;
    Ok(answer::json(json_of(&PinJson::from(&pinned))))
}

pub(super) async fn unpin(State(state): State<ApiState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    require_own_request(&headers)?;
    state.inner.storage.unpin(trace_id_of(&uri)?).await.map_err(refused)?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn require_own_request(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(REQUESTED_BY) {
        return Ok(());
    }
    Err(ApiError::Refused(StatusCode::FORBIDDEN, format!("the header {REQUESTED_BY} is missing")))
}

fn refused(error: StorageError) -> ApiError {
    match error.kind {
        ErrorKind::NotFound => ApiError::NotFound(error.source.to_string()),
        ErrorKind::Full => ApiError::Refused(StatusCode::INSUFFICIENT_STORAGE, error.source.to_string()),
        _ => ApiError::Query(QueryError::Storage(error)),
    }
}

#[derive(Serialize)]
struct ListJson {
    pinned: Vec<PinJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PinJson {
    trace_id: String,
    span_count: usize,
    bytes: usize,
}

impl From<&PinnedTrace> for PinJson {
    fn from(pinned: &PinnedTrace) -> Self {
        Self { trace_id: pinned.trace_id.to_string(), span_count: pinned.spans, bytes: pinned.bytes }
    }
}

fn json_of(value: &impl Serialize) -> Vec<u8> {
    // Plain structs of text and numbers always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}
