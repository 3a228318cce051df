//! The in-memory store (`STORAGE_TYPE=mem`): zipkin's semantics, bounded by spans and by bytes.

mod index;

use async_trait::async_trait;
use parking_lot::RwLock;

use self::index::Index;
use super::{
    Batch, Capabilities, ErrorKind, QueryBudget, SourcePosition, SpanConsumer, SpanStore, StorageBackend, StorageError,
    StorageOptions, Stored,
};
use crate::model::{DependencyLink, DependencyLinker, QueryRequest, SpanBatch, TraceId, search};

const NAME: &str = "mem";

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

/// Keeps spans in the memory of the process.
#[derive(Debug)]
pub struct MemoryStorage {
    options: StorageOptions,
    index: RwLock<Index>,
}

impl MemoryStorage {
    /// An empty store.
    #[must_use]
    pub fn new(config: MemoryConfig, options: StorageOptions) -> Self {
        Self { index: RwLock::new(Index::new(config, options.clone())), options }
    }
}

#[async_trait]
impl SpanConsumer for MemoryStorage {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        batches
            .iter()
            .map(|batch| {
                if batch.position.is_some() {
                    return Err(no_positions("write"));
                }
                self.index.write().insert(&batch.spans);
                Ok(Stored { spans: batch.spans.len() })
            })
            .collect()
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
        let mut selection = search::Selection::new(request, self.options.strict_trace_id);
        if !self.options.search_enabled {
            return Ok(Vec::new());
        }
        let index = self.index.read();
        for low in index.newest_first(request.start_ts_ms(), request.end_ts_ms, request.service_name.as_deref()) {
            if selection.is_full() {
                break;
            }
            let spans = index.trace(low);
            budget.spend(NAME, spans.len())?;
            selection.offer(spans);
        }
        Ok(selection.into_traces())
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let mut lows: Vec<u64> = Vec::new();
        for id in ids {
            if !lows.contains(&id.low()) {
                lows.push(id.low());
            }
        }
        let index = self.index.read();
        let mut traces = Vec::new();
        for low in lows {
            let spans = index.trace(low);
            budget.spend(NAME, spans.len())?;
            if self.options.strict_trace_id {
                let mut parts = search::split_strict(spans);
                parts.retain(|part| part.get(0).is_some_and(|span| ids.contains(&span.trace_id)));
                traces.append(&mut parts);
            } else if !spans.is_empty() {
                traces.push(spans);
            }
        }
        Ok(traces)
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.index.read().service_names())
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.index.read().span_names(service_name))
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.index.read().remote_service_names(service_name))
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.index.read().autocomplete_values(key))
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let index = self.index.read();
        let mut linker = DependencyLinker::new();
        for low in index.newest_first(end_ts_ms.saturating_sub(lookback_ms), end_ts_ms, None) {
            let spans = index.trace(low);
            budget.spend(NAME, spans.len())?;
            linker.put_trace(spans.iter());
        }
        Ok(linker.into_links())
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
        Capabilities { stores_spans: true, exact_duplicates: true, concurrent_writes: 4, ..Capabilities::default() }
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
