//! Removing what is old or too much: days are dropped whole, the default partition is emptied in bounded chunks.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row};

use super::PostgresEngine;
use super::error::{code, during, is_code, storage_error};
use super::partitions::LOCK_TIMEOUT;
use crate::storage::StorageError;
use crate::storage::sql::links::LEASE_NAME;
use crate::storage::sql::names::REFRESH_MS;
use crate::storage::sql::rows::DAY_MS;

const OPERATION: &str = "retention";
/// How long other processes leave retention to the one that began it.
const LEASE: Duration = Duration::from_secs(120);
/// Rows of the default partition removed in one transaction, and transactions of one turn.
const CHUNK_ROWS: i64 = 5_000;
const CHUNKS_MAX: usize = 20;

impl PostgresEngine {
    /// One turn.
    pub(super) async fn remove_old(&self) -> Result<(), StorageError> {
        if !self.take_lease(LEASE_NAME, LEASE).await.map_err(during(OPERATION))? {
            return Ok(());
        }
        self.make_partitions().await?;
        if self.config.retention_max_age.is_some() {
            self.drop_old_days().await?;
            self.empty_default().await.map_err(during(OPERATION))?;
            self.remove_names().await.map_err(during(OPERATION))?;
        }
        self.drop_beyond_size().await
    }

    async fn drop_old_days(&self) -> Result<(), StorageError> {
        let first_day = self.first_day();
        for day in self.all_days().await?.into_iter().filter(|day| *day < first_day) {
            self.drop_day(day, Some(self.stay_us())).await?;
        }
        Ok(())
    }

    async fn all_days(&self) -> Result<Vec<i32>, StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        let days = self.days(&mut transaction).await.map_err(during(OPERATION))?;
        transaction.rollback().await.map_err(during(OPERATION))?;
        Ok(days)
    }

    fn stay_us(&self) -> i64 {
        let stay_ms = self.config.retention_min_stay.as_millis() as i64;
        self.clock.now_ms().saturating_sub(stay_ms).saturating_mul(1000)
    }

    /// Waits for readers and writers a short time only: who comes after waits behind. The next turn tries again. A day in
    /// which something arrived after `stay_us` stays.
    async fn drop_day(&self, day: i32, stay_us: Option<i64>) -> Result<(), StorageError> {
        match self.try_drop_day(day, stay_us).await {
            Ok(false) => Ok(()),
            Ok(true) => {
                tracing::info!(backend = super::NAME, day, "a day of spans was removed");
                Ok(())
            }
            Err(error) if is_code(&error, code::LOCK_NOT_AVAILABLE) => Ok(()),
            Err(error) => Err(storage_error(OPERATION, error)),
        }
    }

    async fn try_drop_day(&self, day: i32, stay_us: Option<i64>) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !self.holds_lease(&mut transaction, LEASE_NAME).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        // Nobody writes any more from here on: what is looked at is what is dropped.
        let lock = format!(
            "{LOCK_TIMEOUT}; LOCK TABLE ONLY zipkind.fragment, ONLY zipkind.service_traces IN ACCESS EXCLUSIVE MODE; \
             LOCK TABLE zipkind.fragment_{day}, zipkind.service_traces_{day} IN ACCESS EXCLUSIVE MODE"
        );
        // These are made of numbers and constants.
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await?;
        if let Some(stay_us) = stay_us {
            let look = format!("SELECT EXISTS (SELECT 1 FROM zipkind.fragment_{day} WHERE arrived > {stay_us})");
            let row = sqlx::query(AssertSqlSafe(look)).persistent(false).fetch_one(&mut *transaction).await?;
            if row.try_get(0)? {
                transaction.rollback().await?;
                return Ok(false);
            }
        }
        self.retire_tallies(&mut transaction, i64::from(day) * DAY_MS).await?;
        let drop = format!("DROP TABLE zipkind.fragment_{day}, zipkind.service_traces_{day}");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn empty_default(&self) -> Result<(), sqlx::Error> {
        let age_ms = self.config.retention_max_age.map_or(i64::MAX, |age| age.as_millis() as i64);
        let cut_ms = self.clock.now_ms().saturating_sub(age_ms);
        let stay_us = self.stay_us();
        let mut is_empty = false;
        for _ in 0..CHUNKS_MAX {
            let mut transaction = self.pool.begin().await?;
            // By their time when they have one, by arrival when they have none or one in the future.
            let removed = self
                .query(
                    "DELETE FROM zipkind.fragment_default WHERE ctid = ANY(ARRAY( \
                       SELECT ctid FROM zipkind.fragment_default \
                       WHERE (max_ms > 0 AND max_ms < $1 AND arrived < $2) OR arrived < $3 LIMIT $4))",
                )
                .bind(cut_ms)
                .bind(stay_us)
                .bind(cut_ms.saturating_mul(1000))
                .bind(CHUNK_ROWS)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            transaction.commit().await?;
            if removed < CHUNK_ROWS as u64 {
                is_empty = true;
                break;
            }
        }
        if is_empty {
            // Lists of whole days before, whose fragments are gone: those that came with the same writes, or sooner.
            let mut transaction = self.pool.begin().await?;
            self.query(
                "DELETE FROM zipkind.service_traces_default \
                 WHERE (day > 0 AND day < $1 AND arrived < $2) OR arrived < $3",
            )
            .bind((cut_ms / DAY_MS) as i32)
            .bind(stay_us)
            .bind(cut_ms.saturating_mul(1000))
            .execute(&mut *transaction)
            .await?;
            self.remove_tallies(&mut transaction, cut_ms, stay_us / 1000).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Names that no span brought for as long as spans are kept, and for as long as caches may hold them besides.
    async fn remove_names(&self) -> Result<(), sqlx::Error> {
        let age_ms = self.config.retention_max_age.map_or(i64::MAX, |age| age.as_millis() as i64);
        let stay_ms = self.config.retention_min_stay.as_millis() as i64;
        let kept_ms = age_ms.max(stay_ms).saturating_add(DAY_MS).saturating_add(2 * REFRESH_MS);
        let mut transaction = self.pool.begin().await?;
        self.query("DELETE FROM zipkind.name WHERE seen_ms < $1")
            .bind(self.clock.now_ms().saturating_sub(kept_ms))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// The oldest days go when all together are too large; today stays.
    async fn drop_beyond_size(&self) -> Result<(), StorageError> {
        let Some(bytes_max) = self.config.retention_max_bytes else { return Ok(()) };
        let today = (self.clock.now_ms() / DAY_MS) as i32;
        for day in self.all_days().await?.into_iter().filter(|day| *day < today) {
            if self.bytes().await.map_err(during(OPERATION))? <= bytes_max {
                break;
            }
            self.drop_day(day, None).await?;
        }
        Ok(())
    }

    async fn bytes(&self) -> Result<u64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let row = self
            .query(
                "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits \
                 WHERE inhparent IN ('zipkind.fragment'::regclass, 'zipkind.service_traces'::regclass)",
            )
            .fetch_one(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        Ok(row.try_get::<i64, _>(0)? as u64)
    }
}
