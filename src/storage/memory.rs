//! The in-memory store (`STORAGE_TYPE=mem`): zipkin's semantics, bounded by spans and by bytes.
//!
//! All of it is one [`index`](super::index). A query takes the lock for some ten microseconds at a time and goes by the number
//! of the last write it may see, so that it neither holds writers up nor sees half a batch.

mod links;
mod metrics;
mod pins;
mod red;
mod scan;
mod shared;

use std::sync::Arc;

use async_trait::async_trait;
use prometheus::Registry;
use tokio::runtime::{Handle, RuntimeFlavor};

use self::metrics::MemoryCollector;
use self::shared::Shared;
use super::{
    Batch, Capabilities, ErrorKind, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer,
    SpanStore, StorageBackend, StorageError, StorageOptions, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

const NAME: &str = "mem";

/// Spans that a call may write or read on the threads of the async runtime; more goes to a blocking one.
const INLINE_SPANS_MAX: usize = 1_000;

/// Limits of the in-memory store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Most spans kept (`MEM_MAX_SPANS`); the oldest traces go first.
    pub spans_max: usize,
    /// Most bytes kept, indexes included; the oldest traces go first.
    pub bytes_max: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { spans_max: 500_000, bytes_max: 1 << 30 }
    }
}

/// What the store holds and what its limits did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Spans held.
    pub spans: usize,
    /// Traces held, by their low 64 bits.
    pub traces: usize,
    /// Bytes held, about.
    pub bytes: usize,
    /// Spans removed to make room, since the start.
    pub evicted_spans: u64,
    /// Traces removed to make room, since the start.
    pub evicted_traces: u64,
    /// How often a name of a service, span or remote service, or a value, was not listed because its list is full.
    pub names_left_out: u64,
}

/// Keeps spans in the memory of the process.
#[derive(Debug)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

impl MemoryStorage {
    /// An empty store.
    #[must_use]
    pub fn new(config: MemoryConfig, options: StorageOptions) -> Self {
        Self { shared: Arc::new(Shared::new(config, options)) }
    }

    /// What the store holds now.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        self.shared.stats()
    }

    /// Adds the store's figures to a registry.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(MemoryCollector::new(Arc::downgrade(&self.shared))?))
    }

    /// Runs a query that may take long on a thread that may block. A caller that goes away cancels its budget.
    async fn on_blocking_thread<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Shared) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let result = tokio::task::spawn_blocking(move || query(&shared)).await;
        result.unwrap_or_else(|error| Err(StorageError::new(ErrorKind::Unavailable, NAME, operation, error)))
    }
}

#[async_trait]
impl SpanConsumer for MemoryStorage {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let write = || {
            let write_one = |batch: &Batch| {
                if batch.position.is_some() {
                    return Err(no_positions("write"));
                }
                self.shared.write(&batch.spans);
                Ok(Stored { spans: batch.spans.len() })
            };
            batches.iter().map(write_one).collect()
        };
        let spans: usize = batches.iter().map(|batch| batch.spans.len()).sum();
        let can_step_aside = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        if spans > INLINE_SPANS_MAX && can_step_aside { tokio::task::block_in_place(write) } else { write() }
    }

    async fn source_position(
        &self,
        _group: &str,
        _topic: &str,
        _partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        Err(no_positions("source position"))
    }
}

fn no_positions(operation: &'static str) -> StorageError {
    StorageError::new(ErrorKind::Unsupported, NAME, operation, "this store keeps no positions")
}

#[async_trait]
impl SpanStore for MemoryStorage {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if !self.shared.options.search_enabled {
            return Ok(Vec::new());
        }
        let (request, budget) = (request.clone(), budget.clone());
        self.on_blocking_thread("search", move |shared| shared.search(&request, &budget)).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        if self.shared.count_spans(ids) <= INLINE_SPANS_MAX {
            return self.shared.traces(ids, budget);
        }
        let (ids, budget) = (ids.to_vec(), budget.clone());
        self.on_blocking_thread("traces", move |shared| shared.traces(&ids, &budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.shared.service_names())
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.shared.span_names(service_name))
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.shared.remote_names(service_name))
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.shared.values(key))
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let (from_ms, budget) = (end_ts_ms.saturating_sub(lookback_ms), budget.clone());
        self.on_blocking_thread("dependencies", move |shared| shared.dependencies(from_ms, end_ts_ms, &budget)).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let (request, budget) = (request.clone(), budget.clone());
        self.on_blocking_thread("red", move |shared| shared.red(&request, &budget)).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let request = *request;
        self.on_blocking_thread("scan", move |shared| shared.scan(&request)).await
    }
}

#[async_trait]
impl StorageBackend for MemoryStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        "InMemoryStorage{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            exact_duplicates: true,
            red: true,
            pins: true,
            scans: true,
            concurrent_writes: 4,
            ..Capabilities::default()
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        self.shared.pin(id)
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        Ok(self.shared.pins.lock().unpin(id))
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        Ok(self.shared.pins.lock().list())
    }
}

#[cfg(test)]
mod tests;
