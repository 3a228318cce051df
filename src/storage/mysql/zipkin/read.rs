//! Traces from rows.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::ZipkinTables;
use super::rows::{SpanKey, TYPE_ADDRESS, TYPE_ANNOTATION, TYPE_TEXT};
use crate::model::v1::{V1Annotation, V1BinaryAnnotation, V1Converter, V1Span, V1Value};
use crate::model::{Endpoint, SpanBatch, SpanId, TraceId};
use crate::storage::mysql::error::{NAME, during};
use crate::storage::{QueryBudget, StorageError};

/// Traces read by one pair of statements.
const TRACES_PER_STATEMENT: usize = 200;
/// A row can come back as several spans, one for each service that its annotations name.
const SPANS_OF_ROWS_MAX: usize = 10_000_000;

/// A trace's id as stored.
pub(super) type TraceKey = (i64, i64);

impl ZipkinTables {
    pub(super) async fn read_traces(
        &self,
        ids: &[TraceId],
        budget: &QueryBudget,
    ) -> Result<Vec<SpanBatch>, StorageError> {
        let mut keys: Vec<TraceKey> = Vec::new();
        for id in ids {
            let high = if self.by_low_half() { 0 } else { id.high() as i64 };
            let key = (high, id.low() as i64);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        self.traces_of(&keys, budget).await
    }

    /// Lenient trace ids, and tables without the upper half, go by the lower one.
    pub(super) fn by_low_half(&self) -> bool {
        !self.options.strict_trace_id || !self.schema.has_trace_id_high
    }

    /// The traces that exist, in the order of their keys in the tables, as zipkin-server gives them.
    pub(super) async fn traces_of(
        &self,
        keys: &[TraceKey],
        budget: &QueryBudget,
    ) -> Result<Vec<SpanBatch>, StorageError> {
        let mut traces: Vec<(TraceKey, SpanBatch)> = Vec::new();
        // One state of the tables, or a batch written between two statements would be seen in halves.
        let mut transaction = self.pool.begin().await.map_err(during("read spans"))?;
        for part in keys.chunks(TRACES_PER_STATEMENT) {
            budget.spend(NAME, 0)?;
            let mut spans = self.span_rows(&mut transaction, part).await?;
            budget.spend(NAME, spans.len())?;
            self.add_annotations(&mut transaction, part, &mut spans).await?;
            traces.extend(self.convert(spans));
        }
        transaction.rollback().await.map_err(during("read spans"))?;
        traces.sort_by_key(|(key, _)| *key);
        Ok(traces.into_iter().map(|(_, spans)| spans).collect())
    }

    /// `WHERE` for some traces: as many values as keys, or twice.
    fn where_traces(&self, keys: usize) -> String {
        let (columns, one) =
            if self.by_low_half() { ("trace_id", "?") } else { ("(trace_id_high, trace_id)", "(?,?)") };
        format!("{columns} IN ({})", vec![one; keys].join(","))
    }

    async fn fetch(
        &self,
        connection: &mut MySqlConnection,
        text: String,
        keys: &[TraceKey],
    ) -> Result<Vec<MySqlRow>, StorageError> {
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (high, low) in keys {
            if !self.by_low_half() {
                query = query.bind(*high);
            }
            query = query.bind(*low);
        }
        query.fetch_all(connection).await.map_err(during("read spans"))
    }

    fn high_column(&self) -> &'static str {
        if self.schema.has_trace_id_high { "trace_id_high" } else { "CAST(0 AS SIGNED)" }
    }

    pub(super) fn spans_statement(&self, keys: usize) -> String {
        format!(
            "SELECT {}, trace_id, id, CAST(name AS BINARY), parent_id, CAST(debug + 0 AS SIGNED), start_ts, duration \
             FROM zipkin_spans WHERE {} ORDER BY 1, 2, 3",
            self.high_column(),
            self.where_traces(keys)
        )
    }

    pub(super) fn annotations_statement(&self, keys: usize) -> String {
        let ipv6 = if self.schema.has_ipv6 { "endpoint_ipv6" } else { "NULL" };
        format!(
            "SELECT {}, trace_id, span_id, CAST(a_key AS BINARY), a_value, a_type, a_timestamp, endpoint_ipv4, {ipv6}, \
             endpoint_port, CAST(endpoint_service_name AS BINARY) FROM zipkin_annotations WHERE {} \
             ORDER BY a_timestamp, a_key",
            self.high_column(),
            self.where_traces(keys)
        )
    }

    async fn span_rows(
        &self,
        connection: &mut MySqlConnection,
        keys: &[TraceKey],
    ) -> Result<Vec<(SpanKey, V1Span)>, StorageError> {
        let rows = self.fetch(connection, self.spans_statement(keys.len()), keys).await?;
        let spans: Result<Vec<Option<(SpanKey, V1Span)>>, sqlx::Error> = rows.iter().map(span).collect();
        Ok(spans.map_err(during("read spans"))?.into_iter().flatten().collect())
    }

