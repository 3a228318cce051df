use async_trait::async_trait;

use super::*;
use crate::storage::{Batch, Capabilities, SourcePosition, SpanConsumer, SpanStore, Stored};

/// A store whose searches never end and whose other answers fail; it tells what became of the budget.
#[derive(Default)]
struct Stuck {
    budget: parking_lot::Mutex<Option<QueryBudget>>,
}

impl Stuck {
    fn is_cancelled(&self) -> bool {
        self.budget.lock().as_ref().is_some_and(|budget| budget.spend("stuck", 0).is_err())
    }
}

#[async_trait]
impl SpanConsumer for Stuck {
    async fn write(&self, _: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        Vec::new()
    }

    async fn source_position(&self, _: &str, _: &str, _: i32) -> Result<Option<SourcePosition>, StorageError> {
        Ok(None)
    }
}

fn failure(kind: ErrorKind) -> StorageError {
    StorageError::new(kind, "stuck", "read", "test")
}

#[async_trait]
impl SpanStore for Stuck {
    async fn search(&self, _: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        *self.budget.lock() = Some(budget.clone());
        std::future::pending().await
    }

    async fn traces(&self, _: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        budget.spend("stuck", 11)?;
        Ok(Vec::new())
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Err(failure(ErrorKind::Unavailable))
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(vec![service_name.to_owned()])
    }

    async fn remote_service_names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Err(failure(ErrorKind::Deadline))
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        Ok(vec![key.to_owned()])
    }

    async fn dependencies(&self, _: i64, _: i64, _: &QueryBudget) -> Result<Vec<DependencyLink>, StorageError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl StorageBackend for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn health_name(&self) -> String {
        "Stuck{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

fn stuck(config: QueryConfig) -> (Arc<Stuck>, QueryService) {
    let storage = Arc::new(Stuck::default());
    (storage.clone(), QueryService::new(storage, config))
}

fn any() -> QueryRequest {
    QueryRequest::window(1, 1, 10)
}

#[tokio::test(start_paused = true)]
async fn a_query_that_does_not_end_is_ended_at_its_time_limit() {
    let (storage, query) = stuck(QueryConfig::default());
    let error = query.search(&any()).await.unwrap_err();
    assert_eq!(error.to_string(), "the query took longer than 11000 ms");
    assert!(storage.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_query_tells_the_store_to_stop() {
    let (storage, query) = stuck(QueryConfig { timeout: None, ..QueryConfig::default() });
    let request = any();
    let mut search = Box::pin(query.search(&request));
    assert!(futures_util::poll!(&mut search).is_pending());
    assert!(!storage.is_cancelled());
    drop(search);
    assert!(storage.is_cancelled());
}

#[tokio::test]
async fn a_query_that_reads_too_much_says_what_to_do() {
    let (_, query) = stuck(QueryConfig { spans_read_max: 10, ..QueryConfig::default() });
    let error = query.trace(TraceId::from_halves(0, 1).unwrap()).await.unwrap_err();
    assert!(matches!(error, QueryError::TooLarge(10)), "{error}");
}

#[tokio::test]
async fn errors_of_the_store_keep_their_kind() {
    let (_, query) = stuck(QueryConfig::default());
    assert!(
        matches!(query.service_names().await, Err(QueryError::Storage(error)) if error.kind == ErrorKind::Unavailable)
    );
    assert!(matches!(query.remote_service_names("a").await, Err(QueryError::Timeout(_))));
}

#[tokio::test]
async fn names_are_asked_in_lower_case_and_not_at_all_for_an_empty_service() {
    let (_, query) = stuck(QueryConfig::default());
    assert_eq!(query.span_names("FrontÉnd").await.unwrap(), ["fronténd"]);
    assert!(query.span_names("").await.unwrap().is_empty());
    assert!(query.remote_service_names("").await.unwrap().is_empty());
}

#[tokio::test]
async fn only_configured_keys_have_values_and_keys_are_sorted() {
    let keys = ["env", "Region", "http.method"].map(str::to_owned).to_vec();
    let (_, query) = stuck(QueryConfig { autocomplete_keys: keys, ..QueryConfig::default() });
    assert_eq!(query.autocomplete_keys(), ["Region", "env", "http.method"]);
    assert_eq!(query.autocomplete_values("env").await.unwrap(), ["env"]);
    assert!(query.autocomplete_values("ENV").await.unwrap().is_empty());
}

#[tokio::test]
async fn without_searching_the_store_is_asked_for_traces_and_links_only() {
    let config = QueryConfig {
        search_enabled: false,
        autocomplete_keys: vec!["env".to_owned()],
        spans_read_max: 10,
        ..QueryConfig::default()
    };
    let (_, query) = stuck(config);
    assert!(query.search(&any()).await.unwrap().is_empty());
    assert!(query.service_names().await.unwrap().is_empty());
    assert!(query.autocomplete_keys().is_empty());
    assert!(query.autocomplete_values("env").await.unwrap().is_empty());
    assert!(query.trace(TraceId::from_halves(0, 1).unwrap()).await.is_err());
    assert!(query.dependencies(1, 1).await.is_ok());
}
