//! A span of the server's own trace for each question to a store, with the names zipkin-server gives them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Batch, Capabilities, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer, SpanStore,
    StorageBackend, StorageError, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};
use crate::telemetry::self_tracing::traced;

/// A store whose answers to traced requests are spans.
///
/// A write is not one: it carries messages of many requests. The part of each in it is traced where the message is handed
/// over, as `accept-spans`, until it is stored.
pub struct Traced {
    inner: Arc<dyn StorageBackend>,
}

impl std::fmt::Debug for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traced").field("inner", &self.inner.name()).finish_non_exhaustive()
    }
}

impl Traced {
    /// Traces the calls to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl SpanConsumer for Traced {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        self.inner.write(batches).await
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.inner.source_position(group, topic, partition).await
    }
}

#[async_trait]
impl SpanStore for Traced {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        traced("get-traces", self.inner.search(request, budget)).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let name = if ids.len() == 1 { "get-trace" } else { "get-traces" };
        traced(name, self.inner.traces(ids, budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        traced("get-service-names", self.inner.service_names()).await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        traced("get-span-names", self.inner.span_names(service_name)).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        traced("get-remote-service-names", self.inner.remote_service_names(service_name)).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        traced("get-values", self.inner.autocomplete_values(key)).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        traced("get-dependencies", self.inner.dependencies(end_ts_ms, lookback_ms, budget)).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        traced("get-red", self.inner.red(request, budget)).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        self.inner.scan(request).await
    }
}

#[async_trait]
impl StorageBackend for Traced {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn health_name(&self) -> String {
        format!("Traced{{{}}}", self.inner.health_name())
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.inner.check().await
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.inner.maintain().await
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        traced("pin", self.inner.pin(id)).await
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        traced("unpin", self.inner.unpin(id)).await
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        traced("get-pinned", self.inner.pinned()).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::storage::{MemoryConfig, MemoryStorage, Metered, Retry, RetryConfig, StorageMetrics};

    // A wrapper that does not hand a call on would answer with the trait's default.
    mod conformance_of_all_wrappers {
        use super::*;

        crate::storage_conformance_suite!(|options| async move {
            let memory = Arc::new(MemoryStorage::new(MemoryConfig::default(), options));
            let metered = Metered::new(memory, StorageMetrics::register(&Registry::new()).unwrap());
            Traced::new(Arc::new(Retry::new(Arc::new(metered), RetryConfig::default())))
        });
    }
}
