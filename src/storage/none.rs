//! The store that keeps nothing (`STORAGE_TYPE=none`): for load tests and for parts that only forward.

use async_trait::async_trait;

use super::{
    Batch, Capabilities, ErrorKind, QueryBudget, SourcePosition, SpanConsumer, SpanStore, StorageBackend, StorageError,
    Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

const NAME: &str = "none";

/// Accepts every span and drops it; every answer is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoneStorage;

#[async_trait]
impl SpanConsumer for NoneStorage {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        batches.iter().map(|batch| Ok(Stored { spans: batch.spans.len() })).collect()
    }

    async fn source_position(
        &self,
        _group: &str,
        _topic: &str,
        _partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        Err(StorageError::new(ErrorKind::Unsupported, NAME, "source position", "this store keeps no positions"))
    }
}

#[async_trait]
impl SpanStore for NoneStorage {
    async fn search(&self, _request: &QueryRequest, _budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn traces(&self, _ids: &[TraceId], _budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn span_names(&self, _service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn remote_service_names(&self, _service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn autocomplete_values(&self, _key: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn dependencies(
        &self,
        _end_ts_ms: i64,
        _lookback_ms: i64,
        _budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        Ok(Vec::new())
    }

    async fn red(&self, _request: &RedRequest, _budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        Ok(RedAnswer::default())
    }
}

#[async_trait]
impl StorageBackend for NoneStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn health_name(&self) -> String {
        "NoneStorage{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { red: true, concurrent_writes: 64, ..Capabilities::default() }
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
