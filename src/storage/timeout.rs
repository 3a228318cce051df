//! A limit of time for every call to a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Batch, Capabilities, ErrorKind, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer,
    SpanStore, StorageBackend, StorageError, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// How long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutConfig {
    /// One write, in the store (not the waiting before it). A write beyond it counts as failed and may be offered
    /// again, although the store may still finish it.
    pub write: Duration,
    /// One query or list of names; queries have a deadline of their own, which is usually earlier.
    pub read: Duration,
    /// One health check.
    pub check: Duration,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self { write: Duration::from_secs(30), read: Duration::from_secs(60), check: Duration::from_secs(10) }
    }
}

/// A store whose calls end in time.
pub struct Timeout {
    inner: Arc<dyn StorageBackend>,
    config: TimeoutConfig,
}

impl std::fmt::Debug for Timeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeout").field("inner", &self.inner.name()).field("config", &self.config).finish()
    }
}

impl Timeout {
    /// Limits the calls to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, config: TimeoutConfig) -> Self {
        Self { inner, config }
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        kind: ErrorKind,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(self.late(limit, kind, operation)))
    }

    async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.limited(self.config.read, ErrorKind::Deadline, operation, call).await
    }

    /// As [`Self::read`]; what works on other threads is told to stop.
    async fn query<T>(
        &self,
        operation: &'static str,
        budget: &QueryBudget,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let limit = self.config.read;
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            budget.cancel();
            Err(self.late(limit, ErrorKind::Deadline, operation))
        })
    }

    fn late(&self, limit: Duration, kind: ErrorKind, operation: &'static str) -> StorageError {
        let reason = format!("no answer within {} ms", limit.as_millis());
        StorageError::new(kind, self.inner.name(), operation, reason)
    }
}

#[async_trait]
impl SpanConsumer for Timeout {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let limit = self.config.write;
        let late = |_| batches.iter().map(|_| Err(self.late(limit, ErrorKind::Unavailable, "write"))).collect();
        tokio::time::timeout(limit, self.inner.write(batches)).await.unwrap_or_else(late)
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        let call = self.inner.source_position(group, topic, partition);
        self.limited(self.config.write, ErrorKind::Unavailable, "source position", call).await
    }
}

#[async_trait]
impl SpanStore for Timeout {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.query("search", budget, self.inner.search(request, budget)).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.query("traces", budget, self.inner.traces(ids, budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.read("service names", self.inner.service_names()).await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.read("span names", self.inner.span_names(service_name)).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.read("remote service names", self.inner.remote_service_names(service_name)).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        self.read("autocomplete values", self.inner.autocomplete_values(key)).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.query("dependencies", budget, self.inner.dependencies(end_ts_ms, lookback_ms, budget)).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        self.query("red", budget, self.inner.red(request, budget)).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        // Not limited: a page may be one trace of any size, and nobody waits for it as for an answer.
        self.inner.scan(request).await
    }
}

#[async_trait]
impl StorageBackend for Timeout {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn health_name(&self) -> String {
        self.inner.health_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.limited(self.config.check, ErrorKind::Unavailable, "check", self.inner.check()).await
    }

    /// Not limited: retention may take long and is called one at a time.
    async fn maintain(&self) -> Result<(), StorageError> {
        self.inner.maintain().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        self.read("pin", self.inner.pin(id)).await
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        self.read("unpin", self.inner.unpin(id)).await
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        self.read("pinned", self.inner.pinned()).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Act, Scripted};
    use super::*;

    fn stalling(calls: usize) -> Timeout {
        let stall = Act::Stall(Duration::from_secs(3_600));
        let seconds = Duration::from_secs;
        let config = TimeoutConfig { write: seconds(1), read: seconds(2), check: seconds(3) };
        Timeout::new(Arc::new(Scripted::new(vec![stall; calls])), config)
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_write_fails_for_each_batch_and_may_be_offered_again() {
        let results = stalling(1).write(&[Batch::default(), Batch::default()]).await;
        assert_eq!(results.len(), 2);
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert_eq!(error.to_string(), "scripted write: no answer within 1000 ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_query_ends_and_its_work_is_told_to_stop() {
        let store = stalling(2);
        let budget = QueryBudget::unlimited();
        let found = store.search(&QueryRequest::window(1, 1, 1), &budget).await;
        assert_eq!(found.unwrap_err().kind, ErrorKind::Deadline);
        assert_eq!(budget.spend("test", 0).unwrap_err().kind, ErrorKind::Deadline);
        assert_eq!(store.service_names().await.unwrap_err().kind, ErrorKind::Deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_check_says_that_the_store_is_not_available() {
        assert_eq!(stalling(1).check().await.unwrap_err().kind, ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_in_time_pass() {
        let store = stalling(0);
        assert!(store.write(&[Batch::default()]).await[0].is_ok());
        assert!(store.check().await.is_ok());
    }

    mod conformance {
        use super::*;
        use crate::storage::{MemoryConfig, MemoryStorage};

        crate::storage_conformance_suite!(|options| async move {
            let inner = Arc::new(MemoryStorage::new(MemoryConfig::default(), options));
            Timeout::new(inner, TimeoutConfig::default())
        });
    }
}
