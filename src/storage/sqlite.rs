//! The durable store in one SQLite file (`STORAGE_TYPE=sqlite`, the default).
//!
//! One connection writes, a few read; the write-ahead log lets them work side by side. What one write brings of one trace is
//! one row (a *fragment*); small index rows beside it find traces by id, by time and by service. A commit is synced before
//! `write` returns. Equal spans that came in different writes are folded when a trace is read.

mod config;
mod error;
mod fragment;
mod insert;
mod log;
mod names;
mod open;
mod retention;
mod rows;
mod search;
mod snapshot;
mod window;
mod writer;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, SqlitePool};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use config::{SqliteConfig, Synchronous};
pub use retention::SqliteMetrics;

use self::error::{NAME, during, unavailable};
use self::log::{Log, Snapshots};
use self::names::{Kind, NameCache};
use self::rows::{Rows, RowsBuilder};
use self::snapshot::Snapshot;
use self::writer::{WriteFailure, Writer};
use super::{
    Batch, Capabilities, ErrorKind, QueryBudget, SourcePosition, SpanConsumer, SpanStore, StorageBackend, StorageError,
    StorageOptions, Stored,
};
use crate::model::red::{RedAnswer, RedRequest, RedTable};
use crate::model::{DependencyLink, DependencyLinker, QueryRequest, SpanBatch, TraceId, search as model_search};
use crate::telemetry::Clock;

/// Spans that are worked on before other tasks get their turn: well below half a millisecond.
const SPANS_PER_TURN: usize = 512;

/// How long a failed write makes the store unhealthy. Then it tries by itself: nobody may send anything to a store that is
/// known to be down.
const FAILURE_STANDS: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
struct Failure {
    kind: ErrorKind,
    reason: String,
    since: Instant,
}

/// Keeps spans in one SQLite file.
#[derive(Debug)]
pub struct SqliteStorage {
    config: SqliteConfig,
    options: StorageOptions,
    clock: Arc<dyn Clock>,
    names: Arc<NameCache>,
    /// `None` after `close`.
    writer: Arc<Mutex<Option<Writer>>>,
    readers: SqlitePool,
    snapshots: Arc<Snapshots>,
    /// Writes under way: they end by themselves, whoever waits for them.
    tasks: TaskTracker,
    bytes_max: u64,
    metrics: SqliteMetrics,
    /// Why the last write failed, when it did.
    failure: parking_lot::Mutex<Option<Failure>>,
    _lock: File,
}

