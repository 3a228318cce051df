//! The engine's errors in words the caller can act on.

use crate::storage::{ErrorKind, StorageError};

pub(super) const NAME: &str = "postgres";

/// Codes of PostgreSQL (SQLSTATE).
pub(super) mod code {
    pub(in crate::storage::postgres) const UNIQUE_VIOLATION: &str = "23505";
    pub(in crate::storage::postgres) const CHECK_VIOLATION: &str = "23514";
    pub(in crate::storage::postgres) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(in crate::storage::postgres) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const DISK_FULL: &str = "53100";
    pub(super) const PROGRAM_LIMIT: &str = "54";
    pub(super) const DATA: &str = "22";
    pub(super) const INTEGRITY: &str = "23";
    pub(super) const DAMAGED: [&str; 2] = ["XX001", "XX002"];
}

/// True when the engine answered with that code.
pub(super) fn is_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else {
        let decode = matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
        return if decode { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
    };
    match &*code {
        code::DISK_FULL => ErrorKind::Full,
        // There are no checks but those of partitions, which another process may just have changed.
        code::CHECK_VIOLATION => ErrorKind::Unavailable,
        damaged if code::DAMAGED.contains(&damaged) => ErrorKind::Corrupt,
        other if [code::DATA, code::INTEGRITY, code::PROGRAM_LIMIT].iter().any(|class| other.starts_with(class)) => {
            ErrorKind::Rejected
        }
        // Shut down, restarted, too many connections, deadlock, lock or statement timeout, a standby: the next try may work.
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

pub(super) fn unavailable(operation: &'static str, reason: impl Into<String>) -> StorageError {
    StorageError::new(ErrorKind::Unavailable, NAME, operation, reason.into())
}
