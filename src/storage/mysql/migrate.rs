//! Making our own tables beside zipkin's. MySQL commits each change of the schema at once, so every statement can be repeated.

use sqlx::{AssertSqlSafe, MySqlPool};

use super::error::{NAME, during, is_denied, is_missing, is_there_already, storage_error};
use crate::storage::{ErrorKind, StorageError};

pub(super) const SHARED: &str = include_str!("../../../migrations/mysql/0001_shared.sql");
pub(super) const SHARED_LOOK: &str = "SELECT 1 FROM zipkind_source_position, zipkind_lease LIMIT 1";
/// Made only when somebody asks for it: zipkin-server's operators make them with its own script.
pub(super) const ZIPKIN: &str = include_str!("../../../migrations/mysql/zipkin.sql");

pub(super) async fn migrate(pool: &MySqlPool) -> Result<(), StorageError> {
    make(pool, SHARED_LOOK, SHARED).await
}

/// Whether `look` finds its tables and columns.
pub(super) async fn is_there(pool: &MySqlPool, look: &'static str) -> Result<bool, StorageError> {
    match sqlx::query(look).fetch_optional(pool).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(during("migrate")(error)),
    }
}

/// Runs the statements of `script`, unless `look` finds that the tables are there.
pub(super) async fn make(pool: &MySqlPool, look: &'static str, script: &'static str) -> Result<(), StorageError> {
    if is_there(pool, look).await? { Ok(()) } else { run(pool, script).await }
}

/// Runs the statements of `script`.
pub(super) async fn run(pool: &MySqlPool, script: &'static str) -> Result<(), StorageError> {
    let all: Vec<String> = statements(script).collect();
    for statement in &all {
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(pool).await {
            // Another process may have been quicker.
            if is_there_already(&error) {
                continue;
            }
            if !is_denied(&error) {
                return Err(storage_error("migrate", error));
            }
            // Every table of the script may be there already: what it makes it makes only then.
            let reason = format!("{error}; run as a user who may create tables:\n{};", all.join(";\n"));
            return Err(StorageError::new(ErrorKind::Rejected, NAME, "migrate", reason));
        }
    }
    Ok(())
}

/// Its statements, without comments.
pub(super) fn statements(script: &str) -> impl Iterator<Item = String> {
    let without_comments: Vec<&str> = script.lines().filter(|line| !line.starts_with("--")).collect();
    let text = without_comments.join("\n");
    let statements: Vec<String> = text.split(";\n").map(|part| part.trim().trim_end_matches(';').to_owned()).collect();
    statements.into_iter().filter(|statement| !statement.is_empty())
}