impl SqliteStorage {
    /// Opens the file, or makes it when there is none.
    ///
    /// # Errors
    /// When the directory or the file cannot be written, another process has it, or it is not ours, damaged or newer.
    pub async fn open(
        config: SqliteConfig,
        options: StorageOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StorageError> {
        let opened = open::open(&config).await?;
        let names = Arc::new(NameCache::new(&options.autocomplete_keys));
        let snapshots = Arc::<Snapshots>::default();
        let writer = Writer::new(
            opened.writer,
            opened.writer_options,
            options.clone(),
            Arc::clone(&names),
            Arc::clone(&clock),
            Log::new(&config, Arc::clone(&snapshots)),
        )
        .await
        .map_err(during("open"))?;
        let bytes_max = retention::bytes_max(&config)?;
        Ok(Self {
            config,
            options,
            clock,
            names,
            writer: Arc::new(Mutex::new(Some(writer))),
            readers: opened.readers,
            snapshots,
            tasks: TaskTracker::new(),
            bytes_max,
            metrics: SqliteMetrics::default(),
            failure: parking_lot::Mutex::default(),
            _lock: opened.lock,
        })
    }

    /// Counters of this store, to be registered by whoever keeps the registry.
    #[must_use]
    pub fn metrics(&self) -> &SqliteMetrics {
        &self.metrics
    }

    async fn snapshot(&self, budget: &QueryBudget) -> Result<Snapshot, StorageError> {
        Snapshot::begin(&self.readers, budget, self.config.snapshot_max, &self.snapshots).await
    }

    async fn list(&self, kind: Kind, owner: &str) -> Result<Vec<String>, StorageError> {
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        let mut connection = self.readers.acquire().await.map_err(during("names"))?;
        names::list(&mut connection, kind, owner).await.map_err(during("names"))
    }

    /// Stores some of the batches in one transaction: all of them or none.
    async fn store(&self, batches: &[&Batch]) -> Result<(), WriteFailure> {
        loop {
            let rows = self.rows(batches).await;
            let positions: Vec<SourcePosition> = batches.iter().filter_map(|batch| batch.position.clone()).collect();
            let writer = Arc::clone(&self.writer);
            // A task of its own: a transaction is finished even when nobody waits for it any more.
            let stored = self.tasks.spawn(async move {
                match writer.lock().await.as_mut() {
                    Some(writer) => writer.store(rows, &positions).await,
                    None => Err(WriteFailure::Engine(unavailable("write", "the store is closed"))),
                }
            });
            match stored.await {
                Ok(Err(WriteFailure::Outdated)) => {}
                Ok(result) => return result,
                Err(panic) => return Err(WriteFailure::Engine(unavailable("write", panic.to_string()))),
            }
        }
    }

    async fn rows(&self, batches: &[&Batch]) -> Rows {
        let spans = batches.iter().map(|batch| batch.spans.len()).sum();
        let names = self.options.search_enabled.then_some(&*self.names);
        let mut builder = RowsBuilder::new(names, spans);
        let mut in_turn = 0;
        for batch in batches {
            for from in (0..batch.spans.len()).step_by(SPANS_PER_TURN) {
                let to = (from + SPANS_PER_TURN).min(batch.spans.len());
                builder.add(&batch.spans, from, to);
                in_turn += to - from;
                if in_turn >= SPANS_PER_TURN {
                    in_turn = 0;
                    tokio::task::yield_now().await;
                }
            }
        }
        builder.sort();
        while builder.encode(SPANS_PER_TURN) {
            tokio::task::yield_now().await;
        }
        builder.finish()
    }

    /// Stores what can be stored of the batches: without those whose position is behind, and one by one when the engine
    /// will not take them together.
    async fn store_each(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let mut results: Vec<Option<StorageError>> = batches.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..batches.len()).collect();
        while !left.is_empty() {
            let together: Vec<&Batch> = left.iter().map(|&index| &batches[index]).collect();
            match self.store(&together).await {
                Ok(()) => break,
                Err(WriteFailure::Stale(stale)) => {
                    let with_position: Vec<usize> =
                        left.iter().copied().filter(|&index| batches[index].position.is_some()).collect();
                    for index in stale.into_iter().filter_map(|position| with_position.get(position)) {
                        results[*index] = Some(stale_position(&batches[*index]));
                    }
                    left.retain(|&index| results[index].is_none());
                }
                Err(WriteFailure::Engine(error)) if error.kind == ErrorKind::Rejected && left.len() > 1 => {
                    for index in left.drain(..) {
                        results[index] = Box::pin(self.store_each(&batches[index..=index])).await.remove(0).err();
                    }
                }
                Err(WriteFailure::Engine(error)) => {
                    let reason = error.source.to_string();
                    left.iter().for_each(|&index| {
                        results[index] = Some(StorageError::new(error.kind, NAME, "write", reason.clone()));
                    });
                    break;
                }
                // `store` does not give it.
                Err(WriteFailure::Outdated) => {}
            }
        }
        let stored = |(batch, result): (&Batch, Option<StorageError>)| match result {
            None => Ok(Stored { spans: batch.spans.len() }),
            Some(error) => Err(error),
        };
        batches.iter().zip(results).map(stored).collect()
    }
}

fn stale_position(batch: &Batch) -> StorageError {
    let reason = batch.position.as_ref().map_or_else(String::new, |position| {
        let SourcePosition { group, topic, partition, from, .. } = position;
        format!("the stored position of {group:?} {topic:?} {partition} is not {from}")
    });
    StorageError::new(ErrorKind::StalePosition, NAME, "write", reason)
}

