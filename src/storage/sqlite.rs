//! The durable store in one SQLite file (`STORAGE_TYPE=sqlite`, the default).
//!
//! What a write brings is one row of `recent`, committed and synced before `write` returns, and is kept in memory as well
//! ([`live`]), where searches find it. In the background the oldest of it is sealed into blocks ([`block`], [`seal`]): sorted by
//! trace, by column, compressed. So no index row is ever written, and nothing slows down as the file grows. One connection
//! writes, a few read; a read is a single short statement, because blocks never change.

mod block;
mod cache;
mod config;
mod error;
mod inspect;
mod links;
mod live;
mod load;
mod merge;
mod names;
mod open;
mod pins;
mod read;
mod red;
mod repair;
mod retention;
mod row;
mod scan;
mod seal;
mod search;
mod sums;
mod upgrade;
mod wal;
mod writer;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use config::{SqliteConfig, Synchronous};
pub use inspect::{SqliteFigures, SqliteInspector};
pub use open::migrate as migrate_sqlite;
pub use retention::SqliteMetrics;

use self::block::BlockNames;
use self::cache::Cache;
use self::error::{NAME, during, unavailable};
use self::links::Links;
use self::live::{Live, RecentRow, View};
use self::names::List;
use self::pins::Pins;
use self::read::{Damage, Reader};
use self::search::Search;
use self::sums::LinkCache;
use self::wal::{Checkpoints, Wal};
use self::writer::{WriteFailure, Writer};
use super::{
    Batch, Capabilities, ErrorKind, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer,
    SpanStore, StorageBackend, StorageError, StorageOptions, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId, search as model_search};
use crate::telemetry::Clock;

/// Spans that may be written on the threads of the async runtime; more goes to where blocking is allowed.
const INLINE_SPANS_MAX: usize = 1_000;

/// How long a failed write makes the store unhealthy. Then it tries by itself: nobody may send anything to a store that is
/// known to be down.
const FAILURE_STANDS: Duration = Duration::from_secs(5);

/// How often a write that waits for sealing looks again.
const ROOM_TURN: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
struct Failure {
    kind: ErrorKind,
    reason: String,
    since: Instant,
}

/// Keeps spans in one SQLite file.
#[derive(Debug)]
pub struct SqliteStorage {
    store: Arc<Store>,
    /// Writes and sealing under way: they end by themselves, whoever waits for them.
    tasks: TaskTracker,
    /// Why the last write failed, when it did.
    failure: parking_lot::Mutex<Option<Failure>>,
    _lock: File,
}

