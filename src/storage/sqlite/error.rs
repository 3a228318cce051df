//! The engine's errors in words the caller can act on.

use crate::storage::{ErrorKind, StorageError};

pub(super) const NAME: &str = "sqlite";

/// Primary result codes of SQLite (the low byte of its extended codes).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const IO: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const TOO_BIG: i32 = 18;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    /// Extended: the shared-memory file could not grow.
    pub(super) const IO_SHM_SIZE: i32 = IO | (19 << 8);
}

/// The engine's result code, when it is the engine that speaks.
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error).is_some_and(|code| matches!(code & 0xff, code::BUSY | code::LOCKED))
}

pub(super) fn is_not_a_database(error: &sqlx::Error) -> bool {
    sqlite_code(error).is_some_and(|code| code & 0xff == code::NOT_A_DATABASE)
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    let Some(extended) = sqlite_code(error) else {
        let decode = matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
        return if decode { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
    };
    match extended & 0xff {
        code::FULL => ErrorKind::Full,
        _ if extended == code::IO_SHM_SIZE => ErrorKind::Full,
        code::TOO_BIG | code::CONSTRAINT | code::MISMATCH => ErrorKind::Rejected,
        code::CORRUPT | code::NOT_A_DATABASE => ErrorKind::Corrupt,
        // Busy, locked, out of memory, input/output, permissions: it may work the next time.
        _ => ErrorKind::Unavailable,
    }
}

pub(super) fn storage_error(operation: &'static str, error: sqlx::Error) -> StorageError {
    StorageError::new(kind_of(&error), NAME, operation, error)
}

/// For `map_err`: names the operation.
pub(super) fn during(operation: &'static str) -> impl Fn(sqlx::Error) -> StorageError {
    move |error| storage_error(operation, error)
}

pub(super) fn corrupt(operation: &'static str, reason: impl Into<String>) -> StorageError {
    StorageError::new(ErrorKind::Corrupt, NAME, operation, reason.into())
}

pub(super) fn unavailable(operation: &'static str, reason: impl Into<String>) -> StorageError {
    StorageError::new(ErrorKind::Unavailable, NAME, operation, reason.into())
}