#[async_trait]
impl SpanConsumer for SqliteStorage {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        if batches.iter().all(|batch| batch.spans.is_empty() && batch.position.is_none()) {
            return batches.iter().map(|_| Ok(Stored::default())).collect();
        }
        let results = self.store_each(batches).await;
        let error = results.iter().filter_map(|result| result.as_ref().err()).find(|error| error.kind.is_retryable());
        *self.failure.lock() =
            error.map(|error| Failure { kind: error.kind, reason: error.source.to_string(), since: Instant::now() });
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        let mut connection = self.readers.acquire().await.map_err(during("source position"))?;
        writer::position_of(&mut connection, group, topic, partition).await.map_err(during("source position"))
    }
}

#[async_trait]
impl SpanStore for SqliteStorage {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        let mut snapshot = self.snapshot(budget).await?;
        search::Search::new(request, self.options.strict_trace_id).run(&mut snapshot).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let mut snapshot = self.snapshot(budget).await?;
        let mut asked = std::collections::HashSet::new();
        let lows: Vec<u64> = ids.iter().map(|id| id.low()).filter(|low| asked.insert(*low)).collect();
        let mut traces = Vec::new();
        for lows in lows.chunks(window::LOAD_TRACES) {
            let mut loaded = snapshot.load(lows).await?;
            for spans in lows.iter().filter_map(|low| loaded.remove(low)) {
                if self.options.strict_trace_id {
                    let mut parts = model_search::split_strict(spans);
                    parts.retain(|part| part.get(0).is_some_and(|span| ids.contains(&span.trace_id)));
                    traces.append(&mut parts);
                } else {
                    traces.push(spans);
                }
            }
        }
        Ok(traces)
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.list(Kind::Service, "").await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.list(Kind::Span, service_name).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.list(Kind::Remote, service_name).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        if !self.options.autocomplete_keys.iter().any(|known| known == key) {
            return Ok(Vec::new());
        }
        self.list(Kind::TagValue, key).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let mut snapshot = self.snapshot(budget).await?;
        let lows = window::traces_in(&mut snapshot, end_ts_ms.saturating_sub(lookback_ms), end_ts_ms).await?;
        let mut linker = DependencyLinker::new();
        for lows in lows.chunks(window::LOAD_TRACES) {
            let traces = snapshot.load(lows).await?;
            lows.iter().filter_map(|low| traces.get(low)).for_each(|spans| linker.put_trace(spans.iter()));
        }
        Ok(linker.into_links())
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let mut snapshot = self.snapshot(budget).await?;
        let mut table = RedTable::new(request.clone());
        let lows = window::traces_in(&mut snapshot, request.start_ms(), request.last_ms()).await?;
        for lows in lows.chunks(window::LOAD_TRACES) {
            let traces = snapshot.load(lows).await?;
            traces.values().for_each(|spans| table.put_trace(spans.iter()));
        }
        Ok(table.into_answer())
    }
}

#[async_trait]
impl StorageBackend for SqliteStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        format!("SQLiteStorage{{path={}}}", self.config.path.display())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            durable: true,
            source_positions: true,
            exact_duplicates: true,
            red: true,
            concurrent_writes: 1,
            ..Capabilities::default()
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        if !self.config.path.exists() {
            return Err(unavailable("check", format!("{:?} was removed", self.config.path)));
        }
        let mut connection = self.readers.acquire().await.map_err(during("check"))?;
        let _version: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM fragment")
            .fetch_one(&mut *connection)
            .await
            .map_err(during("check"))?;
        let failure = self.failure.lock().clone();
        if let Some(Failure { kind, reason, since }) = failure {
            if since.elapsed() < FAILURE_STANDS {
                return Err(StorageError::new(kind, NAME, "write", reason));
            }
            self.try_write().await?;
            self.failure.lock().take();
        }
        Ok(())
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.remove_old().await
    }

    async fn close(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take() {
            let mut connection = writer.into_connection();
            // Leaves one file behind, and the next start nothing to recover.
            if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await {
                tracing::warn!(%error, "the write-ahead log stays behind");
            }
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "sqlite did not close well");
            }
        }
    }
}

#[cfg(test)]
mod tests;
