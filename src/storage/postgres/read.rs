//! One state of the tables, held for the length of one answer.

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row, Transaction};

use super::PostgresEngine;
use super::error::during;
use crate::storage::StorageError;
use crate::storage::sql::engine::{
    Snapshot, StoredFragment, StoredTally, TermList, TimeRow, TimeStep, TraceSize, UnsettledWrite,
};
use crate::storage::sql::rows::DAY_MS;

/// Traces by id.
pub(super) const FRAGMENTS: &str = "SELECT trace_low, arrived, spans FROM zipkind.fragment WHERE trace_low = ANY($1)";
/// A step of a walk through a window.
pub(super) const NEWEST: &str = "SELECT max_ms, trace_low FROM zipkind.fragment WHERE (max_ms, trace_low) < ($1, $2) AND max_ms >= $3 \
     AND min_ms <= $4 AND day BETWEEN $5 AND $6 ORDER BY max_ms DESC, trace_low DESC LIMIT $7";
/// Traces of a rare service.
pub(super) const TRACES_OF_SERVICE: &str = "SELECT traces FROM zipkind.service_traces WHERE service = $1 LIMIT $2";
/// Traces that may have a term, all and those of a service.
pub(super) const WITH_TERM: &str = "SELECT traces, terms IS NOT NULL FROM zipkind.service_traces \
    WHERE terms IS NULL OR position($1 IN terms) > 0 LIMIT $2";
pub(super) const WITH_TERM_OF_SERVICE: &str = "SELECT traces, terms IS NOT NULL FROM zipkind.service_traces \
    WHERE service = $1 AND (terms IS NULL OR position($2 IN terms) > 0) LIMIT $3";
/// Whether a version before wrote here.
pub(super) const UNNAMED: &str = "SELECT EXISTS (SELECT 1 FROM zipkind.service_traces WHERE is_named IS NULL)";
/// Writes that are in no tally.
pub(super) const UNSETTLED: &str =
    "SELECT id, traces FROM zipkind.link_unsettled WHERE arrived < $1 ORDER BY arrived LIMIT $2";
/// How much is in none.
const UNSETTLED_SIZE: &str = "SELECT count(*), coalesce(sum(bytes), 0)::bigint \
    FROM (SELECT octet_length(traces) AS bytes FROM zipkind.link_unsettled LIMIT $1) AS listed";
pub(super) const LAST_TALLY: &str = "SELECT coalesce(max(number), 0) FROM zipkind.link_tally";
/// Tallies of a window.
pub(super) const TALLIES: &str = "SELECT number, max_ms, calls FROM zipkind.link_tally \
    WHERE number < $1 AND max_ms >= $2 AND min_ms <= $3 ORDER BY number DESC LIMIT $4";
/// Which traces have a service.
pub(super) const WITH_SERVICE: &str =
    "SELECT trace_low FROM zipkind.fragment WHERE trace_low = ANY($1) AND service_bits & $2 <> 0";
/// When traces were.
pub(super) const TIMES: &str = "SELECT max_ms, trace_low FROM zipkind.fragment \
    WHERE trace_low = ANY($1) AND max_ms >= $2 AND min_ms <= $3";
/// How much there is of traces.
pub(super) const SIZES: &str = "SELECT trace_low, count(*), coalesce(min(nullif(min_ms, 0)), 0), max(max_ms) FROM zipkind.fragment \
    WHERE trace_low = ANY($1) GROUP BY trace_low";
/// The next traces of a scan, and of one with a window.
pub(super) const SCAN: &str =
    "SELECT DISTINCT trace_low FROM zipkind.fragment WHERE trace_low >= $1 ORDER BY trace_low LIMIT $2";
pub(super) const SCAN_WINDOW: &str = "SELECT DISTINCT trace_low FROM zipkind.fragment WHERE trace_low >= $1 AND max_ms >= $3 \
     AND min_ms <= $4 AND day BETWEEN $5 AND $6 ORDER BY trace_low LIMIT $2";

/// A read transaction.
pub(super) struct PostgresSnapshot {
    transaction: Transaction<'static, Postgres>,
    pooled: bool,
}

impl PostgresEngine {
    pub(super) async fn snapshot(&self) -> Result<PostgresSnapshot, StorageError> {
        // Made of constants and a number.
        let begin = AssertSqlSafe(self.begin_read.clone());
        let transaction = self.pool.begin_with(begin).await.map_err(during("query"))?;
        Ok(PostgresSnapshot { transaction, pooled: self.config.pooled })
    }
}

impl PostgresSnapshot {
    fn query(&self, sql: &'static str) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(sql).persistent(!self.pooled)
    }

    async fn all(
        &mut self,
        operation: &'static str,
        query: Query<'static, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StorageError> {
        query.fetch_all(&mut *self.transaction).await.map_err(during(operation))
    }
}

