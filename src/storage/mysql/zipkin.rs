//! Zipkin's own tables, which zipkin-server may read and write at the same time (`MYSQL_LAYOUT=zipkin`).
//!
//! Spans are stored in the older shape: one row for both sides of a call, their facts in rows of annotations. What comes back
//! is what zipkin-server would give: two reports of one id are one, times and names of the later one win. Nothing is derived
//! at write time, because another server may write too: names and links are computed from the rows.

mod links;
mod read;
mod rows;
mod scan;
mod schema;
mod search;
#[cfg(test)]
mod shown;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{MySqlPool, Row};
use tokio::sync::OnceCell;

pub(super) use schema::Schema;
#[cfg(test)]
pub(super) use shown::queries_of_zipkins_tables;

use super::config::MysqlConfig;
use super::error::{NAME, during};
use super::position;
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId, cmp_utf16};
use crate::storage::sql::engine::CONNECTIONS_OF_READERS;
use crate::storage::{
    Batch, Capabilities, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer, SpanStore, StorageBackend,
    StorageError, StorageOptions, Stored,
};

/// The store over zipkin's tables.
#[derive(Clone, Debug)]
pub(super) struct ZipkinTables {
    pool: MySqlPool,
    config: MysqlConfig,
    options: StorageOptions,
    schema: Schema,
    /// How many spans there were when the first page of all was read.
    spans_about: Arc<OnceCell<Option<u64>>>,
}

impl ZipkinTables {
    pub(super) fn new(pool: MySqlPool, config: MysqlConfig, options: StorageOptions, schema: Schema) -> Self {
        Self { pool, config, options, schema, spans_about: Arc::default() }
    }

    /// A sorted list, or none when search is switched off.
    async fn list(&self, sql: &'static str, values: &[&str], max: usize) -> Result<Vec<String>, StorageError> {
        if !self.options.search_enabled || !values.iter().all(|value| self.schema.can_hold(value)) {
            return Ok(Vec::new());
        }
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind((*value).to_owned());
        }
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = query.bind(max).fetch_all(&self.pool).await.map_err(during("names"))?;
        let texts: Result<Vec<Vec<u8>>, sqlx::Error> = rows.iter().map(|row| row.try_get(0)).collect();
        let texts = texts.map_err(during("names"))?;
        let mut names: Vec<String> =
            texts.into_iter().map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
        names.sort_unstable_by(|left, right| cmp_utf16(left, right));
        names.dedup();
        Ok(names)
    }
}

/// All services, those that only others name too: read from the index alone.
const SERVICES: &str = "SELECT DISTINCT CAST(endpoint_service_name AS BINARY) FROM zipkin_annotations \
    WHERE endpoint_service_name IS NOT NULL AND endpoint_service_name <> '' LIMIT ?";
/// Whether a service reported anything. Names that the column's collation takes for equal are told apart.
const REPORTED: &str = "SELECT CAST(endpoint_service_name AS BINARY) FROM zipkin_annotations \
    WHERE endpoint_service_name = ? AND CAST(endpoint_service_name AS BINARY) = CAST(? AS BINARY) AND a_type <> 0 LIMIT ?";
/// So many services that only others name are looked at beside as many as are listed.
const SERVICES_OF_OTHERS_MAX: usize = 10_000;
const SPAN_NAMES: &str = "SELECT DISTINCT CAST(s.name AS BINARY) FROM zipkin_spans AS s JOIN zipkin_annotations AS a \
    ON a.trace_id_high = s.trace_id_high AND a.trace_id = s.trace_id AND a.span_id = s.id \
    WHERE a.endpoint_service_name = ? AND a.a_type <> 0 AND s.name <> '' LIMIT ?";
const REMOTE_NAMES: &str = "SELECT DISTINCT CAST(s.remote_service_name AS BINARY) FROM zipkin_spans AS s \
    JOIN zipkin_annotations AS a ON a.trace_id_high = s.trace_id_high AND a.trace_id = s.trace_id AND a.span_id = s.id \
    WHERE a.endpoint_service_name = ? AND a.a_type <> 0 AND s.remote_service_name <> '' LIMIT ?";
/// For tables without the upper half of trace ids.
const SPAN_NAMES_64: &str = "SELECT DISTINCT CAST(s.name AS BINARY) FROM zipkin_spans AS s JOIN zipkin_annotations AS a \
    ON a.trace_id = s.trace_id AND a.span_id = s.id \
    WHERE a.endpoint_service_name = ? AND a.a_type <> 0 AND s.name <> '' LIMIT ?";
const TAG_VALUES: &str = "SELECT DISTINCT a_value FROM zipkin_annotations WHERE a_key = ? AND a_type = 6 LIMIT ?";
/// Most values listed of one autocomplete key.
const TAG_VALUES_MAX: usize = 10_000;

#[async_trait]
impl SpanConsumer for ZipkinTables {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let mut results = Vec::with_capacity(batches.len());
        for batch in batches {
            results.push(self.write_batch(batch).await);
        }
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        position::stored_position(&self.pool, group, topic, partition).await.map_err(during("source position"))
    }
}

#[async_trait]
impl SpanStore for ZipkinTables {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        self.find_traces(request, budget).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.read_traces(ids, budget).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        let max = self.options.service_names_max;
        let mut services = Vec::new();
        for name in self.list(SERVICES, &[], max.saturating_add(SERVICES_OF_OTHERS_MAX)).await? {
            // What is no UTF-8 cannot be asked for.
            let is_odd = name.contains(char::REPLACEMENT_CHARACTER);
            if services.len() < max && (is_odd || !self.list(REPORTED, &[&name, &name], 1).await?.is_empty()) {
                services.push(name);
            }
        }
        Ok(services)
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        let sql = if self.schema.has_trace_id_high { SPAN_NAMES } else { SPAN_NAMES_64 };
        self.list(sql, &[service_name], self.options.names_per_service_max).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        // The column came after the one for the upper half of trace ids.
        if !self.schema.has_remote_service_name || !self.schema.has_trace_id_high {
            return Ok(Vec::new());
        }
        self.list(REMOTE_NAMES, &[service_name], self.options.names_per_service_max).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        if !self.options.autocomplete_keys.iter().any(|known| known == key) {
            return Ok(Vec::new());
        }
        self.list(TAG_VALUES, &[key], TAG_VALUES_MAX).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.links(end_ts_ms, lookback_ms, budget).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        self.scan_page(request).await
    }
}

#[async_trait]
impl StorageBackend for ZipkinTables {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        format!("MySQLStorage{{{}}}", self.config.place())
    }

    /// Spans come back in zipkin's older shape, so not all that was reported can be told apart.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            durable: true,
            source_positions: true,
            exact_duplicates: false,
            scans: true,
            concurrent_writes: self.config.concurrent_writes,
            concurrent_writes_max: (self.config.connections_max as usize).saturating_sub(CONNECTIONS_OF_READERS),
            ..Capabilities::default()
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        super::check(&self.pool, "SELECT 1 FROM zipkin_spans LIMIT 1").await
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.remove_old().await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
