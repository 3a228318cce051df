//! What can go wrong in a store, by what the caller can do about it.

use std::error::Error;

/// What the caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The engine does not answer or is too busy now; the same batch may be offered again.
    Unavailable,
    /// No space, or another limit of the engine is reached; may be offered again when someone made room.
    Full,
    /// The engine will never take this batch: divide it, refuse the message that offends.
    Rejected,
    /// A source position that is behind the stored one: the batch was written before, or by another member.
    StalePosition,
    /// What the call is about is not there.
    NotFound,
    /// The backend cannot do this at all.
    Unsupported,
    /// The query's deadline passed or its client went away.
    Deadline,
    /// The query read more rows than its budget allows.
    Exhausted,
    /// Stored data does not read back: someone must look at it.
    Corrupt,
}

impl ErrorKind {
    /// True when the same call may succeed later without anyone changing it.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Full)
    }

    /// Label value for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::Rejected => "rejected",
            Self::StalePosition => "stale_position",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::Deadline => "deadline",
            Self::Exhausted => "exhausted",
            Self::Corrupt => "corrupt",
        }
    }
}

/// An error of a storage call: kind + context + source.
#[derive(Debug, thiserror::Error)]
#[error("{backend} {operation}: {source}")]
pub struct StorageError {
    /// What the caller can act on.
    pub kind: ErrorKind,
    /// The backend's name.
    pub backend: &'static str,
    /// The call, in a word or two.
    pub operation: &'static str,
    /// What happened.
    pub source: Box<dyn Error + Send + Sync>,
}

impl StorageError {
    /// Puts an error together.
    pub fn new(
        kind: ErrorKind,
        backend: &'static str,
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, backend, operation, source: source.into() }
    }
}
