//! One state of the tables, held for the length of one answer.

use async_trait::async_trait;
use sqlx::mysql::{MySql, MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySqlPool, Row, Transaction};

use crate::storage::StorageError;
use crate::storage::mysql::error::during;
use crate::storage::sql::engine::{
    Snapshot, StoredFragment, StoredTally, TermList, TimeRow, TimeStep, TraceSize, UnsettledWrite,
};

/// Traces asked for by one statement.
const TRACES_PER_STATEMENT: usize = 256;

/// Traces by id; the list of them comes behind, as in all but two of these.
pub(in crate::storage::mysql) const FRAGMENTS: &str =
    "SELECT trace_low, arrived, spans FROM zipkind_fragment FORCE INDEX (fragment_trace) WHERE trace_low IN";
/// A step of a walk through a window. MySQL does not use an index for a comparison of pairs.
pub(in crate::storage::mysql) const NEWEST: &str = "SELECT max_ms, trace_low FROM zipkind_fragment FORCE INDEX (fragment_time) \
     WHERE max_ms BETWEEN ? AND ? AND (max_ms < ? OR trace_low < ?) AND min_ms <= ? \
     ORDER BY max_ms DESC, trace_low DESC LIMIT ?";
/// Traces of a rare service.
pub(in crate::storage::mysql) const TRACES_OF_SERVICE: &str =
    "SELECT traces FROM zipkind_service_traces WHERE service = ? LIMIT ?";
/// Traces that may have a term, all and those of a service.
pub(in crate::storage::mysql) const WITH_TERM: &str = "SELECT traces, CAST(terms IS NOT NULL AS SIGNED) \
    FROM zipkind_service_traces WHERE terms IS NULL OR LOCATE(?, terms) > 0 LIMIT ?";
pub(in crate::storage::mysql) const WITH_TERM_OF_SERVICE: &str = "SELECT traces, CAST(terms IS NOT NULL AS SIGNED) \
    FROM zipkind_service_traces WHERE service = ? AND (terms IS NULL OR LOCATE(?, terms) > 0) LIMIT ?";
/// Whether a version before wrote here.
pub(in crate::storage::mysql) const UNNAMED: &str =
    "SELECT CAST(EXISTS (SELECT 1 FROM zipkind_service_traces WHERE is_named IS NULL) AS SIGNED)";
/// Writes that are in no tally.
pub(in crate::storage::mysql) const UNSETTLED: &str =
    "SELECT id, traces FROM zipkind_link_unsettled FORCE INDEX (PRIMARY) WHERE arrived < ? ORDER BY arrived LIMIT ?";
/// How much is in none.
const UNSETTLED_SIZE: &str = "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS SIGNED) \
    FROM (SELECT LENGTH(traces) AS bytes FROM zipkind_link_unsettled LIMIT ?) AS listed";
pub(super) const LAST_TALLY: &str = "SELECT CAST(coalesce(max(number), 0) AS SIGNED) FROM zipkind_link_tally";
/// Tallies of a window.
pub(in crate::storage::mysql) const TALLIES: &str = "SELECT number, max_ms, calls FROM zipkind_link_tally \
    FORCE INDEX (PRIMARY) WHERE number < ? AND max_ms >= ? AND min_ms <= ? ORDER BY number DESC LIMIT ?";
/// Which traces have a service.
pub(in crate::storage::mysql) const WITH_SERVICE: &str = "SELECT trace_low FROM zipkind_fragment \
    FORCE INDEX (fragment_trace) WHERE service_bits & ? <> 0 AND trace_low IN";
/// When traces were.
pub(in crate::storage::mysql) const TIMES: &str = "SELECT max_ms, trace_low FROM zipkind_fragment \
    FORCE INDEX (fragment_trace) WHERE max_ms >= ? AND min_ms <= ? AND trace_low IN";
/// How much there is of traces, before and behind the list of them.
pub(in crate::storage::mysql) const SIZES: (&str, &str) = (
    "SELECT trace_low, count(*), CAST(coalesce(min(nullif(min_ms, 0)), 0) AS SIGNED), max(max_ms) FROM zipkind_fragment \
     FORCE INDEX (fragment_trace) WHERE trace_low IN",
    "GROUP BY trace_low",
);
/// The next traces of a scan, and of one with a window.
pub(in crate::storage::mysql) const SCAN: &str = "SELECT DISTINCT trace_low FROM zipkind_fragment \
    FORCE INDEX (fragment_trace) WHERE trace_low >= ? ORDER BY trace_low LIMIT ?";
