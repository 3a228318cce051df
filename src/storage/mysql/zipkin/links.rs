//! Dependency links: from the table that a job fills, or from the rows.

use std::collections::HashMap;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Row};

use super::ZipkinTables;
use super::rows::TYPE_TEXT;
use crate::model::{DependencyLink, DependencyLinker, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};
use crate::storage::mysql::error::{NAME, during};
use crate::storage::{QueryBudget, StorageError};

const DAY_MS: i64 = 86_400_000;
/// The last day that the engine knows: 9999-12-31.
const DAY_MAX: i64 = 2_932_896;

/// What the annotations of one row say about who called whom.
#[derive(Default)]
struct Sides {
    services: HashMap<String, String>,
    is_error: bool,
}

impl Sides {
    fn add(&mut self, key: String, service: String, kind: i32) {
        if key == "error" {
            // A tag, not an annotation.
            self.is_error = kind == TYPE_TEXT;
        } else {
            self.services.insert(key, service);
        }
    }

    /// Kind, own service and the other one: one node, whichever sides reported.
    fn node(&self) -> (Option<SpanKind>, Option<&str>, Option<&str>) {
        let get = |key: &str| self.services.get(key).map(String::as_str);
        let sa = get("sa");
        // The address says more than who sent. Both ends with one name are one end, named twice.
        let ca = get("ca").or_else(|| get("cs")).filter(|name| sa != Some(*name));
        if let Some(sr) = get("sr") {
            (Some(SpanKind::Server), Some(sr), ca)
        } else if sa.is_some() {
            (get("cs").map(|_| SpanKind::Client), ca.or_else(|| get("lc")), sa)
        } else if get("cs").is_some() {
            (Some(SpanKind::Server), ca, None)
        } else if let Some(mr) = get("mr") {
            (Some(SpanKind::Consumer), Some(mr), get("ma"))
        } else if let Some(ms) = get("ms") {
            (Some(SpanKind::Producer), Some(ms), get("ma"))
        } else {
            (None, None, None)
        }
    }
}

impl ZipkinTables {
    pub(super) async fn links(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        budget.spend(NAME, 0)?;
        let start_ms = end_ts_ms.saturating_sub(lookback_ms);
        if self.schema.has_dependencies {
            return self.stored_links(start_ms, end_ts_ms).await;
        }
        self.computed_links(start_ms, end_ts_ms, budget).await
    }

    async fn stored_links(&self, start_ms: i64, end_ms: i64) -> Result<Vec<DependencyLink>, StorageError> {
        let errors = if self.schema.has_error_count { "error_count" } else { "0" };
        let text = format!(
            "SELECT CAST(parent AS BINARY), CAST(child AS BINARY), CAST(sum(call_count) AS SIGNED), \
               CAST(sum(coalesce({errors}, 0)) AS SIGNED) \
             FROM zipkin_dependencies WHERE day BETWEEN DATE_ADD('1970-01-01', INTERVAL ? DAY) \
               AND DATE_ADD('1970-01-01', INTERVAL ? DAY) GROUP BY parent, child ORDER BY parent, child"
        );
        let day = |ms: i64| ms.div_euclid(DAY_MS).clamp(0, DAY_MAX);
        let query = sqlx::query(AssertSqlSafe(text)).bind(day(start_ms)).bind(day(end_ms));
        let rows = query.fetch_all(&self.pool).await.map_err(during("dependencies"))?;
        rows.iter().map(|row| link(row).map_err(during("dependencies"))).collect()
    }

