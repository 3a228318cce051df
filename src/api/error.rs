//! Why a request of the API has no answer, and what its sender is told.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::model::IdError;
use crate::query::QueryError;
use crate::storage::ErrorKind;
use crate::web::answer;

/// An answer that is a message. Zipkin says 400 for wrong arguments, 404 for an absent trace, 500 for all else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The sender's mistake, in zipkin's words.
    #[error("{0}")]
    BadRequest(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// A rule or a limit of an extension of ours.
    #[error("{1}")]
    Refused(StatusCode, String),
    /// The store, or a limit of ours.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl ApiError {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    pub(crate) fn trace_id(error: &IdError) -> Self {
        Self::BadRequest(error.describe("traceId"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(text) => answer::message(StatusCode::BAD_REQUEST, text),
            Self::NotFound(text) => answer::message(StatusCode::NOT_FOUND, text),
            Self::Refused(status, text) => answer::message(status, text),
            Self::Query(error) => query_failure(&error),
        }
    }
}

/// Details of the engine are for the log; a sender hears which part failed.
fn query_failure(error: &QueryError) -> Response {
    match error {
        QueryError::Timeout(_) => {
            tracing::warn!(%error, "query ended at its time limit");
            answer::message(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        QueryError::TooLarge(_) => {
            tracing::warn!(%error, "query ended at its span limit");
            answer::message(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        }
        QueryError::Storage(failure) if failure.kind == ErrorKind::Unsupported => {
            answer::message(StatusCode::NOT_IMPLEMENTED, format!("the storage {} cannot do this", failure.backend))
        }
        QueryError::Storage(failure) => {
            tracing::error!(error = %failure, kind = failure.kind.as_str(), "query failed");
            let text = format!("{} {} failed: {}", failure.backend, failure.operation, failure.kind.as_str());
            answer::message(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageError;

    #[test]
    fn what_the_engine_said_stays_inside() {
        let failure = StorageError::new(ErrorKind::Unavailable, "sqlite", "search", "disk /var/secret is gone");
        let response = ApiError::from(QueryError::Storage(failure)).into_response();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "text/*");
    }

    #[test]
    fn what_the_store_cannot_do_is_501() {
        let failure = StorageError::new(ErrorKind::Unsupported, "sqlite", "red", "no");
        assert_eq!(ApiError::from(QueryError::Storage(failure)).into_response().status(), 501);
    }
}
