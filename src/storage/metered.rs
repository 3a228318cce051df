//! What calls to a store cost and how they end, as metrics.

use std::sync::Arc;

use async_trait::async_trait;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use tokio::time::Instant;

use super::{
    Batch, Capabilities, PinnedTrace, QueryBudget, RedMetrics, ScanPage, ScanRequest, SourcePosition, SpanConsumer,
    SpanStore, StorageBackend, StorageError, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// Upper bounds of the call times, seconds.
const CALL_SECONDS: &[f64] =
    &[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics of a store, from the first scrape on.
#[derive(Clone, Debug)]
pub struct StorageMetrics {
    call_seconds: HistogramVec,
    errors: IntCounterVec,
    spans_written: IntCounter,
    batches_written: IntCounter,
    red_left_out: IntCounter,
}

impl StorageMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let seconds = HistogramOpts::new("storage_call_seconds", "time of calls to the store by operation");
        let errors = Opts::new("storage_errors_total", "failed calls to the store (writes: failed batches) by kind");
        let metrics = Self {
            call_seconds: HistogramVec::new(seconds.buckets(CALL_SECONDS.to_vec()), &["operation"])?,
            errors: IntCounterVec::new(errors, &["operation", "kind"])?,
            spans_written: IntCounter::new("storage_spans_written_total", "spans the store has taken")?,
            batches_written: IntCounter::new("storage_batches_written_total", "batches the store has taken")?,
            red_left_out: IntCounter::new(
                "storage_red_left_out_total",
                "requests, spans and calls that answers of RED left out because they had too many series",
            )?,
        };
        registry.register(Box::new(metrics.call_seconds.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.spans_written.clone()))?;
        registry.register(Box::new(metrics.batches_written.clone()))?;
        registry.register(Box::new(metrics.red_left_out.clone()))?;
        Ok(metrics)
    }
}

/// A store whose calls are timed and counted.
pub struct Metered {
    inner: Arc<dyn StorageBackend>,
    metrics: StorageMetrics,
    write_seconds: Histogram,
    requests: Option<RedMetrics>,
}

impl std::fmt::Debug for Metered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metered").field("inner", &self.inner.name()).finish_non_exhaustive()
    }
}

impl Metered {
    /// Measures the calls to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, metrics: StorageMetrics) -> Self {
        let write_seconds = metrics.call_seconds.with_label_values(&["write"]);
        Self { inner, metrics, write_seconds, requests: None }
    }

    /// Counts the requests among the spans that are stored, too.
    #[must_use]
    pub fn with_requests(self, requests: Option<RedMetrics>) -> Self {
        Self { requests, ..self }
    }

    async fn timed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let start = Instant::now();
        let result = call.await;
        self.metrics.call_seconds.with_label_values(&[operation]).observe(start.elapsed().as_secs_f64());
        if let Err(error) = &result {
            self.failed(operation, error);
        }
        result
    }

    fn failed(&self, operation: &'static str, error: &StorageError) {
        self.metrics.errors.with_label_values(&[operation, error.kind.as_str()]).inc();
    }
}

#[async_trait]
impl SpanConsumer for Metered {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let start = Instant::now();
        let results = self.inner.write(batches).await;
        self.write_seconds.observe(start.elapsed().as_secs_f64());
        let (mut spans, mut written) = (0, 0);
        for result in &results {
            match result {
                Ok(stored) => {
                    spans += stored.spans as u64;
                    written += 1;
                }
                Err(error) => self.failed("write", error),
            }
        }
        if let Some(requests) = &self.requests {
            let stored = batches.iter().zip(&results).filter(|(_, result)| result.is_ok());
            stored.for_each(|(batch, _)| requests.count(&batch.spans));
        }
        self.metrics.spans_written.inc_by(spans);
        self.metrics.batches_written.inc_by(written);
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.timed("source_position", self.inner.source_position(group, topic, partition)).await
    }
}

#[async_trait]
impl SpanStore for Metered {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.timed("search", self.inner.search(request, budget)).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.timed("traces", self.inner.traces(ids, budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.timed("service_names", self.inner.service_names()).await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.timed("span_names", self.inner.span_names(service_name)).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.timed("remote_service_names", self.inner.remote_service_names(service_name)).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        self.timed("autocomplete_values", self.inner.autocomplete_values(key)).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.timed("dependencies", self.inner.dependencies(end_ts_ms, lookback_ms, budget)).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let answer = self.timed("red", self.inner.red(request, budget)).await;
        answer.iter().for_each(|answer| self.metrics.red_left_out.inc_by(answer.left_out));
        answer
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        self.timed("scan", self.inner.scan(request)).await
    }
}

#[async_trait]
impl StorageBackend for Metered {
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
        self.timed("check", self.inner.check()).await
    }

