//! What can be wrong with a body.

use http::StatusCode;

use crate::ingest::MemoryRefused;
use crate::web::inflate::Encoding;

/// Why a body was not taken. `Display` is what the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes on the wire than allowed.
    #[error("413 Request Entity Too Large")]
    TooLarge,
    /// More bytes after inflating than allowed, or than the memory budget can ever hold.
    #[error("413 Request Entity Too Large")]
    InflatedTooLarge,
    /// The body was not there in time.
    #[error("408 Request Timeout")]
    Timeout,
    /// The body holds memory that others wait for, and comes slowly.
    #[error("408 Request Timeout")]
    TooSlow,
    /// The memory budget is used up.
    #[error("the server is out of memory for request bodies, try again later")]
    NoMemory,
    /// Too many other bodies are being worked on.
    #[error("the server is busy, try again later")]
    Busy,
    /// The connection broke, or the framing of the body is wrong.
    #[error("the request body ended early")]
    Broken,
    /// The body is not in the encoding it says.
    #[error("the request body is not {}", .0.as_str())]
    Malformed(Encoding),
    /// Too many encodings one upon the other.
    #[error("the request body has too many encodings")]
    TooManyEncodings,
}

impl BodyError {
    pub(super) const REASONS: [&'static str; 9] = [
        "too_large",
        "inflated_too_large",
        "timeout",
        "too_slow",
        "memory",
        "busy",
        "broken",
        "malformed_encoding",
        "too_many_encodings",
    ];

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::InflatedTooLarge => "inflated_too_large",
            Self::Timeout => "timeout",
            Self::TooSlow => "too_slow",
            Self::NoMemory => "memory",
            Self::Busy => "busy",
            Self::Broken => "broken",
            Self::Malformed(_) => "malformed_encoding",
            Self::TooManyEncodings => "too_many_encodings",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge | Self::InflatedTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout | Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoMemory | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooManyEncodings => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// True when the same request may be sent again later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NoMemory | Self::Busy)
    }

    /// True when the connection is of no more use: part of the body may still be under way on it.
    #[must_use]
    pub fn closes_connection(self) -> bool {
        matches!(self, Self::TooLarge | Self::Timeout | Self::TooSlow | Self::NoMemory | Self::Broken)
    }
}

impl From<MemoryRefused> for BodyError {
    fn from(refused: MemoryRefused) -> Self {
        // To come again later helps only when there can be room later.
        if refused.can_ever { Self::NoMemory } else { Self::InflatedTooLarge }
    }
}