/// The store without what belongs to its handle: shared with the tasks it starts.
#[derive(Debug)]
struct Store {
    config: SqliteConfig,
    clock: Arc<dyn Clock>,
    live: Live,
    reader: Reader,
    /// `None` after `close`.
    writer: Mutex<Option<Writer>>,
    checkpoints: Checkpoints,
    links: LinkCache,
    /// Names of all blocks.
    names: parking_lot::Mutex<BlockNames>,
    next_block: AtomicI64,
    /// One sealing, merging or removing at a time.
    housekeeping: Mutex<()>,
    is_sealing: AtomicBool,
    /// Told when a sealing made room in memory.
    room: Notify,
    garbage: parking_lot::Mutex<Vec<retention::Garbage>>,
    damaged_rows: parking_lot::Mutex<Vec<i64>>,
    unmergeable: parking_lot::Mutex<hashbrown::HashSet<i64>>,
    bytes_max: u64,
    metrics: SqliteMetrics,
    pins: Pins,
    /// Told at each step of housekeeping, so that a test can look at what a crash would leave there.
    #[cfg(test)]
    at_step: parking_lot::Mutex<Option<tests::AtStep>>,
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
        let mut opened = open::open(&config).await?;
        let metrics = SqliteMetrics::default();
        let reader = Reader {
            pool: opened.readers,
            cache: Arc::new(Cache::new(config.block_cache_bytes, read::LASTING)),
            handle: Handle::current(),
            damage: Arc::new(Damage::new(metrics.damaged.clone())),
        };
        let pins = Pins::load(&mut opened.writer).await.map_err(during("open"))?;
        let mut rows = load::block_rows(&mut opened.writer).await.map_err(during("open"))?;
        load::remove_left_over(&mut opened.writer, &mut rows).await.map_err(during("open"))?;
        let (next_block, next_row) = (rows.next_block, rows.next_row);
        let (for_blocks, for_names) = (reader.clone(), options.clone());
        let load = move || {
            let links = LinkCache::default();
            Ok((load::blocks(rows, &for_blocks, &for_names, &links)?, links))
        };
        let (loaded, links) = seal::on_blocking_thread(load).await?;
        let live = Live::new(options, loaded.blocks, loaded.divided);
        let damaged_rows = load::recent(&mut opened.writer, &live, &reader).await?;
        let wal = Wal::new(&config);
        let checkpoints = Checkpoints::new(opened.checkpointer, wal.written(), &config);
        let writer = Writer::new(opened.writer, opened.writer_options, wal, next_row);
        let store = Arc::new(Store {
            bytes_max: retention::bytes_max(&config)?,
            config,
            clock,
            live,
            reader,
            writer: Mutex::new(Some(writer)),
            checkpoints,
            links,
            names: parking_lot::Mutex::new(loaded.names),
            next_block: AtomicI64::new(next_block),
            housekeeping: Mutex::default(),
            is_sealing: AtomicBool::new(false),
            room: Notify::new(),
            garbage: parking_lot::Mutex::default(),
            damaged_rows: parking_lot::Mutex::new(damaged_rows),
            unmergeable: parking_lot::Mutex::default(),
            metrics,
            pins,
            #[cfg(test)]
            at_step: parking_lot::Mutex::default(),
        });
        store.upgrade().await?;
        Ok(Self { store, tasks: TaskTracker::new(), failure: parking_lot::Mutex::default(), _lock: opened.lock })
    }

    /// Counters of this store, to be registered by whoever keeps the registry.
    #[must_use]
    pub fn metrics(&self) -> &SqliteMetrics {
        &self.store.metrics
    }

    /// Stores some of the batches in one transaction: all of them or none.
    async fn store(&self, batches: &[&Batch]) -> Result<(), WriteFailure> {
        self.wait_for_room().await?;
        let positions: Vec<SourcePosition> = batches.iter().filter_map(|batch| batch.position.clone()).collect();
        let bytes = batches.iter().map(|batch| batch.spans.record_bytes()).sum();
        let mut spans = SpanBatch::with_capacity(batches.iter().map(|batch| batch.spans.len()).sum(), bytes);
        batches.iter().for_each(|batch| spans.append(&batch.spans));
        let store = Arc::clone(&self.store);
        // A task of its own: a transaction is finished even when nobody waits for it any more.
        let stored = self.tasks.spawn(async move { store.store(&spans, &positions).await });
        let result =
            stored.await.unwrap_or_else(|panic| Err(WriteFailure::Engine(unavailable("write", panic.to_string()))));
        if self.store.is_seal_due() && !self.store.is_sealing.swap(true, Ordering::AcqRel) {
            let store = Arc::clone(&self.store);
            self.tasks.spawn(async move {
                if let Err(error) = store.seal_while_due().await {
                    tracing::warn!(%error, "spans could not be sealed; tried again with a later write");
                }
                store.is_sealing.store(false, Ordering::Release);
            });
        }
        if let Some(turn) = self.store.checkpoints.try_begin() {
            let store = Arc::clone(&self.store);
            self.tasks.spawn(async move { store.checkpoint_in_background(turn).await });
        }
        result
    }

    /// Holds a write back while sealing is behind, for as long as one may wait for a lock.
    async fn wait_for_room(&self) -> Result<(), WriteFailure> {
        let store = &self.store;
        let until = Instant::now() + store.config.busy_timeout;
        loop {
            let room = store.room.notified();
            if !store.is_full() {
                return Ok(());
            }
            // The last sealing failed, maybe: somebody has to begin again.
            if !store.is_sealing.swap(true, Ordering::AcqRel) {
                let sealed = store.seal_while_due().await;
                store.is_sealing.store(false, Ordering::Release);
                sealed.map_err(WriteFailure::Engine)?;
            }
            // Besides sealing, readers that hold on to what was sealed may be what takes so long.
            let turn = (Instant::now() + ROOM_TURN).min(until);
            if store.is_full() && tokio::time::timeout_at(turn, room).await.is_err() {
                store.live.forget_hidden();
                if Instant::now() >= until {
                    return Err(WriteFailure::Engine(unavailable("write", "too many spans wait to be sealed")));
                }
            }
        }
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
        let mut connection = self.store.reader.pool.acquire().await.map_err(during("source position"))?;
        writer::position_of(&mut connection, group, topic, partition).await.map_err(during("source position"))
    }
}

/// Does what takes long for many spans where blocking is allowed.
fn aside<T>(spans: &SpanBatch, work: impl FnOnce() -> T) -> T {
    let can_step_aside = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if spans.len() > INLINE_SPANS_MAX && can_step_aside { tokio::task::block_in_place(work) } else { work() }
}

impl Store {
    /// Commits spans and positions, and shows the spans.
    async fn store(&self, spans: &SpanBatch, positions: &[SourcePosition]) -> Result<(), WriteFailure> {
        let encode = || if spans.is_empty() { Vec::new() } else { row::encode(spans.records()) };
        let row = aside(spans, encode);
        let mut writer = self.writer.lock().await;
        let Some(writer) = writer.as_mut() else {
            return Err(WriteFailure::Engine(unavailable("write", "the store is closed")));
        };
        let arrived_ms = self.clock.now_ms();
        let id = writer.store(&row, arrived_ms, positions).await?;
        if !spans.is_empty() {
            let row = RecentRow { id, spans: spans.len(), arrived_ms };
            // Under the writer's lock: rows are shown in their order.
            aside(spans, || self.live.add(row, spans));
        }
        Ok(())
    }

