//! Questions to the store, each with a time limit and a budget, and ended when nobody waits for the answer any more.
//!
//! Knows nothing of HTTP: parameters arrive checked, answers leave as model types.

pub mod summary;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::red::{RED_SERIES_MAX, RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId, cmp_utf16};
use crate::storage::{Capabilities, ErrorKind, QueryBudget, StorageBackend, StorageError};

/// Settings of the read side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// Searches and name lists are answered; false: they are empty (`SEARCH_ENABLED`).
    pub search_enabled: bool,
    /// Time limit of one query; `None` for no limit (`QUERY_TIMEOUT`, 0 there).
    pub timeout: Option<Duration>,
    /// Window of searches and links that name none, milliseconds (`QUERY_LOOKBACK`).
    pub lookback_default_ms: i64,
    /// Most spans one query may read.
    pub spans_read_max: u64,
    /// Most series that one answer about rates and durations is made of (`QUERY_RED_SERIES_MAX`).
    pub red_series_max: usize,
    /// Tag keys whose values are listed (`AUTOCOMPLETE_KEYS`).
    pub autocomplete_keys: Vec<String>,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            search_enabled: true,
            timeout: Some(Duration::from_secs(11)),
            lookback_default_ms: 86_400_000,
            spans_read_max: 50_000_000,
            red_series_max: RED_SERIES_MAX,
            autocomplete_keys: Vec::new(),
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It took longer than [`QueryConfig::timeout`].
    #[error("the query took longer than {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It would have read more than [`QueryConfig::spans_read_max`].
    #[error("the query reads more than {0} spans: ask for less time, a service or a lower limit")]
    TooLarge(u64),
    /// The store failed.
    #[error(transparent)]
    Storage(StorageError),
}

/// The read side of the store. Cheap to clone.
#[derive(Clone)]
pub struct QueryService {
    storage: Arc<dyn StorageBackend>,
    config: Arc<QueryConfig>,
}

impl std::fmt::Debug for QueryService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryService").field("storage", &self.storage.name()).field("config", &self.config).finish()
    }
}

/// Ends the work of a query whose future is dropped; work may go on in other threads.
struct CancelOnDrop(QueryBudget);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl QueryService {
    /// Over one store.
    #[must_use]
    pub fn new(storage: Arc<dyn StorageBackend>, mut config: QueryConfig) -> Self {
        config.autocomplete_keys.sort_by(|a, b| cmp_utf16(a, b));
        Self { storage, config: Arc::new(config) }
    }

    /// The settings it was made with; autocomplete keys sorted.
    #[must_use]
    pub fn config(&self) -> &QueryConfig {
        &self.config
    }

    /// Traces that match, newest first, spans raw. Empty when searching is switched off.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn search(&self, request: &QueryRequest) -> Result<Vec<SpanBatch>, QueryError> {
        if !self.config.search_enabled {
            return Ok(Vec::new());
        }
        self.within(|budget| async move { self.storage.search(request, &budget).await }).await
    }

    /// The spans of one trace, `None` when there are none. Works without searching, too.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn trace(&self, id: TraceId) -> Result<Option<SpanBatch>, QueryError> {
        let mut found = self.traces(&[id]).await?;
        Ok(found.pop().filter(|spans| !spans.is_empty()))
    }

    /// The traces that exist, in the order asked.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn traces(&self, ids: &[TraceId]) -> Result<Vec<SpanBatch>, QueryError> {
        self.within(|budget| async move { self.storage.traces(ids, &budget).await }).await
    }

    /// Calls between services in `end_ts_ms - lookback_ms ..= end_ts_ms`. Works without searching, too.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn dependencies(&self, end_ts_ms: i64, lookback_ms: i64) -> Result<Vec<DependencyLink>, QueryError> {
        self.within(|budget| async move { self.storage.dependencies(end_ts_ms, lookback_ms, &budget).await }).await
    }

    /// Rate, errors and durations per minute. Works without searching, too.
    ///
    /// # Errors
    /// [`QueryError`], of kind [`ErrorKind::Unsupported`] when the store cannot tell them.
    pub async fn red(&self, request: &RedRequest) -> Result<RedAnswer, QueryError> {
        self.within(|budget| async move { self.storage.red(request, &budget).await }).await
    }

    /// What the store can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.storage.capabilities()
    }

    /// Local service names.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn service_names(&self) -> Result<Vec<String>, QueryError> {
        self.names(|| self.storage.service_names()).await
    }

    /// Span names of a service, in any letter case. None for an empty name.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn span_names(&self, service_name: &str) -> Result<Vec<String>, QueryError> {
        if service_name.is_empty() {
            return Ok(Vec::new());
        }
        let service_name = service_name.to_lowercase();
        self.names(|| self.storage.span_names(&service_name)).await
    }

    /// Names of the services that a service, in any letter case, talks to. None for an empty name.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, QueryError> {
        if service_name.is_empty() {
            return Ok(Vec::new());
        }
        let service_name = service_name.to_lowercase();
        self.names(|| self.storage.remote_service_names(&service_name)).await
    }

    /// The configured tag keys, sorted; none when searching is switched off.
    #[must_use]
    pub fn autocomplete_keys(&self) -> &[String] {
        if self.config.search_enabled { &self.config.autocomplete_keys } else { &[] }
    }

    /// Values seen of a configured tag key; none for any other.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, QueryError> {
        if !self.autocomplete_keys().iter().any(|configured| configured == key) {
            return Ok(Vec::new());
        }
        self.names(|| self.storage.autocomplete_values(key)).await
    }

    async fn names<F>(&self, ask: impl FnOnce() -> F) -> Result<Vec<String>, QueryError>
    where
        F: Future<Output = Result<Vec<String>, StorageError>>,
    {
        if !self.config.search_enabled {
            return Ok(Vec::new());
        }
        self.within(|_| ask()).await
    }

    /// Runs one storage call within the limits. Dropping the returned future ends the call.
    async fn within<T, F>(&self, call: impl FnOnce(QueryBudget) -> F) -> Result<T, QueryError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let spans_max = self.config.spans_read_max;
        let deadline = self.config.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let budget = QueryBudget::new(deadline, spans_max);
        let guard = CancelOnDrop(budget.clone());
        let call = call(budget);
        let timeout = self.config.timeout.unwrap_or(Duration::MAX);
        let outcome = match self.config.timeout {
            Some(timeout) => tokio::time::timeout(timeout, call).await.map_err(|_| QueryError::Timeout(timeout))?,
            None => call.await,
        };
        drop(guard);
        outcome.map_err(|error| match error.kind {
            ErrorKind::Deadline => QueryError::Timeout(timeout),
            ErrorKind::Exhausted => QueryError::TooLarge(spans_max),
            _ => QueryError::Storage(error),
        })
    }
}

#[cfg(test)]
mod tests;