    async fn add_annotations(
        &self,
        connection: &mut MySqlConnection,
        keys: &[TraceKey],
        spans: &mut [(SpanKey, V1Span)],
    ) -> Result<(), StorageError> {
        let rows = self.fetch(connection, self.annotations_statement(keys.len()), keys).await?;
        let places: HashMap<SpanKey, usize> = spans.iter().map(|(key, _)| *key).zip(0..).collect();
        for row in &rows {
            let key = key(row).map_err(during("read spans"))?;
            if let Some((_, span)) = places.get(&key).and_then(|place| spans.get_mut(*place)) {
                add_annotation(span, row).map_err(during("read spans"))?;
            }
        }
        Ok(())
    }

    /// Spans in rows' order, by trace.
    fn convert(&self, spans: Vec<(SpanKey, V1Span)>) -> Vec<(TraceKey, SpanBatch)> {
        let mut converter = V1Converter::new();
        let mut traces: Vec<(TraceKey, SpanBatch)> = Vec::new();
        let mut places: HashMap<TraceKey, usize> = HashMap::new();
        for ((high, low, _), span) in spans {
            let group = if self.by_low_half() { (0, low) } else { (high, low) };
            let place = *places.entry(group).or_insert_with(|| {
                traces.push(((high, low), SpanBatch::new()));
                traces.len() - 1
            });
            if let Err(error) = converter.convert(span, SPANS_OF_ROWS_MAX, &mut traces[place].1) {
                tracing::warn!(%error, "a row of zipkin_spans is left out");
            }
        }
        traces.retain(|(_, spans)| !spans.is_empty());
        traces
    }
}

fn key(row: &MySqlRow) -> Result<SpanKey, sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

fn text(row: &MySqlRow, column: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// `None` for the trace id zero, which no span can have.
fn span(row: &MySqlRow) -> Result<Option<(SpanKey, V1Span)>, sqlx::Error> {
    let key = key(row)?;
    let Some(trace_id) = TraceId::from_halves(key.0 as u64, key.1 as u64) else { return Ok(None) };
    let parent_id: Option<i64> = row.try_get(4)?;
    let span = V1Span {
        trace_id,
        parent_id: parent_id.filter(|id| *id != 0).map(|id| SpanId::new(id as u64)),
        id: SpanId::new(key.2 as u64),
        name: text(row, 3)?.unwrap_or_default(),
        timestamp_us: row.try_get::<Option<i64>, _>(6)?.unwrap_or(0),
        duration_us: row.try_get::<Option<i64>, _>(7)?.unwrap_or(0),
        annotations: Vec::new(),
        binary_annotations: Vec::new(),
        debug: row.try_get::<Option<i64>, _>(5)? == Some(1),
    };
    Ok(Some((key, span)))
}

fn add_annotation(span: &mut V1Span, row: &MySqlRow) -> Result<(), sqlx::Error> {
    let key = text(row, 3)?.unwrap_or_default();
    let value: Option<Vec<u8>> = row.try_get(4)?;
    let timestamp_us: Option<i64> = row.try_get(6)?;
    let endpoint = endpoint(row)?.map(Box::new);
    match row.try_get::<i32, _>(5)? {
        TYPE_ANNOTATION => {
            let timestamp_us = timestamp_us.unwrap_or(0);
            span.annotations.push(V1Annotation { timestamp_us, value: key, endpoint });
        }
        TYPE_TEXT => {
            let value = V1Value::Text(String::from_utf8_lossy(&value.unwrap_or_default()).into_owned());
            span.binary_annotations.push(V1BinaryAnnotation { key, value, endpoint });
        }
        TYPE_ADDRESS if value.as_deref() == Some(&[1]) && matches!(&*key, "sa" | "ca" | "ma") && endpoint.is_some() => {
            span.binary_annotations.push(V1BinaryAnnotation { key, value: V1Value::Address, endpoint });
        }
        // Types of v1 that zipkin does not read either.
        _ => {}
    }
    Ok(())
}

fn endpoint(row: &MySqlRow) -> Result<Option<Endpoint>, sqlx::Error> {
    let ipv4: Option<i32> = row.try_get(7)?;
    let ipv6: Option<Vec<u8>> = row.try_get(8)?;
    let port: Option<i16> = row.try_get(9)?;
    let ipv6 = ipv6.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(|bytes| Ipv6Addr::from(bytes).to_string());
    let endpoint = Endpoint {
        service_name: text(row, 10)?.filter(|name| !name.is_empty()),
        ipv4: ipv4.filter(|bits| *bits != 0).map(|bits| Ipv4Addr::from(bits.to_be_bytes()).to_string()),
        ipv6,
        // Stored as 16 bits with a sign.
        port: port.map(|port| port as u16).filter(|port| *port != 0),
    };
    Ok((endpoint != Endpoint::default()).then_some(endpoint))
}
