//! One partition of fragments and lists of traces for each day that is kept, made before spans of that day come.

use std::ops::Range;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::PostgresEngine;
use super::error::during;
use super::migrate::SCHEMA_LOCK;
use crate::storage::sql::rows::DAY_MS;
use crate::storage::{SchemaChange, StorageError};

const OPERATION: &str = "partitions";
/// Days ahead of today that have a partition: clocks differ, and maintenance may be late.
const DAYS_AHEAD: i32 = 2;
const HOUR_MS: i64 = 3_600_000;
/// Days back that have a partition when nothing is removed by age, and most when something is.
const DAYS_BACK: (i32, i32) = (7, 366);
/// How long a change of partitions waits for readers and writers, who then wait behind it.
pub(super) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

impl PostgresEngine {
    /// The first day that is kept, as far as age decides.
    pub(super) fn first_day(&self) -> i32 {
        self.first_day_at(self.clock.now_ms())
    }

    /// Times whose spans are in partitions of their own days, which stay for now: by clocks that differ by an hour.
    pub(super) fn firm_times_ms(&self) -> Range<i64> {
        let now_ms = self.clock.now_ms();
        let last_day = (now_ms - HOUR_MS) / DAY_MS + i64::from(DAYS_AHEAD);
        i64::from(self.first_day_at(now_ms + HOUR_MS)).max(1) * DAY_MS..(last_day + 1) * DAY_MS
    }

    fn first_day_at(&self, now_ms: i64) -> i32 {
        let today = (now_ms / DAY_MS) as i32;
        let kept_ms = |age: std::time::Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        match self.config.retention_max_age {
            Some(age) => ((now_ms.saturating_sub(kept_ms(age)) / DAY_MS) as i32).max(today - DAYS_BACK.1),
            None => today - DAYS_BACK.0,
        }
    }

    /// Makes the partitions that are missing.
    pub(super) async fn make_partitions(&self) -> Result<(), StorageError> {
        let wanted: Vec<i32> = self.wanted_days().collect();
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        let present = self.days(&mut transaction).await.map_err(during(OPERATION))?;
        transaction.rollback().await.map_err(during(OPERATION))?;
        if wanted.iter().all(|day| present.contains(day)) {
            return Ok(());
        }
        self.make_missing(&wanted).await.map_err(during(OPERATION))
    }

    /// Partitions that are missing; made, unless `is_dry`.
    pub(super) async fn pending_partitions(&self, is_dry: bool) -> Result<Option<SchemaChange>, StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        // None has its table yet, maybe.
        let tables =
            self.query("SELECT to_regclass('zipkind.fragment') IS NOT NULL").fetch_one(&mut *transaction).await;
        let has_tables: bool = tables.and_then(|row| row.try_get(0)).map_err(during(OPERATION))?;
        let present = match has_tables {
            true => self.days(&mut transaction).await.map_err(during(OPERATION))?,
            false => Vec::new(),
        };
        transaction.rollback().await.map_err(during(OPERATION))?;
        let missing: Vec<i32> = self.wanted_days().filter(|day| !present.contains(day)).collect();
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else { return Ok(None) };
        if !is_dry {
            self.make_partitions().await?;
        }
        let name = format!("{} partitions, of the days {first} to {last} since 1970-01-01", missing.len());
        Ok(Some(SchemaChange { name, sql: missing.iter().map(|day| statements(*day)).collect::<Vec<_>>().join("\n") }))
    }

    /// Today's, those that are kept, and some ahead.
    fn wanted_days(&self) -> impl Iterator<Item = i32> + use<> {
        let today = (self.clock.now_ms() / DAY_MS) as i32;
        self.first_day().max(1)..=today + DAYS_AHEAD
    }

    /// Days that have a partition, oldest first.
    pub(super) async fn days(&self, connection: &mut PgConnection) -> Result<Vec<i32>, sqlx::Error> {
        let rows = self
            .query(
                "SELECT substr(c.relname, 10)::integer AS day FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid \
                 WHERE i.inhparent = 'zipkind.fragment'::regclass AND c.relname ~ '^fragment_[0-9]+$' ORDER BY 1",
            )
            .fetch_all(connection)
            .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// Spans of a day may have come before their partition: they move out of the default one.
    async fn make_missing(&self, wanted: &[i32]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *transaction).await?;
        self.query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *transaction).await?;
        // Another process may have been quicker.
        let present = self.days(&mut transaction).await?;
        let mut text = String::from(
            "LOCK TABLE zipkind.fragment_default IN ACCESS EXCLUSIVE MODE; \
             LOCK TABLE zipkind.service_traces_default IN ACCESS EXCLUSIVE MODE;",
        );
        for day in wanted.iter().filter(|day| !present.contains(day)) {
            text.push_str(&statements(*day));
        }
        // Made of numbers and constants.
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

fn statements(day: i32) -> String {
    let next = day + 1;
    let of_table = |table: &str| {
        format!(
            "CREATE TABLE zipkind.{table}_{day} (LIKE zipkind.{table} INCLUDING ALL) WITH (toast_tuple_target = 8160); \
             WITH moved AS (DELETE FROM zipkind.{table}_default WHERE day = {day} RETURNING *) \
               INSERT INTO zipkind.{table}_{day} SELECT * FROM moved; \
             ALTER TABLE zipkind.{table} ATTACH PARTITION zipkind.{table}_{day} FOR VALUES FROM ({day}) TO ({next});"
        )
    };
    ["fragment", "service_traces"].map(of_table).concat()
}
