//! Reading all of it, by the primary key of `zipkin_spans`.

use sqlx::mysql::{MySql, MySqlArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row};

use super::ZipkinTables;
use super::read::TraceKey;
use crate::storage::mysql::error::during;
use crate::storage::scan::Group;
use crate::storage::{QueryBudget, ScanCursor, ScanPage, ScanRequest, StorageError, StorageOptions};

const OPERATION: &str = "scan";
/// Keys read by one statement, and traces read by one pair of statements.
const KEYS: usize = 256;

impl ZipkinTables {
    /// The next page behind the cursor. Traces go by their whole ids here, whatever readers are asked to do.
    pub(super) async fn scan_page(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let strict = Self { options: StorageOptions { strict_trace_id: true, ..self.options.clone() }, ..self.clone() };
        let keys = strict.keys_after(request).await?;
        let mut page = ScanPage { spans_about: self.spans_about().await?, ..ScanPage::default() };
        let (mut rest, mut spans) = (keys.as_slice(), 0);
        let mut group = Group::new(KEYS);
        while !rest.is_empty() && !request.is_full(spans) {
            let (part, after) = rest.split_at(group.size().min(rest.len()));
            rest = after;
            // The statement has looked at the window: times of rows decide, not those that readers derive.
            let traces = strict.traces_of(part, &QueryBudget::unlimited()).await?;
            spans += traces.iter().map(crate::model::SpanBatch::len).sum::<usize>();
            page.traces.extend(traces);
        }
        let is_last = rest.is_empty() && keys.len() < KEYS;
        let last = keys[..keys.len() - rest.len()].last().filter(|_| !is_last);
        page.next = last.map(|(high, low)| ScanCursor { part: *high, low: *low as u64 });
        Ok(page)
    }

    /// The next keys in the order of the primary key. A comparison of pairs uses no index, so there are two statements: the
    /// rest of the upper half that the cursor stands in, then the others.
    async fn keys_after(&self, request: &ScanRequest) -> Result<Vec<TraceKey>, StorageError> {
        let has_high = self.schema.has_trace_id_high;
        let mut keys = Vec::new();
        match request.after {
            None => keys = self.keys(&[], request, KEYS).await?,
            Some(after) if !has_high => {
                keys = self.keys(&[("trace_id > ?", after.low as i64)], request, KEYS).await?;
            }
            Some(after) => {
                let same = [("trace_id_high = ?", after.part), ("trace_id > ?", after.low as i64)];
                keys.extend(self.keys(&same, request, KEYS).await?);
                if keys.len() < KEYS {
                    let rest = KEYS - keys.len();
                    keys.extend(self.keys(&[("trace_id_high > ?", after.part)], request, rest).await?);
                }
            }
        }
        Ok(keys)
    }

    async fn keys(
        &self,
        conditions: &[(&str, i64)],
        request: &ScanRequest,
        rows: usize,
    ) -> Result<Vec<TraceKey>, StorageError> {
        let columns = if self.schema.has_trace_id_high { "trace_id_high, trace_id" } else { "trace_id" };
        let mut wanted: Vec<(&str, i64)> = conditions.to_vec();
        if let Some((start_ms, end_ms)) = request.window_ms {
            // Spans without a time count as 0.
            wanted.push(("COALESCE(start_ts, 0) >= ?", start_ms.saturating_mul(1000)));
            wanted.push(("COALESCE(start_ts, 0) <= ?", end_ms.saturating_mul(1000).saturating_add(999)));
        }
        let texts: Vec<&str> = wanted.iter().map(|(text, _)| *text).collect();
        let filter = if texts.is_empty() { String::new() } else { format!("WHERE {}", texts.join(" AND ")) };
        let text = format!("SELECT DISTINCT {columns} FROM zipkin_spans {filter} ORDER BY {columns} LIMIT ?");
        let query: Query<'_, MySql, MySqlArguments> = sqlx::query(AssertSqlSafe(text));
        let query = wanted.iter().fold(query, |query, (_, value)| query.bind(*value));
        let rows = query.bind(rows as i64).fetch_all(&self.pool).await.map_err(during(OPERATION))?;
        let key = |row: &sqlx::mysql::MySqlRow| -> Result<TraceKey, sqlx::Error> {
            if self.schema.has_trace_id_high {
                Ok((row.try_get(0)?, row.try_get(1)?))
            } else {
                Ok((0, row.try_get(0)?))
            }
        };
        rows.iter().map(|row| key(row).map_err(during(OPERATION))).collect()
    }

    /// The engine's estimate, when the first page was read.
    async fn spans_about(&self) -> Result<Option<u64>, StorageError> {
        self.spans_about.get_or_try_init(|| self.estimate()).await.copied()
    }

    async fn estimate(&self) -> Result<Option<u64>, StorageError> {
        let text = "SELECT CAST(TABLE_ROWS AS SIGNED) FROM information_schema.TABLES \
            WHERE TABLE_SCHEMA = database() AND TABLE_NAME = 'zipkin_spans'";
        let row = sqlx::query(text).fetch_optional(&self.pool).await.map_err(during(OPERATION))?;
        let Some(row) = row else { return Ok(None) };
        let rows: Option<i64> = row.try_get(0).map_err(during(OPERATION))?;
        Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
    }
}
