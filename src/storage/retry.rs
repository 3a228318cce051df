//! Another try for calls that may succeed later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Batch, Capabilities, ErrorKind, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition, SpanConsumer,
    SpanStore, StorageBackend, StorageError, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// How often and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Most tries of one call, the first included.
    pub tries_max: u32,
    /// Time from the first try after which no further one starts.
    pub time_max: Duration,
    /// Longest pause before the second try; it doubles with each.
    pub first_pause: Duration,
    /// Longest pause at all.
    pub pause_max: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { tries_max: 5, time_max: ms(2_000), first_pause: ms(50), pause_max: ms(500) }
    }
}

/// A store that is asked again when it is busy or away. A batch that was taken is not written again; one whose fate is
/// unknown (a time limit, a lost connection) is, which is safe because writing is idempotent.
pub struct Retry {
    inner: Arc<dyn StorageBackend>,
    config: RetryConfig,
}

impl std::fmt::Debug for Retry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retry").field("inner", &self.inner.name()).field("config", &self.config).finish()
    }
}

impl Retry {
    /// Repeats calls to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn StorageBackend>, config: RetryConfig) -> Self {
        Self { inner, config }
    }

    /// Waits before the try after `tries`; false when there is to be none.
    async fn pause(&self, tries: u32, start: Instant) -> bool {
        let RetryConfig { tries_max, time_max, first_pause, pause_max } = self.config;
        if tries >= tries_max {
            return false;
        }
        let longest = first_pause.saturating_mul(1 << (tries - 1).min(16)).min(pause_max);
        // Between half and all of it, so that callers who failed together do not come back together.
        let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
        if start.elapsed() + pause > time_max {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    async fn repeat<T, F: Future<Output = Result<T, StorageError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, StorageError> {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            let result = call().await;
            tries += 1;
            let again = result.as_ref().is_err_and(|error| error.kind.is_retryable());
            if !again || !self.pause(tries, start).await {
                return result;
            }
        }
    }

    /// Whether a batch that is refused as stale was written by a try whose answer was lost: then the store stands at its
    /// position, or at that of a batch of the same source behind it in this call.
    async fn was_written(&self, at: usize, batches: &[Batch]) -> bool {
        let Some(position) = batches.get(at).and_then(|batch| batch.position.as_ref()) else { return false };
        let stored = self.inner.source_position(&position.group, &position.topic, position.partition).await;
        let Ok(Some(stored)) = stored else { return false };
        batches.iter().skip(at).any(|batch| batch.position.as_ref() == Some(&stored))
    }
}

/// The batches of one call and what became of them.
struct Attempt<'a> {
    batches: &'a [Batch],
    results: Vec<Option<Result<Stored, StorageError>>>,
    /// Batches whose fate some try left unknown.
    unknown: Vec<bool>,
}

impl Attempt<'_> {
    fn pending(&self) -> Vec<usize> {
        let is_pending = |at: &usize| match &self.results[*at] {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => error.kind.is_retryable() || self.waits_for_its_source(*at, error),
        };
        (0..self.batches.len()).filter(is_pending).collect()
    }

    /// A position is also refused when the batch before it, of the same source, has not been written yet.
    fn waits_for_its_source(&self, at: usize, error: &StorageError) -> bool {
        let source = |at: usize| self.batches[at].position.as_ref().map(|p| (&p.group, &p.topic, p.partition));
        let failed = |at: usize| matches!(&self.results[at], Some(Err(error)) if error.kind.is_retryable());
        error.kind == ErrorKind::StalePosition && (0..at).any(|before| source(before) == source(at) && failed(before))
    }
}

#[async_trait]
impl SpanConsumer for Retry {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let start = Instant::now();
        let first = self.inner.write(batches).await;
        let mut attempt = Attempt {
            batches,
            results: first.into_iter().map(Some).chain(std::iter::repeat_with(|| None)).take(batches.len()).collect(),
            unknown: vec![false; batches.len()],
        };
        let mut tries = 1;
        loop {
            let pending = attempt.pending();
            if pending.is_empty() || !self.pause(tries, start).await {
                break;
            }
            pending.iter().for_each(|&at| attempt.unknown[at] = true);
            let part: Vec<Batch> = pending.iter().map(|&at| batches[at].clone()).collect();
            let results = self.inner.write(&part).await;
            tries += 1;
            for (at, mut result) in pending.into_iter().zip(results) {
                let stale = matches!(&result, Err(error) if error.kind == ErrorKind::StalePosition);
                if stale && attempt.unknown[at] && self.was_written(at, batches).await {
                    result = Ok(Stored { spans: batches[at].spans.len() });
                }
                attempt.results[at] = Some(result);
            }
        }
        let missing = || Err(StorageError::new(ErrorKind::Unavailable, self.inner.name(), "write", "no result"));
        attempt.results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.repeat(|| self.inner.source_position(group, topic, partition)).await
    }
}

#[async_trait]
impl SpanStore for Retry {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.repeat(|| self.inner.search(request, budget)).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.repeat(|| self.inner.traces(ids, budget)).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.repeat(|| self.inner.service_names()).await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.repeat(|| self.inner.span_names(service_name)).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.repeat(|| self.inner.remote_service_names(service_name)).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        self.repeat(|| self.inner.autocomplete_values(key)).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.repeat(|| self.inner.dependencies(end_ts_ms, lookback_ms, budget)).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        self.repeat(|| self.inner.red(request, budget)).await
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        self.repeat(|| self.inner.scan(request)).await
    }
}

#[async_trait]
impl StorageBackend for Retry {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn health_name(&self) -> String {
        self.inner.health_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    /// Once: health shows the store as it is.
    async fn check(&self) -> Result<(), StorageError> {
        self.inner.check().await
    }

    /// Once: it is called again at its next turn.
    async fn maintain(&self) -> Result<(), StorageError> {
        self.inner.maintain().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    /// Once: someone waits who can try again, and a full store stays full.
    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        self.inner.pin(id).await
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        self.inner.unpin(id).await
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        self.inner.pinned().await
    }
}

#[cfg(test)]
mod tests;
