//! The engine's errors in words the caller can act on.

use sqlx::mysql::MySqlDatabaseError;

use crate::storage::{ErrorKind, StorageError};

pub(super) const NAME: &str = "mysql";

/// Numbers of MySQL's errors.
mod number {
    pub(super) const OUT_OF_DISK: [u16; 3] = [1021, 1114, 3019];
    /// Too long, not of the column's characters, out of its range, too many values, packet too large.
    pub(super) const WRONG_DATA: [u16; 11] = [1048, 1153, 1264, 1292, 1300, 1366, 1390, 1406, 1265, 3988, 1301];
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    pub(super) const NO_SUCH_COLUMN: u16 = 1054;
    /// A column or a key.
    pub(super) const IS_THERE: [u16; 2] = [1060, 1061];
    pub(super) const DAMAGED: [u16; 4] = [1034, 1194, 1195, 1712];
    pub(super) const DENIED: [u16; 4] = [1044, 1142, 1143, 1227];
}

fn number_of(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// A table or a column is not there.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    matches!(number_of(error), Some(number::NO_SUCH_TABLE | number::NO_SUCH_COLUMN))
}

pub(super) fn is_there_already(error: &sqlx::Error) -> bool {
    number_of(error).is_some_and(|number| number::IS_THERE.contains(&number))
}

pub(super) fn is_denied(error: &sqlx::Error) -> bool {
    number_of(error).is_some_and(|number| number::DENIED.contains(&number))
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    let Some(number) = number_of(error) else {
        let decode = matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
        return if decode { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
    };
    match number {
        number if number::OUT_OF_DISK.contains(&number) => ErrorKind::Full,
        number if number::WRONG_DATA.contains(&number) => ErrorKind::Rejected,
        number if number::DAMAGED.contains(&number) => ErrorKind::Corrupt,
        // Shut down, too many connections, deadlock, lock wait, read only: the next try may work.
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

pub(super) fn rejected(operation: &'static str, reason: impl Into<String>) -> StorageError {
    StorageError::new(ErrorKind::Rejected, NAME, operation, reason.into())
}