    async fn maintain(&self) -> Result<(), StorageError> {
        self.timed("maintain", self.inner.maintain()).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        self.timed("pin", self.inner.pin(id)).await
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        self.timed("unpin", self.inner.unpin(id)).await
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        self.timed("pinned", self.inner.pinned()).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Act, Scripted};
    use super::*;
    use crate::model::testing::spans_from_json;
    use crate::storage::ErrorKind;

    fn metered(script: impl IntoIterator<Item = Act>) -> (Metered, Registry) {
        let registry = Registry::new();
        let metrics = StorageMetrics::register(&registry).unwrap();
        (Metered::new(Arc::new(Scripted::new(script)), metrics), registry)
    }

    /// The value of a counter, or the count of a histogram, with that label among its labels.
    fn value(registry: &Registry, family: &str, label: &str) -> f64 {
        let families = registry.gather();
        let metrics = families.iter().filter(|known| known.name() == family).flat_map(|known| known.get_metric());
        let wanted = metrics.filter(|metric| label.is_empty() || metric.get_label().iter().any(|l| l.value() == label));
        wanted.map(|metric| metric.get_counter().get_value() + metric.get_histogram().get_sample_count() as f64).sum()
    }

    #[tokio::test]
    async fn writes_count_spans_and_batches_that_were_taken() {
        let (store, registry) = metered([Act::Fail(ErrorKind::Rejected, 2), Act::Work]);
        let two = spans_from_json(r#"[{"traceId":"1","id":"1"},{"traceId":"1","id":"2"}]"#);
        let batch = Batch { spans: two, position: None };
        store.write(&[batch.clone(), batch.clone(), batch.clone()]).await;
        store.write(&[batch]).await;
        assert_eq!(value(&registry, "storage_batches_written_total", ""), 3.0);
        assert_eq!(value(&registry, "storage_spans_written_total", ""), 6.0);
        assert_eq!(value(&registry, "storage_errors_total", "rejected"), 1.0);
        assert_eq!(value(&registry, "storage_call_seconds", "write"), 2.0);
    }

    #[tokio::test]
    async fn every_call_is_timed_and_failures_are_counted_by_kind() {
        let (store, registry) = metered([Act::Fail(ErrorKind::Unavailable, 0), Act::Fail(ErrorKind::Corrupt, 0)]);
        assert!(store.service_names().await.is_err());
        assert!(store.check().await.is_err());
        assert!(store.check().await.is_ok());
        for (operation, calls) in [("service_names", 1.0), ("check", 2.0), ("search", 0.0)] {
            assert_eq!(value(&registry, "storage_call_seconds", operation), calls, "{operation}");
        }
        assert_eq!(value(&registry, "storage_errors_total", "unavailable"), 1.0);
        assert_eq!(value(&registry, "storage_errors_total", "corrupt"), 1.0);
    }

    #[tokio::test]
    async fn requests_are_counted_when_their_batch_is_stored() {
        let registry = Registry::new();
        let scripted = Arc::new(Scripted::new([Act::Fail(ErrorKind::Unavailable, 1), Act::Work]));
        let store = Metered::new(scripted, StorageMetrics::register(&registry).unwrap())
            .with_requests(Some(RedMetrics::register(&registry, 10).unwrap()));
        let spans =
            spans_from_json(r#"[{"traceId":"1","id":"1","kind":"SERVER","localEndpoint":{"serviceName":"a"}}]"#);
        let batch = Batch { spans, position: None };
        store.write(&[batch.clone(), batch.clone()]).await;
        assert_eq!(value(&registry, "red_requests_total", "a"), 1.0);
        store.write(&[batch]).await;
        assert_eq!(value(&registry, "red_requests_total", "a"), 2.0);
    }

    #[test]
    fn a_second_store_in_one_registry_is_refused() {
        let registry = Registry::new();
        assert!(StorageMetrics::register(&registry).is_ok());
        assert!(StorageMetrics::register(&registry).is_err());
    }
}