pub(in crate::storage::mysql) const SCAN_WINDOW: &str = "SELECT DISTINCT trace_low FROM zipkind_fragment \
    FORCE INDEX (fragment_trace) WHERE trace_low >= ? AND max_ms >= ? AND min_ms <= ? ORDER BY trace_low LIMIT ?";

/// The level is named: only this one has snapshots, while the server may have another one as its own, and the connection may have one
/// left that was set for a transaction that was never begun.
const BEGIN: &str =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// A read transaction.
pub(super) struct NativeSnapshot {
    transaction: Transaction<'static, MySql>,
}

type Bound = Query<'static, MySql, MySqlArguments>;

impl NativeSnapshot {
    pub(super) async fn begin(pool: &MySqlPool) -> Result<Self, StorageError> {
        Ok(Self { transaction: pool.begin_with(BEGIN).await.map_err(during("query"))? })
    }

    /// Rows for each of some traces: `head` ends before the list of them.
    async fn for_traces<T>(
        &mut self,
        operation: &'static str,
        head: &str,
        lows: &[i64],
        values: &[i64],
        read: fn(&MySqlRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StorageError> {
        let mut found = Vec::new();
        for part in lows.chunks(TRACES_PER_STATEMENT) {
            let rows = traces_query((head, ""), part, values).fetch_all(&mut *self.transaction).await;
            for row in &rows.map_err(during(operation))? {
                found.push(read(row).map_err(during(operation))?);
            }
        }
        Ok(found)
    }
}

/// The list is filled up to a power of two by repeating its last, so that there are few different statements.
fn traces_query((head, tail): (&str, &str), lows: &[i64], values: &[i64]) -> Bound {
    let width = lows.len().next_power_of_two();
    let text = format!("{head} ({}) {tail}", vec!["?"; width].join(","));
    let query = values.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| query.bind(*value));
    let last = lows.last().copied().unwrap_or(0);
    lows.iter().copied().chain(std::iter::repeat(last)).take(width).fold(query, |query, low| query.bind(low))
}

fn time_row(row: &MySqlRow) -> Result<TimeRow, sqlx::Error> {
    Ok(TimeRow { max_ms: row.try_get(0)?, trace_low: row.try_get(1)? })
}

fn trace_size(row: &MySqlRow) -> Result<TraceSize, sqlx::Error> {
    let (trace_low, fragments) = (row.try_get(0)?, row.try_get(1)?);
    Ok(TraceSize { trace_low, fragments, min_ms: row.try_get(2)?, max_ms: row.try_get(3)? })
}

#[async_trait]
impl Snapshot for NativeSnapshot {
    async fn fragments(&mut self, lows: &[i64]) -> Result<Vec<StoredFragment>, StorageError> {
        self.for_traces("read spans", FRAGMENTS, lows, &[], |row| {
            Ok(StoredFragment { trace_low: row.try_get(0)?, arrived: row.try_get(1)?, spans: row.try_get(2)? })
        })
        .await
    }

    async fn newest(&mut self, step: TimeStep) -> Result<Vec<TimeRow>, StorageError> {
        let query = sqlx::query(NEWEST)
            .bind(step.floor_ms)
            .bind(step.before.0)
            .bind(step.before.0)
            .bind(step.before.1)
            .bind(step.end_ms)
            .bind(step.rows);
        let rows = query.fetch_all(&mut *self.transaction).await.map_err(during("read window"))?;
        rows.iter().map(|row| time_row(row).map_err(during("read window"))).collect()
    }

    async fn lists_of_service(&mut self, service: i32, lists: i64) -> Result<Vec<Vec<u8>>, StorageError> {
        let query = sqlx::query(TRACES_OF_SERVICE).bind(service).bind(lists);
        let rows = query.fetch_all(&mut *self.transaction).await.map_err(during("search"))?;
        rows.iter().map(|row| row.try_get(0).map_err(during("search"))).collect()
    }