    /// A place between two commits.
    fn step(&self, name: &'static str) {
        #[cfg(test)]
        if let Some(at_step) = &*self.at_step.lock() {
            at_step.0(name);
        }
        tracing::trace!(name, "housekeeping");
    }

    /// Runs a query on a thread that may block. A caller that goes away cancels its budget.
    async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Store, &View) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let store = Arc::clone(self);
        seal::on_blocking_thread(move || query(&store, &store.live.view())).await
    }

    fn list(&self, list: List<'_>) -> Vec<String> {
        if !self.live.options.search_enabled {
            return Vec::new();
        }
        names::list(&self.names.lock(), &self.live, list)
    }

    fn traces(&self, view: &View, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let mut asked = hashbrown::HashSet::new();
        let mut traces = Vec::new();
        budget.spend(NAME, 0)?;
        for low in ids.iter().map(|id| id.low()).filter(|low| asked.insert(*low)) {
            let spans = self.with_pinned(low, self.reader.trace(&self.live, view, low)?)?;
            budget.spend(NAME, spans.len())?;
            if self.live.options.strict_trace_id {
                let mut parts = model_search::split_strict(spans);
                parts.retain(|part| part.get(0).is_some_and(|span| ids.contains(&span.trace_id)));
                traces.append(&mut parts);
            } else if !spans.is_empty() {
                traces.push(spans);
            }
        }
        Ok(traces)
    }
}

#[async_trait]
impl SpanStore for SqliteStorage {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if !self.store.live.options.search_enabled {
            return Ok(Vec::new());
        }
        let (request, budget) = (request.clone(), budget.clone());
        let query =
            move |store: &Store, view: &View| Search::new(&store.live, &store.reader, view, &request, &budget).run();
        self.store.query(query).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let (ids, budget) = (ids.to_vec(), budget.clone());
        self.store.query(move |store, view| store.traces(view, &ids, &budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.store.list(List::Services))
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.store.list(List::Spans(service_name)))
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.store.list(List::Remotes(service_name)))
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.store.list(List::Values(key)))
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let (window, budget) = ((end_ts_ms.saturating_sub(lookback_ms), end_ts_ms), budget.clone());
        let query = move |store: &Store, view: &View| {
            Links::new(&store.live, &store.reader, &store.links, view, window, &budget).run()
        };
        self.store.query(query).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let (request, budget) = (request.clone(), budget.clone());
        let query = move |store: &Store, view: &View| red::answer(&store.live, &store.reader, view, &request, &budget);
        self.store.query(query).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let request = *request;
        self.store.query(move |store, view| scan::page(&store.live, &store.reader, view, &request)).await
    }
}

#[async_trait]
impl StorageBackend for SqliteStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        let path = self.store.config.path.display();
        match self.store.reader.damage.count() {
            0 => format!("SQLiteStorage{{path={path}}}"),
            damaged => format!("SQLiteStorage{{path={path}, damaged={damaged}}}"),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            durable: true,
            source_positions: true,
            exact_duplicates: true,
            red: true,
            pins: true,
            scans: true,
            concurrent_writes: 1,
            concurrent_writes_max: 1,
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        let path = &self.store.config.path;
        if !path.exists() {
            return Err(unavailable("check", format!("{path:?} was removed")));
        }
        let _newest: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM block")
            .fetch_one(&self.store.reader.pool)
            .await
            .map_err(during("check"))?;
        let failure = self.failure.lock().clone();
        if let Some(Failure { kind, reason, since }) = failure {
            if since.elapsed() < FAILURE_STANDS {
                return Err(StorageError::new(kind, NAME, "write", reason));
            }
            self.store.try_write().await?;
            self.failure.lock().take();
        }
        Ok(())
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        // A task of its own, as for writes: what is in the table is in the list.
        let pinned = self.tasks.spawn(Arc::clone(&self.store).pin(id)).await;
        pinned.unwrap_or_else(|panic| Err(unavailable("pin", panic.to_string())))
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        let unpinned = self.tasks.spawn(Arc::clone(&self.store).unpin(id)).await;
        unpinned.unwrap_or_else(|panic| Err(unavailable("unpin", panic.to_string())))
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        Ok(self.store.pins.list())
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.store.keep_house().await
    }

    async fn close(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        // Housekeeping ends before its connection goes.
        let _alone = self.store.housekeeping.lock().await;
        self.store.reader.pool.close().await;
        self.store.checkpoints.close().await;
        if let Some(writer) = self.store.writer.lock().await.take() {
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