    /// One row for each span and fact about its sides, in the order of traces and spans.
    pub(super) fn sides_statement(&self) -> String {
        let (high, join) = if self.schema.has_trace_id_high {
            ("s.trace_id_high", "a.trace_id_high = s.trace_id_high AND a.trace_id = s.trace_id AND a.span_id = s.id")
        } else {
            ("CAST(0 AS SIGNED)", "a.trace_id = s.trace_id AND a.span_id = s.id")
        };
        // The traces first: a span counts that is outside of the window when its trace is not.
        format!(
            "SELECT {high} AS high, s.trace_id, s.parent_id, s.id, CAST(a.a_key AS BINARY), \
               CAST(a.endpoint_service_name AS BINARY), a.a_type \
             FROM (SELECT DISTINCT trace_id FROM zipkin_spans WHERE start_ts BETWEEN ? AND ?) AS t \
             JOIN zipkin_spans AS s ON s.trace_id = t.trace_id \
             LEFT JOIN zipkin_annotations AS a ON {join} \
               AND a.a_key IN ('lc', 'cs', 'ca', 'sr', 'sa', 'ma', 'mr', 'ms', 'error') \
             ORDER BY high, s.trace_id, s.id"
        )
    }

    async fn computed_links(
        &self,
        start_ms: i64,
        end_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let rows = sqlx::query(AssertSqlSafe(self.sides_statement()))
            .bind(start_ms.saturating_mul(1000))
            .bind(end_ms.saturating_mul(1000))
            .fetch_all(&self.pool)
            .await
            .map_err(during("dependencies"))?;
        let rows: Result<Vec<SideRow>, sqlx::Error> = rows.iter().map(SideRow::read).collect();
        let rows = rows.map_err(during("dependencies"))?;
        let mut linker = DependencyLinker::new();
        // By the lower half, or a trace whose services disagree about the upper one would count twice.
        for trace in rows.chunk_by(|left, right| left.low == right.low) {
            let mut spans = SpanBatch::new();
            for span in trace.chunk_by(|left, right| left.id == right.id) {
                add_node(span, &mut spans);
            }
            budget.spend(NAME, spans.len())?;
            linker.put_trace(spans.iter());
        }
        Ok(linker.into_links())
    }
}

struct SideRow {
    high: i64,
    low: i64,
    parent_id: Option<i64>,
    id: i64,
    /// Key, service and type of an annotation that says something.
    side: Option<(String, String, i32)>,
}

impl SideRow {
    fn read(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        let text = |column: usize| -> Result<String, sqlx::Error> {
            let bytes: Option<Vec<u8>> = row.try_get(column)?;
            Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
        };
        let (key, service, kind) = (text(4)?, text(5)?, row.try_get::<Option<i32>, _>(6)?);
        let says_something = !key.is_empty() && !service.is_empty();
        Ok(Self {
            high: row.try_get(0)?,
            low: row.try_get(1)?,
            parent_id: row.try_get(2)?,
            id: row.try_get(3)?,
            side: says_something.then(|| (key, service, kind.unwrap_or_default())),
        })
    }
}

/// The rows of one span as one span that tells the linker enough.
fn add_node(rows: &[SideRow], spans: &mut SpanBatch) {
    let Some(first) = rows.first() else { return };
    let Some(trace_id) = TraceId::from_halves(first.high as u64, first.low as u64) else { return };
    let mut sides = Sides::default();
    rows.iter().filter_map(|row| row.side.clone()).for_each(|(key, service, kind)| sides.add(key, service, kind));
    let (kind, local, remote) = sides.node();
    let mut builder = SpanBuilder::new();
    builder.set_trace_id(trace_id);
    builder.set_id(SpanId::new(first.id as u64));
    if let Some(parent_id) = first.parent_id.filter(|id| *id != 0) {
        builder.set_parent_id(SpanId::new(parent_id as u64));
    }
    builder.set_kind(kind);
    if let Some(local) = local {
        builder.local_endpoint.set_service_name(local);
    }
    if let Some(remote) = remote {
        builder.remote_endpoint.set_service_name(remote);
    }
    if sides.is_error {
        builder.add_tag("error", "");
    }
    // It has both ids.
    let _ = builder.finish(spans);
}

fn link(row: &MySqlRow) -> Result<DependencyLink, sqlx::Error> {
    let text = |column: usize| -> Result<String, sqlx::Error> {
        Ok(String::from_utf8_lossy(&row.try_get::<Vec<u8>, _>(column)?).into_owned())
    };
    Ok(DependencyLink {
        parent: text(0)?,
        child: text(1)?,
        call_count: u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0),
        error_count: u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0),
    })
}
