//! One write, one transaction of statements with hundreds of rows.

use sqlx::mysql::{MySql, MySqlArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use super::NativeEngine;
use crate::storage::SourcePosition;
use crate::storage::mysql::error::storage_error;
use crate::storage::mysql::position::{is_stored, move_positions};
use crate::storage::mysql::{ISOLATION, power_of_two, with_rows};
use crate::storage::sql::engine::WriteFailure;
use crate::storage::sql::lists::ServiceTraces;
use crate::storage::sql::rows::{FragmentRow, Postings, Rows};
use crate::storage::sql::transaction::Failure;

/// Rows of one statement, at most, and bytes of their spans, about. The engine takes 65,535 values and 16 MiB.
const ROWS_MAX: usize = 512;
const BYTES_MAX: usize = 2 << 20;

type Bound<'r> = Query<'r, MySql, MySqlArguments>;

impl NativeEngine {
    pub(super) async fn store_rows(
        &self,
        rows: &Rows,
        positions: &[&SourcePosition],
        arrived: i64,
    ) -> Result<(), WriteFailure> {
        match self.transaction(rows, positions, arrived).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                failure.settle(is_stored(&self.pool, positions), |error| storage_error("write", error)).await
            }
        }
    }

    async fn transaction(&self, rows: &Rows, positions: &[&SourcePosition], arrived: i64) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        sqlx::raw_sql(ISOLATION).execute(&mut *connection).await?;
        let mut transaction = connection.begin().await?;
        let stale = move_positions(&mut transaction, positions).await?;
        if !stale.is_empty() {
            transaction.rollback().await?;
            return Err(Failure::Stale(stale));
        }
        insert_fragments(&mut transaction, &rows.fragments, arrived).await?;
        insert_lists(&mut transaction, &rows.postings, arrived).await?;
        if !rows.traces.is_empty() {
            name_unsettled(&mut transaction, &rows.traces, arrived).await?;
        }
        self.write_names(&mut transaction, &rows.names).await?;
        transaction.commit().await.map_err(Failure::of_commit)
    }
}

async fn insert_fragments(
    connection: &mut MySqlConnection,
    rows: &[FragmentRow],
    arrived: i64,
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(fitting(rest));
        rest = after;
        fragments_query(part, arrived).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Traces that are in no tally, or not with these spans.
async fn name_unsettled(connection: &mut MySqlConnection, traces: &[u8], arrived: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO zipkind_link_unsettled (arrived, id, traces) VALUES (?, ?, ?)")
        .bind(arrived)
        .bind(fastrand::i64(..))
        .bind(traces)
        .execute(connection)
        .await
        .map(|_| ())
}

fn fragments_query(rows: &[FragmentRow], arrived: i64) -> Bound<'_> {
    let text = with_rows(
        "INSERT INTO zipkind_fragment (arrived, trace_low, content, min_ms, max_ms, service_bits, spans) VALUES",
        rows.len(),
        7,
        // A repeated write: nothing changes. INSERT IGNORE would swallow other errors too.
        " ON DUPLICATE KEY UPDATE content = VALUES(content)",
    );
    rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
        query
            .bind(arrived)
            .bind(row.trace_low)
            .bind(row.content)
            .bind(row.min_ms)
            .bind(row.max_ms)
            .bind(row.service_bits)
            .bind(row.spans.as_slice())
    })
}

async fn insert_lists(connection: &mut MySqlConnection, postings: &Postings, arrived: i64) -> Result<(), sqlx::Error> {
    let lists = ServiceTraces::of(postings);
    let mut rest = lists.as_slice();
    while !rest.is_empty() {
        let (part, after) = rest.split_at(power_of_two(rest.len().min(ROWS_MAX)));
        rest = after;
        lists_query(part, arrived).execute(&mut *connection).await?;
    }
    Ok(())
}

fn lists_query(rows: &[ServiceTraces], arrived: i64) -> Bound<'_> {
    let text = with_rows(
        "INSERT INTO zipkind_service_traces (service, day, content, arrived, traces, terms, is_named) VALUES",
        rows.len(),
        7,
        " ON DUPLICATE KEY UPDATE arrived = greatest(arrived, VALUES(arrived))",
    );
    rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
        let query = query.bind(row.service).bind(row.day).bind(row.content()).bind(arrived);
        query.bind(row.traces.as_slice()).bind(row.terms.as_slice()).bind(true)
    })
}

/// How many rows go into one statement; one at least.
fn fitting(rows: &[FragmentRow]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(ROWS_MAX).take_while(|row| {
        bytes += row.spans.len();
        bytes <= BYTES_MAX
    });
    power_of_two(fits.count().max(1))
}
