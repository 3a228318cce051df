//! One batch, one transaction of a few statements with many rows.

use sqlx::mysql::{MySql, MySqlArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use super::ZipkinTables;
use super::rows::{AnnotationRow, Rows, SpanKey, SpanRow};
use crate::storage::mysql::error::{NAME, during, rejected, storage_error};
use crate::storage::mysql::position::{is_stored, move_positions};
use crate::storage::mysql::{ISOLATION, power_of_two, with_rows};
use crate::storage::{Batch, ErrorKind, SourcePosition, StorageError, Stored};

/// Rows of one statement, at most, and bytes of their texts, about. The engine takes 65,535 values and 16 MiB.
const ROWS_MAX: usize = 512;
const BYTES_MAX: usize = 1 << 20;
/// Rows removed by one statement of retention, and statements of one turn.
const CHUNK_ROWS: i64 = 2_000;
const CHUNKS_MAX: usize = 50;

type Bound<'r> = Query<'r, MySql, MySqlArguments>;

impl ZipkinTables {
    pub(super) async fn write_batch(&self, batch: &Batch) -> Result<Stored, StorageError> {
        let rows = Rows::of(&batch.spans, &self.schema);
        let rows = rows.map_err(|reason| rejected("write", reason))?;
        let mut connection = self.pool.acquire().await.map_err(during("write"))?;
        sqlx::raw_sql(ISOLATION).execute(&mut *connection).await.map_err(during("write"))?;
        let mut transaction = connection.begin().await.map_err(during("write"))?;
        let positions: Vec<&SourcePosition> = batch.position.iter().collect();
        let stale = move_positions(&mut transaction, &positions).await.map_err(during("write"))?;
        if !stale.is_empty() {
            let reason = "the stored position is not where the batch begins";
            return Err(StorageError::new(ErrorKind::StalePosition, NAME, "write", reason));
        }
        self.insert(&mut transaction, &rows).await.map_err(during("write"))?;
        if let Err(error) = transaction.commit().await {
            // The outcome is unknown: only the tables can tell.
            if !is_stored(&self.pool, &positions).await {
                return Err(storage_error("write", error));
            }
            tracing::warn!(%error, "a commit that reported an error was stored all the same");
        }
        Ok(Stored { spans: batch.spans.len() })
    }

    async fn insert(&self, connection: &mut MySqlConnection, rows: &Rows) -> Result<(), sqlx::Error> {
        let is_tentative = |row: &SpanRow| row.start_us.is_none() && row.tentative_start_us.is_some();
        let (tentative, own): (Vec<_>, Vec<_>) = rows.spans.iter().partition(|(_, row)| is_tentative(row));
        for (spans, updates_start) in [(own, true), (tentative, false)] {
            let statement = self.span_statement(updates_start);
            let mut rest = spans.as_slice();
            while !rest.is_empty() {
                let (part, after) = rest.split_at(power_of_two(rest.len().min(ROWS_MAX)));
                rest = after;
                let text = with_rows(&statement.0, part.len(), self.span_columns().len(), &statement.1);
                self.bind_spans(text, part).execute(&mut *connection).await?;
            }
        }
        let head = format!("INSERT IGNORE INTO zipkin_annotations ({}) VALUES", self.annotation_columns().join(", "));
        let mut rest = rows.annotations.as_slice();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(fitting(rest));
            rest = after;
            let text = with_rows(&head, part.len(), self.annotation_columns().len(), "");
            self.bind_annotations(text, part).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn span_columns(&self) -> Vec<&'static str> {
        let columns = [
            (self.schema.has_trace_id_high, "trace_id_high"),
            (true, "trace_id"),
            (true, "id"),
            (true, "name"),
            (self.schema.has_remote_service_name, "remote_service_name"),
            (true, "parent_id"),
            (true, "debug"),
            (true, "start_ts"),
            (true, "duration"),
        ];
        columns.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect()
    }

    /// What comes before the rows and after them. A value that is there gives way to a new one, never to none.
    fn span_statement(&self, updates_start: bool) -> (String, String) {
        let head = format!("INSERT INTO zipkin_spans ({}) VALUES", self.span_columns().join(", "));
        let mut tail = String::from(
            " ON DUPLICATE KEY UPDATE name = IF(VALUES(name) = '', name, VALUES(name)), \
             parent_id = COALESCE(VALUES(parent_id), parent_id), duration = COALESCE(VALUES(duration), duration)",
        );
        if self.schema.has_remote_service_name {
            tail.push_str(
                ", remote_service_name = IF(VALUES(remote_service_name) = '', remote_service_name, VALUES(remote_service_name))",
            );
        }
        if updates_start {
            tail.push_str(", start_ts = COALESCE(VALUES(start_ts), start_ts)");
        }
        (head, tail)
    }

    fn bind_spans<'r>(&self, text: String, rows: &[(&SpanKey, &'r SpanRow)]) -> Bound<'r> {
        let mut query: Bound<'r> = sqlx::query(AssertSqlSafe(text));
        for ((high, low, id), row) in rows {
            if self.schema.has_trace_id_high {
                query = query.bind(*high);
            }
            query = query.bind(*low).bind(*id).bind(row.name.as_str());
            if self.schema.has_remote_service_name {
                query = query.bind(row.remote_service_name.as_str());
            }
            query = query
                .bind(row.parent_id)
                .bind(row.debug)
                .bind(row.start_us.or(row.tentative_start_us))
                .bind(row.duration_us);
        }
        query
    }

    fn annotation_columns(&self) -> Vec<&'static str> {
        let columns = [
            (self.schema.has_trace_id_high, "trace_id_high"),
            (true, "trace_id"),
            (true, "span_id"),
            (true, "a_key"),
            (true, "a_value"),
            (true, "a_type"),
            (true, "a_timestamp"),
            (true, "endpoint_ipv4"),
            (self.schema.has_ipv6, "endpoint_ipv6"),
            (true, "endpoint_port"),
            (true, "endpoint_service_name"),
        ];
        columns.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect()
    }

    fn bind_annotations<'r>(&self, text: String, rows: &'r [AnnotationRow]) -> Bound<'r> {
        let mut query = sqlx::query(AssertSqlSafe(text));
        for row in rows {
            let (high, low, id) = row.span;
            if self.schema.has_trace_id_high {
                query = query.bind(high);
            }
            query = query
                .bind(low)
                .bind(id)
                .bind(row.key.as_str())
                .bind(row.value.as_deref())
                .bind(row.kind)
                .bind(row.timestamp_us)
                .bind(row.ipv4);
            if self.schema.has_ipv6 {
                query = query.bind(row.ipv6.as_deref());
            }
            query = query.bind(row.port).bind(row.service_name.as_deref());
        }
        query
    }

    /// Old rows, in bounded chunks, only when it was asked for.
    pub(super) async fn remove_old(&self) -> Result<(), StorageError> {
        let (true, Some(age)) = (self.config.retention_of_zipkin, self.config.retention_max_age) else { return Ok(()) };
        let age_us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        // Annotations carry the time of their span, or their own; those of spans without time have none and stay.
        for statement in [
            "DELETE FROM zipkin_annotations WHERE a_timestamp > 0 \
             AND a_timestamp < UNIX_TIMESTAMP() * 1000000 - ? LIMIT ?",
            "DELETE FROM zipkin_spans WHERE start_ts < UNIX_TIMESTAMP() * 1000000 - ? LIMIT ?",
        ] {
            for _ in 0..CHUNKS_MAX {
                let removed = sqlx::query(statement).bind(age_us).bind(CHUNK_ROWS).execute(&self.pool).await;
                if removed.map_err(during("retention"))?.rows_affected() < CHUNK_ROWS as u64 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// How many rows go into one statement; one at least.
fn fitting(rows: &[AnnotationRow]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(ROWS_MAX).take_while(|row| {
        bytes += row.key.len() + row.value.as_ref().map_or(0, Vec::len);
        bytes <= BYTES_MAX
    });
    power_of_two(fits.count().max(1))
}
