//! The storage traits over an [`Engine`].

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::engine::{Engine, WriteFailure};
use super::links;
use super::names::{Kind, NameCache};
use super::rows::{Rows, RowsBuilder};
use super::scan;
use super::search::Search;
use super::trace::{LOAD_TRACES_MAX, Reader};
use super::window;
use crate::model::red::{RedAnswer, RedRequest, RedTable};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId, cmp_utf16, search as model_search};
use crate::storage::{
    Batch, Capabilities, ErrorKind, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer, SpanStore,
    StorageBackend, StorageError, StorageOptions, Stored,
};
use crate::telemetry::Clock;

/// Spans that are worked on before other tasks get their turn: well below half a millisecond.
const SPANS_PER_TURN: usize = 512;

/// Keeps spans in a database server.
#[derive(Debug)]
pub(in crate::storage) struct SqlStore<E> {
    pub(super) engine: E,
    options: StorageOptions,
    pub(super) clock: Arc<dyn Clock>,
    names: NameCache,
    /// Number of the last write: microseconds of the clock, never the same twice in one process.
    arrived: AtomicI64,
}

impl<E: Engine> SqlStore<E> {
    pub(in crate::storage) fn new(engine: E, options: StorageOptions, clock: Arc<dyn Clock>) -> Self {
        let names = NameCache::new(&options.autocomplete_keys);
        Self { engine, options, clock, names, arrived: AtomicI64::new(0) }
    }

    #[cfg(test)]
    pub(in crate::storage) fn engine(&self) -> &E {
        &self.engine
    }

    fn next_arrived(&self) -> i64 {
        let now_us = self.clock.now_ms().saturating_mul(1000);
        let last = self.arrived.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now_us.max(last + 1)));
        let (Ok(last) | Err(last)) = last;
        now_us.max(last + 1)
    }

    pub(super) async fn reader(&self, budget: &QueryBudget) -> Result<Reader, StorageError> {
        budget.spend(self.engine.name(), 0)?;
        Ok(Reader::new(self.engine.begin().await?, budget, self.engine.name()))
    }

    async fn list(&self, kind: Kind, owner: &str) -> Result<Vec<String>, StorageError> {
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        let mut names = self.engine.list(kind, owner, kind.max(&self.options)).await?;
        names.sort_unstable_by(|left, right| cmp_utf16(left, right));
        Ok(names)
    }

    async fn rows(&self, batches: &[&Batch]) -> Rows {
        self.names.forget_old(self.clock.now_ms());
        let spans = batches.iter().map(|batch| batch.spans.len()).sum();
        let mut builder = RowsBuilder::new(self.options.search_enabled.then_some(&self.names), spans);
        for batch in batches {
            for from in (0..batch.spans.len()).step_by(SPANS_PER_TURN) {
                builder.add(&batch.spans, from, (from + SPANS_PER_TURN).min(batch.spans.len()));
                if from > 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
        builder.finish()
    }

    /// Stores some of the batches in one transaction: all of them or none.
    async fn store(&self, batches: &[&Batch]) -> Result<(), WriteFailure> {
        let rows = self.rows(batches).await;
        let positions: Vec<&SourcePosition> = batches.iter().filter_map(|batch| batch.position.as_ref()).collect();
        self.engine.store(&rows, &positions, self.next_arrived()).await?;
        self.names.learn(&rows.names);
        Ok(())
    }

    /// Stores what can be stored of the batches: without those whose position is behind, and one by one when the engine
    /// will not take them together.
    async fn store_each(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let name = self.engine.name();
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
                        results[*index] = Some(stale_position(name, &batches[*index]));
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
                        results[index] = Some(StorageError::new(error.kind, name, "write", reason.clone()));
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

fn stale_position(backend: &'static str, batch: &Batch) -> StorageError {
    let reason = batch.position.as_ref().map_or_else(String::new, |position| {
        let SourcePosition { group, topic, partition, from, .. } = position;
        format!("the stored position of {group:?} {topic:?} {partition} is not {from}")
    });
    StorageError::new(ErrorKind::StalePosition, backend, "write", reason)
}

#[async_trait]
impl<E: Engine> SpanConsumer for SqlStore<E> {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        if batches.iter().all(|batch| batch.spans.is_empty() && batch.position.is_none()) {
            return batches.iter().map(|_| Ok(Stored::default())).collect();
        }
        self.store_each(batches).await
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.engine.position(group, topic, partition).await
    }
}

#[async_trait]
impl<E: Engine> SpanStore for SqlStore<E> {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        let mut reader = self.reader(budget).await?;
        Search::new(request, self.options.strict_trace_id).run(&mut reader).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let mut reader = self.reader(budget).await?;
        let mut asked = HashSet::new();
        let lows: Vec<i64> = ids.iter().map(|id| id.low() as i64).filter(|low| asked.insert(*low)).collect();
        let mut traces = Vec::new();
        for lows in lows.chunks(LOAD_TRACES_MAX) {
            let mut loaded = reader.load(lows).await?;
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
        let mut reader = self.reader(budget).await?;
        let kept_ms = self.engine.kept_from_ms();
        links::links(&mut reader, kept_ms, end_ts_ms.saturating_sub(lookback_ms), end_ts_ms).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let mut reader = self.reader(budget).await?;
        let mut table = RedTable::new(request.clone());
        let lows = window::traces_in(&mut reader, request.start_ms(), request.last_ms()).await?;
        for lows in lows.chunks(LOAD_TRACES_MAX) {
            let traces = reader.load(lows).await?;
            traces.values().for_each(|spans| table.put_trace(spans.iter()));
        }
        Ok(table.into_answer())
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let mut reader = self.reader(&QueryBudget::unlimited()).await?;
        scan::page(&mut reader, request).await
    }
}

#[async_trait]
impl<E: Engine> StorageBackend for SqlStore<E> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn health_name(&self) -> String {
        self.engine.health_name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            durable: true,
            source_positions: true,
            exact_duplicates: true,
            red: true,
            scans: true,
            concurrent_writes: self.engine.concurrent_writes(),
            concurrent_writes_max: self.engine.concurrent_writes_max(),
            ..Capabilities::default()
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.engine.check().await
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        // Tallies go on when nothing can be removed.
        let kept = self.engine.maintain().await;
        match (kept, self.tally().await) {
            (Err(kept), Err(error)) => {
                tracing::warn!(backend = self.engine.name(), %error, "calls were not tallied");
                Err(kept)
            }
            (kept, tallied) => kept.and(tallied),
        }
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}