    async fn lists_with_term(
        &mut self,
        service: Option<i32>,
        term: u32,
        lists: i64,
    ) -> Result<Vec<TermList>, StorageError> {
        let term = term.to_be_bytes().to_vec();
        let query = match service {
            None => sqlx::query(WITH_TERM).bind(term),
            Some(service) => sqlx::query(WITH_TERM_OF_SERVICE).bind(service).bind(term),
        };
        let rows = query.bind(lists).fetch_all(&mut *self.transaction).await.map_err(during("search"))?;
        let list = |row: &MySqlRow| -> Result<TermList, sqlx::Error> {
            Ok(TermList { traces: row.try_get(0)?, has_terms: row.try_get::<i64, _>(1)? != 0 })
        };
        rows.iter().map(|row| list(row).map_err(during("search"))).collect()
    }

    async fn with_service(&mut self, lows: &[i64], bit: i64) -> Result<Vec<i64>, StorageError> {
        self.for_traces("search", WITH_SERVICE, lows, &[bit], |row| row.try_get(0)).await
    }

    async fn has_untold_writes(&mut self) -> Result<bool, StorageError> {
        let row = sqlx::query(UNNAMED).fetch_one(&mut *self.transaction).await;
        let found: i64 = row.and_then(|row| row.try_get(0)).map_err(during("dependencies"))?;
        Ok(found != 0)
    }

    async fn last_tally(&mut self) -> Result<i64, StorageError> {
        let row = sqlx::query(LAST_TALLY).fetch_one(&mut *self.transaction).await;
        row.and_then(|row| row.try_get(0)).map_err(during("tally"))
    }

    async fn unsettled_size(&mut self, rows: i64) -> Result<(i64, i64), StorageError> {
        let row = sqlx::query(UNSETTLED_SIZE).bind(rows).fetch_one(&mut *self.transaction).await;
        row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))).map_err(during("dependencies"))
    }

    async fn unsettled(&mut self, arrived: i64, rows: i64) -> Result<Vec<UnsettledWrite>, StorageError> {
        let query = sqlx::query(UNSETTLED).bind(arrived).bind(rows);
        let rows = query.fetch_all(&mut *self.transaction).await.map_err(during("dependencies"))?;
        let write = |row: &MySqlRow| -> Result<UnsettledWrite, sqlx::Error> {
            Ok(UnsettledWrite { id: row.try_get(0)?, traces: row.try_get(1)? })
        };
        rows.iter().map(|row| write(row).map_err(during("dependencies"))).collect()
    }

    async fn tallies(
        &mut self,
        below: i64,
        start_ms: i64,
        end_ms: i64,
        rows: i64,
    ) -> Result<Vec<StoredTally>, StorageError> {
        let query = sqlx::query(TALLIES).bind(below).bind(start_ms).bind(end_ms).bind(rows);
        let rows = query.fetch_all(&mut *self.transaction).await.map_err(during("dependencies"))?;
        let tally = |row: &MySqlRow| -> Result<StoredTally, sqlx::Error> {
            Ok(StoredTally { number: row.try_get(0)?, max_ms: row.try_get(1)?, calls: row.try_get(2)? })
        };
        rows.iter().map(|row| tally(row).map_err(during("dependencies"))).collect()
    }

    async fn times(&mut self, lows: &[i64], start_ms: i64, end_ms: i64) -> Result<Vec<TimeRow>, StorageError> {
        self.for_traces("search", TIMES, lows, &[start_ms, end_ms], time_row).await
    }

    async fn sizes(&mut self, lows: &[i64]) -> Result<Vec<TraceSize>, StorageError> {
        let mut sizes = Vec::new();
        for part in lows.chunks(TRACES_PER_STATEMENT) {
            let rows =
                traces_query(SIZES, part, &[]).fetch_all(&mut *self.transaction).await.map_err(during("tally"))?;
            for row in &rows {
                sizes.push(trace_size(row).map_err(during("tally"))?);
            }
        }
        Ok(sizes)
    }

    async fn traces_from(
        &mut self,
        from: i64,
        window_ms: Option<(i64, i64)>,
        rows: i64,
    ) -> Result<Vec<i64>, StorageError> {
        let query = match window_ms {
            None => sqlx::query(SCAN).bind(from),
            Some((start_ms, end_ms)) => sqlx::query(SCAN_WINDOW).bind(from).bind(start_ms).bind(end_ms),
        };
        let rows = query.bind(rows).fetch_all(&mut *self.transaction).await.map_err(during("scan"))?;
        rows.iter().map(|row| row.try_get(0).map_err(during("scan"))).collect()
    }
}
