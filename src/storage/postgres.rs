//! PostgreSQL (`STORAGE_TYPE=postgres`): the layout of [`sql`](super::sql) in a schema of its own, partitioned by day.
//!
//! A write is one transaction: source positions by compare-and-set, then COPY; when a fragment is there already, the same
//! rows with ON CONFLICT DO NOTHING. The write path has no locks beyond its rows, no sequences and no triggers.

mod config;
mod copy;
mod error;
mod lease;
mod migrate;
mod names;
mod partitions;
mod position;
mod read;
mod retention;
mod tallies;
mod write;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgPoolOptions, Postgres};
use sqlx::query::Query;
use sqlx::{Connection, PgPool};

pub use config::{PostgresConfig, PostgresTls};

use self::error::{NAME, during, unavailable};
use super::sql::engine::{CONNECTIONS_OF_READERS, Engine, Snapshot, WriteFailure};
use super::sql::names::Kind;
use super::sql::rows::Rows;
use super::sql::store::SqlStore;
use super::sql::tally::TallyRow;
use super::{SchemaChange, SourcePosition, StorageBackend, StorageError, StorageOptions};
use crate::telemetry::Clock;

/// A connection that was idle for longer is tried before it is used.
const IDLE_UNTESTED: Duration = Duration::from_millis(100);

/// Opens the database and makes or upgrades the tables.
///
/// # Errors
/// When it does not answer, the tables may not be made, or a newer zipkind made them.
pub async fn open_postgres(
    config: PostgresConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
) -> Result<impl StorageBackend + use<>, StorageError> {
    let engine = PostgresEngine::open(config, options.clone(), Arc::clone(&clock)).await?;
    Ok(SqlStore::new(engine, options, clock))
}

/// Opens a database that has the tables of this version, and makes nothing: the right to read is enough.
///
/// # Errors
/// When it does not answer, or has no such tables.
pub async fn open_postgres_to_read(
    config: PostgresConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
) -> Result<impl StorageBackend + use<>, StorageError> {
    let engine = PostgresEngine::connect(config, options.clone(), Arc::clone(&clock)).await?;
    engine.must_be_current().await?;
    Ok(SqlStore::new(engine, options, clock))
}

/// The statements that would bring the schema to this version, in their order; run, unless `is_dry`.
///
/// # Errors
/// As [`open_postgres`].
pub async fn migrate_postgres(
    config: PostgresConfig,
    clock: Arc<dyn Clock>,
    is_dry: bool,
) -> Result<Vec<SchemaChange>, StorageError> {
    let engine = PostgresEngine::connect(config, StorageOptions::default(), clock).await?;
    let mut changes = engine.pending().await?;
    if !is_dry {
        engine.migrate().await?;
    }
    changes.extend(engine.pending_partitions(is_dry).await?);
    engine.pool.close().await;
    Ok(changes)
}

/// The connections and what they were told.
#[derive(Debug)]
struct PostgresEngine {
    config: PostgresConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
    pool: PgPool,
    /// Begins a transaction that sees one state of the tables.
    begin_read: String,
    /// Who this process is to the others.
    holder: String,
}

impl PostgresEngine {
    async fn open(
        config: PostgresConfig,
        options: StorageOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StorageError> {
        let engine = Self::connect(config, options, clock).await?;
        engine.migrate().await?;
        engine.make_partitions().await?;
        Ok(engine)
    }

    /// Connects and leaves the tables as they are.
    async fn connect(
        config: PostgresConfig,
        options: StorageOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StorageError> {
        let connect = config.connect_options()?;
        let pooled = config.pooled;
        let pool = PgPoolOptions::new()
            .max_connections(config.connections_max)
            .acquire_timeout(config.acquire_timeout)
            .max_lifetime(Duration::from_secs(1800))
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                Box::pin(async move {
                    // One that was just used is there; behind a pooler it may have got another server since.
                    if pooled || meta.idle_for < IDLE_UNTESTED {
                        return Ok(true);
                    }
                    connection.ping().await.map(|()| true)
                })
            })
            .connect_with(connect)
            .await
            .map_err(during("connect"))?;
        let timeout_ms = config.statement_timeout.as_millis();
        let begin_read = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {timeout_ms}; \
             SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
        );
        let holder = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        Ok(Self { config, options, clock, pool, begin_read, holder })
    }

    /// A statement: prepared once, or unnamed behind a pooler. Either way only inside of transactions.
    fn query(&self, sql: &'static str) -> Query<'static, Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(sql).persistent(!self.config.pooled)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        format!("PostgreSQLStorage{{{}}}", self.config.place())
    }

    fn concurrent_writes(&self) -> usize {
        self.config.concurrent_writes
    }

    fn concurrent_writes_max(&self) -> usize {
        (self.config.connections_max as usize).saturating_sub(CONNECTIONS_OF_READERS)
    }

    async fn store(&self, rows: &Rows, positions: &[&SourcePosition], arrived: i64) -> Result<(), WriteFailure> {
        self.store_rows(rows, positions, arrived).await
    }

    async fn position(&self, group: &str, topic: &str, partition: i32) -> Result<Option<SourcePosition>, StorageError> {
        self.stored_position(group, topic, partition).await.map_err(during("source position"))
    }

    async fn list(&self, kind: Kind, owner: &str, max: usize) -> Result<Vec<String>, StorageError> {
        self.list_names(kind, owner, max).await.map_err(during("names"))
    }

    async fn begin(&self) -> Result<Box<dyn Snapshot>, StorageError> {
        Ok(Box::new(self.snapshot().await?))
    }

    async fn check(&self) -> Result<(), StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during("check"))?;
        let read_only: String = sqlx::query_scalar("SELECT current_setting('transaction_read_only')")
            .persistent(!self.config.pooled)
            .fetch_one(&mut *transaction)
            .await
            .map_err(during("check"))?;
        transaction.rollback().await.map_err(during("check"))?;
        if read_only == "on" {
            return Err(unavailable("check", "the server takes no writes (a standby?)"));
        }
        Ok(())
    }

    async fn lease(&self, name: &'static str, time: Duration) -> Result<bool, StorageError> {
        self.take_lease(name, time).await.map_err(during("lease"))
    }

    fn firm_ms(&self) -> Range<i64> {
        self.firm_times_ms()
    }

    fn kept_from_ms(&self) -> i64 {
        // Without an age days go by size, and tallies with them.
        if self.config.retention_max_age.is_some() { self.firm_times_ms().start } else { 1 }
    }

    async fn settle(&self, writes: &[i64], tallies: &[TallyRow], last: i64) -> Result<bool, StorageError> {
        self.settle_writes(writes, tallies, last).await.map_err(during("tally"))
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.remove_old().await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests;
