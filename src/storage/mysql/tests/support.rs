//! Stores for the tests of this store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};

use super::super::{MysqlConfig, MysqlLayout, open_mysql};
use crate::model::testing::spans_from_json;
use crate::model::{SpanBatch, TraceId};
use crate::storage::sql::testing::mysql_database;
use crate::storage::{Batch, QueryBudget, StorageBackend, StorageError, StorageOptions, Stored};
use crate::telemetry::Clock;

pub(super) const ZIPKIN_TABLES: &str = include_str!("../../../../migrations/mysql/zipkin.sql");

/// A clock that stands until a test moves it.
#[derive(Debug)]
pub(super) struct HandClock(AtomicI64);

/// The time around which the conformance suite puts its spans (2020-09-13).
pub(super) const NOW_MS: i64 = 1_600_000_000_000;

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW_MS)))
    }

    pub(super) fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An empty database of its own, with zipkin's tables or none.
pub(super) fn config(layout: MysqlLayout) -> MysqlConfig {
    let tables = if layout == MysqlLayout::Zipkin { ZIPKIN_TABLES } else { "" };
    MysqlConfig {
        url: Some(mysql_database(tables)),
        layout: Some(layout),
        connections_max: 8,
        ..MysqlConfig::default()
    }
}

pub(super) async fn open(config: MysqlConfig, options: StorageOptions) -> Arc<dyn StorageBackend> {
    open_at(config, options, HandClock::new()).await
}

pub(super) async fn open_at(
    config: MysqlConfig,
    options: StorageOptions,
    clock: Arc<HandClock>,
) -> Arc<dyn StorageBackend> {
    open_mysql(config, options, clock).await.unwrap()
}

pub(super) fn span_at(low: u64, id: u64, service: &str, timestamp_us: i64) -> SpanBatch {
    spans_from_json(&format!(
        r#"[{{"traceId":"{low:x}","id":"{id:x}","name":"get","timestamp":{timestamp_us},
             "localEndpoint":{{"serviceName":"{service}"}}}}]"#
    ))
}

pub(super) async fn write(store: &dyn StorageBackend, spans: SpanBatch) -> Result<Stored, StorageError> {
    store.write(&[Batch { spans, position: None }]).await.remove(0)
}

pub(super) async fn read(store: &dyn StorageBackend, lows: &[u64]) -> Vec<SpanBatch> {
    let ids: Vec<TraceId> = lows.iter().map(|low| TraceId::from_halves(0, *low).unwrap()).collect();
    store.traces(&ids, &QueryBudget::unlimited()).await.unwrap()
}

/// Runs statements on the database of a configuration.
pub(super) async fn execute(config: &MysqlConfig, sql: &str) {
    let mut connection = MySqlConnection::connect(config.url.as_deref().unwrap()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// The first column of the first row, as text.
pub(super) async fn scalar(config: &MysqlConfig, sql: &str) -> String {
    let mut connection = MySqlConnection::connect(config.url.as_deref().unwrap()).await.unwrap();
    let text = format!("SELECT CAST(coalesce(({sql}), 'NULL') AS CHAR)");
    sqlx::query(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap().try_get(0).unwrap()
}