/// Rows as values.
fn read<T>(
    operation: &'static str,
    rows: &[PgRow],
    value: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, StorageError> {
    rows.iter().map(|row| value(row).map_err(during(operation))).collect()
}

fn day(ms: i64) -> i32 {
    i32::try_from(ms / DAY_MS).unwrap_or(i32::MAX)
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    async fn fragments(&mut self, lows: &[i64]) -> Result<Vec<StoredFragment>, StorageError> {
        let operation = "read spans";
        let query = self.query(FRAGMENTS).bind(lows.to_vec());
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(StoredFragment { trace_low: row.try_get(0)?, arrived: row.try_get(1)?, spans: row.try_get(2)? })
        })
    }

    async fn newest(&mut self, step: TimeStep) -> Result<Vec<TimeRow>, StorageError> {
        let operation = "read window";
        let query = self
            .query(NEWEST)
            .bind(step.before.0)
            .bind(step.before.1)
            .bind(step.floor_ms)
            .bind(step.end_ms)
            .bind(day(step.floor_ms))
            .bind(day(step.before.0))
            .bind(step.rows);
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(TimeRow { max_ms: row.try_get(0)?, trace_low: row.try_get(1)? })
        })
    }

    async fn lists_of_service(&mut self, service: i32, lists: i64) -> Result<Vec<Vec<u8>>, StorageError> {
        let operation = "search";
        let query = self.query(TRACES_OF_SERVICE).bind(service).bind(lists);
        read(operation, &self.all(operation, query).await?, |row| row.try_get(0))
    }

    async fn lists_with_term(
        &mut self,
        service: Option<i32>,
        term: u32,
        lists: i64,
    ) -> Result<Vec<TermList>, StorageError> {
        let operation = "search";
        let term = term.to_be_bytes().to_vec();
        let query = match service {
            None => self.query(WITH_TERM).bind(term).bind(lists),
            Some(service) => self.query(WITH_TERM_OF_SERVICE).bind(service).bind(term).bind(lists),
        };
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(TermList { traces: row.try_get(0)?, has_terms: row.try_get(1)? })
        })
    }

    async fn with_service(&mut self, lows: &[i64], bit: i64) -> Result<Vec<i64>, StorageError> {
        let operation = "search";
        let query = self.query(WITH_SERVICE).bind(lows.to_vec()).bind(bit);
        read(operation, &self.all(operation, query).await?, |row| row.try_get(0))
    }

    async fn has_untold_writes(&mut self) -> Result<bool, StorageError> {
        let operation = "dependencies";
        let query = self.query(UNNAMED);
        let found = read(operation, &self.all(operation, query).await?, |row| row.try_get(0))?;
        Ok(found.contains(&true))
    }

    async fn last_tally(&mut self) -> Result<i64, StorageError> {
        let operation = "tally";
        let query = self.query(LAST_TALLY);
        let found = read(operation, &self.all(operation, query).await?, |row| row.try_get(0))?;
        Ok(found.first().copied().unwrap_or(0))
    }

    async fn unsettled_size(&mut self, rows: i64) -> Result<(i64, i64), StorageError> {
        let operation = "dependencies";
        let query = self.query(UNSETTLED_SIZE).bind(rows);
        let found = read(operation, &self.all(operation, query).await?, |row| Ok((row.try_get(0)?, row.try_get(1)?)))?;
        Ok(found.first().copied().unwrap_or((0, 0)))
    }

    async fn unsettled(&mut self, arrived: i64, rows: i64) -> Result<Vec<UnsettledWrite>, StorageError> {
        let operation = "dependencies";
        let query = self.query(UNSETTLED).bind(arrived).bind(rows);
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(UnsettledWrite { id: row.try_get(0)?, traces: row.try_get(1)? })
        })
    }

    async fn tallies(
        &mut self,
        below: i64,
        start_ms: i64,
        end_ms: i64,
        rows: i64,
    ) -> Result<Vec<StoredTally>, StorageError> {
        let operation = "dependencies";
        let query = self.query(TALLIES).bind(below).bind(start_ms).bind(end_ms).bind(rows);
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(StoredTally { number: row.try_get(0)?, max_ms: row.try_get(1)?, calls: row.try_get(2)? })
        })
    }

    async fn times(&mut self, lows: &[i64], start_ms: i64, end_ms: i64) -> Result<Vec<TimeRow>, StorageError> {
        let operation = "search";
        let query = self.query(TIMES).bind(lows.to_vec()).bind(start_ms).bind(end_ms);
        read(operation, &self.all(operation, query).await?, |row| {
            Ok(TimeRow { max_ms: row.try_get(0)?, trace_low: row.try_get(1)? })
        })
    }

    async fn sizes(&mut self, lows: &[i64]) -> Result<Vec<TraceSize>, StorageError> {
        let operation = "tally";
        let query = self.query(SIZES).bind(lows.to_vec());
        read(operation, &self.all(operation, query).await?, |row| {
            let (trace_low, fragments) = (row.try_get(0)?, row.try_get(1)?);
            Ok(TraceSize { trace_low, fragments, min_ms: row.try_get(2)?, max_ms: row.try_get(3)? })
        })
    }

    async fn traces_from(
        &mut self,
        from: i64,
        window_ms: Option<(i64, i64)>,
        rows: i64,
    ) -> Result<Vec<i64>, StorageError> {
        let operation = "scan";
        let query = match window_ms {
            None => self.query(SCAN).bind(from).bind(rows),
            Some((start_ms, end_ms)) => self
                .query(SCAN_WINDOW)
                .bind(from)
                .bind(rows)
                .bind(start_ms)
                .bind(end_ms)
                .bind(day(start_ms.max(0)))
                .bind(day(end_ms.max(0))),
        };
        read(operation, &self.all(operation, query).await?, |row| row.try_get(0))
    }
}
