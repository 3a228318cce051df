//! Stores for the tests of this store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::super::{PostgresConfig, PostgresEngine};
use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, SpanBatch, TraceId};
use crate::storage::sql::store::SqlStore;
use crate::storage::sql::testing::{empty_postgres_database, postgres_database};
use crate::storage::{Batch, QueryBudget, SpanConsumer, SpanStore, StorageOptions};
use crate::telemetry::Clock;

/// A clock that stands until a test moves it.
#[derive(Debug)]
pub(super) struct HandClock(AtomicI64);

/// The time around which the conformance suite puts its spans (2020-09-13), so that they go to partitions of their own days.
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

pub(super) fn config() -> PostgresConfig {
    PostgresConfig { url: Some(postgres_database()), connections_max: 8, ..PostgresConfig::default() }
}

/// Without tables.
pub(super) fn empty_config() -> PostgresConfig {
    PostgresConfig { url: Some(empty_postgres_database()), connections_max: 8, ..PostgresConfig::default() }
}

pub(super) async fn open(
    config: PostgresConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
) -> SqlStore<PostgresEngine> {
    let engine = PostgresEngine::open(config, options.clone(), Arc::clone(&clock)).await.unwrap();
    SqlStore::new(engine, options, clock)
}

/// Opens the tables as they are.
pub(super) async fn unmigrated(config: &PostgresConfig) -> SqlStore<PostgresEngine> {
    let engine = PostgresEngine::connect(config.clone(), StorageOptions::default(), HandClock::new()).await.unwrap();
    SqlStore::new(engine, StorageOptions::default(), HandClock::new())
}

/// A store of its own with default options.
pub(super) async fn store(clock: &Arc<HandClock>) -> SqlStore<PostgresEngine> {
    open(config(), StorageOptions::default(), Arc::clone(clock) as Arc<dyn Clock>).await
}

/// A server span of one service at a time in milliseconds after [`NOW_MS`]; 0 microseconds: none.
pub(super) fn span_at(low: u64, id: u64, service: &str, timestamp_us: i64) -> SpanBatch {
    spans_from_json(&format!(
        r#"[{{"traceId":"{low:x}","id":"{id:x}","name":"get","timestamp":{timestamp_us},
             "localEndpoint":{{"serviceName":"{service}"}}}}]"#
    ))
}

pub(super) async fn put(store: &impl SpanConsumer, spans: SpanBatch) {
    store.write(&[Batch { spans, position: None }]).await.remove(0).unwrap();
}

pub(super) async fn read(store: &impl SpanStore, lows: &[u64]) -> Vec<SpanBatch> {
    let ids: Vec<TraceId> = lows.iter().map(|low| TraceId::from_halves(0, *low).unwrap()).collect();
    store.traces(&ids, &QueryBudget::unlimited()).await.unwrap()
}

pub(super) async fn search(store: &impl SpanStore, service: Option<&str>) -> Vec<u64> {
    let mut request = QueryRequest::window(NOW_MS + 86_400_000, 30 * 86_400_000, 1000);
    request.service_name = service.map(str::to_owned);
    let found = store.search(&request, &QueryBudget::unlimited()).await.unwrap();
    found.iter().map(|trace| trace.get(0).unwrap().trace_id.low()).collect()
}

/// The first column of the first row, as text, on a connection of its own.
pub(super) async fn scalar(store: &SqlStore<PostgresEngine>, sql: &str) -> String {
    let options = store.engine().pool.connect_options();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let text = format!("SELECT coalesce(({sql})::text, 'NULL')");
    let row = sqlx::query(AssertSqlSafe(text)).persistent(false).fetch_one(&mut connection).await.unwrap();
    row.try_get(0).unwrap()
}
