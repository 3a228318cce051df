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
use super::{ErrorKind, SchemaChange, StorageBackend, StorageError, StorageOptions};
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

/// Opens a database whose tables are there, and makes nothing: the right to read is enough.
///
/// # Errors
/// When it does not answer, or the tables are not there.
pub async fn open_mysql_to_read(
    config: MysqlConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn StorageBackend>, StorageError> {
    let pool = connect(&config).await?;
    let schema = zipkin::Schema::probe(&pool).await?;
    if let (None | Some(MysqlLayout::Zipkin), Some(schema)) = (config.layout, schema) {
        return Ok(Arc::new(zipkin::ZipkinTables::new(pool, config, options, schema)));
    }
    let missing = config.layout == Some(MysqlLayout::Zipkin) || !migrate::is_there(&pool, native::TABLES_LOOK).await?;
    if missing {
        let reason = "the database has neither zipkin's tables nor our own (those that MYSQL_LAYOUT names)";
        return Err(StorageError::new(ErrorKind::Rejected, NAME, "open", reason));
    }
    let looks = [native::TERMS_LOOK, native::TALLIES_LOOK];
    if !(migrate::is_there(&pool, looks[0]).await? && migrate::is_there(&pool, looks[1]).await?) {
        let reason = "the tables are those of an older version: run `zipkind store migrate` on the database";
        return Err(StorageError::new(ErrorKind::Rejected, NAME, "open", reason));
    }
    let engine = native::NativeEngine::new(pool, config, options.clone(), Arc::clone(&clock));
    Ok(Arc::new(SqlStore::new(engine, options, clock)))
}

/// The statements that would make the tables that are missing, zipkin's own included when that layout is asked for; run, unless
/// `is_dry`.
///
/// # Errors
/// When it does not answer, or the tables may not be made.
pub async fn migrate_mysql(config: MysqlConfig, is_dry: bool) -> Result<Vec<SchemaChange>, StorageError> {
    let pool = connect(&config).await?;
    let has_zipkin = zipkin::Schema::probe(&pool).await?.is_some();
    let is_zipkin = config.layout.map_or(has_zipkin, |layout| layout == MysqlLayout::Zipkin);
    let mut wanted = Vec::new();
    if is_zipkin && !has_zipkin {
        wanted.push(("zipkin's tables", migrate::ZIPKIN));
    }
    if !migrate::is_there(&pool, migrate::SHARED_LOOK).await? {
        wanted.push(("source positions and leases", migrate::SHARED));
    }
    if !is_zipkin && !migrate::is_there(&pool, native::TABLES_LOOK).await? {
        wanted.push(("our own tables of spans", native::TABLES));
    } else if !is_zipkin {
        if !migrate::is_there(&pool, native::TERMS_LOOK).await? {
            wanted.push(("terms of tags and annotations", native::TERMS));
        }
        if !migrate::is_there(&pool, native::TALLIES_LOOK).await? {
            wanted.push(("tallies of calls", native::TALLIES));
        }
    }
    let mut changes = Vec::new();
    for (name, script) in wanted {
        let statements: Vec<String> = migrate::statements(script).map(|statement| format!("{statement};\n")).collect();
        changes.push(SchemaChange { name: name.to_owned(), sql: statements.concat() });
        if !is_dry {
            migrate::run(&pool, script).await?;
        }
    }
    pool.close().await;
    Ok(changes)
}

/// Whether the server answers `look`, and takes writes. A replica's setting is not asked of users who may write all the same: what
/// they write there, the next one to be the primary does not have.
async fn check(pool: &MySqlPool, look: &'static str) -> Result<(), StorageError> {
    sqlx::query(look).fetch_optional(pool).await.map_err(during("check"))?;
    let setting = sqlx::query_scalar("SELECT CAST(@@global.read_only AS CHAR)").fetch_one(pool).await;
    let setting: String = setting.map_err(during("check"))?;
    if matches!(&*setting, "0" | "OFF") {
        return Ok(());
    }
    let reason = format!("the server takes no writes (read_only = {setting}; a replica?)");
    Err(StorageError::new(ErrorKind::Unavailable, NAME, "check", reason))
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

/// The largest one up to `number`, which is not 0. Statements have so many rows, so that there are few different ones, each of which
/// is prepared once: the engine describes every value of a statement that is prepared.
fn power_of_two(number: usize) -> usize {
    1 << number.ilog2()
}

#[cfg(test)]
mod tests;
