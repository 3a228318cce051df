//! MySQL and MariaDB (`STORAGE_TYPE=mysql`), with zipkin's tables or our own.

mod config;
mod error;
mod jdbc;
mod migrate;
mod native;
mod position;
mod zipkin;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::MySqlPool;
use sqlx::mysql::MySqlPoolOptions;

pub use config::{MysqlConfig, MysqlLayout};

use self::error::{NAME, during};
use super::sql::store::SqlStore;
use super::{ErrorKind, StorageBackend, StorageError, StorageOptions};
use crate::telemetry::Clock;

/// Before a write: writers that insert equal keys must not lock the gaps between them.
const ISOLATION: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Opens the database in the layout that is asked for, or the one whose tables are there.
///
/// # Errors
/// When it does not answer, or the tables are not there and may not be made.
pub async fn open_mysql(
    config: MysqlConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn StorageBackend>, StorageError> {
    let pool = connect(&config).await?;
    let schema = zipkin::Schema::probe(&pool).await?;
    let layout = config.layout.unwrap_or(match schema {
        Some(_) => MysqlLayout::Zipkin,
        None => MysqlLayout::Native,
    });
    migrate::migrate(&pool).await?;
    match (layout, schema) {
        (MysqlLayout::Zipkin, Some(schema)) => Ok(Arc::new(zipkin::ZipkinTables::new(pool, config, options, schema))),
        (MysqlLayout::Zipkin, None) => {
            let reason = "the tables zipkin_spans and zipkin_annotations are not in the database: create them with zipkin's \
                          mysql.sql, or leave MYSQL_LAYOUT out for tables of our own";
            Err(StorageError::new(ErrorKind::Rejected, NAME, "open", reason))
        }
        (MysqlLayout::Native, _) => {
            let engine = native::NativeEngine::open(pool, config, options.clone(), Arc::clone(&clock)).await?;
            Ok(Arc::new(SqlStore::new(engine, options, clock)))
        }
    }
}

async fn connect(config: &MysqlConfig) -> Result<MySqlPool, StorageError> {
    MySqlPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.acquire_timeout)
        .max_lifetime(Duration::from_secs(1800))
        .connect_with(config.connect_options()?)
        .await
        .map_err(during("connect"))
}

/// `head (?, ?), (?, ?) tail`.
fn with_rows(head: &str, rows: usize, columns: usize, tail: &str) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let mut text = String::with_capacity(head.len() + rows * (row.len() + 1) + tail.len());
    text.push_str(head);
    for index in 0..rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{row}", if index == 0 { ' ' } else { ',' });
    }
    text.push_str(tail);
    text
}

#[cfg(test)]
mod tests;
