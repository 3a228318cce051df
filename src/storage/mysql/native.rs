//! Our own tables in MySQL and MariaDB (`MYSQL_LAYOUT=native`): the layout of [`sql`](crate::storage::sql).
//!
//! Rows of fragments lie in order of arrival, so that writes append; two indexes find them by trace and by time. Old rows are
//! removed in bounded chunks.

pub(super) mod names;
pub(super) mod read;
mod retention;
mod tallies;
mod write;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::MySqlPool;

use super::config::MysqlConfig;
use super::error::{NAME, during};
use super::{migrate, position};
use crate::storage::sql::engine::{CONNECTIONS_OF_READERS, Engine, Snapshot, WriteFailure};
use crate::storage::sql::names::Kind;
use crate::storage::sql::rows::Rows;
use crate::storage::sql::tally::TallyRow;
use crate::storage::{SourcePosition, StorageError, StorageOptions};
use crate::telemetry::Clock;

pub(super) const TABLES_LOOK: &str = "SELECT 1 FROM zipkind_fragment, zipkind_service_traces, zipkind_name LIMIT 1";
pub(super) const TABLES: &str = include_str!("../../../migrations/mysql/0002_native.sql");
/// What tables of the version before lack.
pub(super) const TERMS_LOOK: &str = "SELECT terms FROM zipkind_service_traces LIMIT 1";
pub(super) const TERMS: &str = include_str!("../../../migrations/mysql/0003_terms.sql");
pub(super) const TALLIES_LOOK: &str = "SELECT 1 FROM zipkind_link_unsettled, zipkind_link_tally LIMIT 1";
pub(super) const TALLIES: &str = include_str!("../../../migrations/mysql/0004_tallies.sql");

/// The connections and what they were told.
#[derive(Debug)]
pub(super) struct NativeEngine {
    pool: MySqlPool,
    config: MysqlConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
    /// Who this process is to the others.
    holder: String,
}

impl NativeEngine {
    /// Makes the tables when they are not there.
    pub(super) async fn open(
        pool: MySqlPool,
        config: MysqlConfig,
        options: StorageOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StorageError> {
        migrate::make(&pool, TABLES_LOOK, TABLES).await?;
        migrate::make(&pool, TERMS_LOOK, TERMS).await?;
        migrate::make(&pool, TALLIES_LOOK, TALLIES).await?;
        Ok(Self::new(pool, config, options, clock))
    }

    /// Over tables that are there.
    pub(super) fn new(pool: MySqlPool, config: MysqlConfig, options: StorageOptions, clock: Arc<dyn Clock>) -> Self {
        let holder = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        Self { pool, config, options, clock, holder }
    }
}

#[async_trait]
impl Engine for NativeEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        format!("MySQLStorage{{{}}}", self.config.place())
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
        position::stored_position(&self.pool, group, topic, partition).await.map_err(during("source position"))
    }

    async fn list(&self, kind: Kind, owner: &str, max: usize) -> Result<Vec<String>, StorageError> {
        self.list_names(kind, owner, max).await.map_err(during("names"))
    }

    async fn begin(&self) -> Result<Box<dyn Snapshot>, StorageError> {
        Ok(Box::new(read::NativeSnapshot::begin(&self.pool).await?))
    }

    async fn check(&self) -> Result<(), StorageError> {
        super::check(&self.pool, "SELECT 1 FROM zipkind_fragment LIMIT 1").await
    }

    async fn lease(&self, name: &'static str, time: Duration) -> Result<bool, StorageError> {
        self.take_lease(name, time).await.map_err(during("lease"))
    }

    fn firm_ms(&self) -> Range<i64> {
        self.firm_times_ms()
    }

    fn kept_from_ms(&self) -> i64 {
        self.firm_times_ms().start
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
