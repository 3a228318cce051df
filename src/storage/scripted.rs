//! A store for tests of the wrappers: it keeps spans in memory and fails as a script says.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{
    Batch, Capabilities, ErrorKind, MemoryConfig, MemoryStorage, PinnedTrace, QueryBudget, SourcePosition,
    SpanConsumer, SpanStore, StorageBackend, StorageError, StorageOptions, Stored,
};
use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, SpanBatch, TraceId};

/// What the next call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Works.
    Work,
    /// Fails; a write fails for the batches from that index on.
    Fail(ErrorKind, usize),
    /// Works, but answers after that time only.
    Stall(Duration),
}

#[derive(Debug)]
pub(crate) struct Scripted {
    inner: MemoryStorage,
    script: Mutex<VecDeque<Act>>,
    /// Number of batches of each write, 0 for another call.
    pub(super) calls: Mutex<Vec<usize>>,
    pub(super) position: Mutex<Option<SourcePosition>>,
}

impl Scripted {
    /// Acts in turn; works when the script is over.
    pub(crate) fn new(script: impl IntoIterator<Item = Act>) -> Self {
        Self {
            inner: MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()),
            script: Mutex::new(script.into_iter().collect()),
            calls: Mutex::default(),
            position: Mutex::default(),
        }
    }

    async fn act(&self, batches: usize) -> (usize, Option<ErrorKind>) {
        self.calls.lock().push(batches);
        let act = self.script.lock().pop_front().unwrap_or(Act::Work);
        match act {
            Act::Work => (batches, None),
            Act::Fail(kind, from) => (from.min(batches), Some(kind)),
            Act::Stall(time) => {
                tokio::time::sleep(time).await;
                (batches, None)
            }
        }
    }

    async fn read(&self) -> Result<(), StorageError> {
        match self.act(0).await.1 {
            Some(kind) => Err(error(kind)),
            None => Ok(()),
        }
    }

    async fn write_one(&self, batch: &Batch) -> Result<Stored, StorageError> {
        if let Some(next) = &batch.position {
            let mut stored = self.position.lock();
            if stored.as_ref().is_some_and(|stored| stored.next != next.from) {
                return Err(error(ErrorKind::StalePosition));
            }
            *stored = Some(next.clone());
        }
        let plain = Batch { spans: batch.spans.clone(), position: None };
        self.inner.write(&[plain]).await.pop().unwrap_or(Ok(Stored::default()))
    }
}

fn error(kind: ErrorKind) -> StorageError {
    StorageError::new(kind, "scripted", "test", "as the script says")
}

#[async_trait]
impl SpanConsumer for Scripted {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        // What is written before a stall stays written when the caller goes away.
        let stalls = matches!(self.script.lock().front(), Some(Act::Stall(_)));
        let mut results = Vec::new();
        if stalls {
            for batch in batches {
                results.push(self.write_one(batch).await);
            }
            self.act(batches.len()).await;
            return results;
        }
        let (working, kind) = self.act(batches.len()).await;
        for (at, batch) in batches.iter().enumerate() {
            results.push(match kind {
                Some(kind) if at >= working => Err(error(kind)),
                _ => self.write_one(batch).await,
            });
        }
        results
    }

    async fn source_position(
        &self,
        _group: &str,
        _topic: &str,
        _partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        self.read().await?;
        Ok(self.position.lock().clone())
    }
}

#[async_trait]
impl SpanStore for Scripted {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.read().await?;
        self.inner.search(request, budget).await
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        self.read().await?;
        self.inner.traces(ids, budget).await
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        self.read().await?;
        self.inner.service_names().await
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.read().await?;
        self.inner.span_names(service_name).await
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        self.read().await?;
        self.inner.remote_service_names(service_name).await
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        self.read().await?;
        self.inner.autocomplete_values(key).await
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        self.read().await?;
        self.inner.dependencies(end_ts_ms, lookback_ms, budget).await
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        self.read().await?;
        self.inner.red(request, budget).await
    }
}

#[async_trait]
impl StorageBackend for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn health_name(&self) -> String {
        "Scripted{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { source_positions: true, ..self.inner.capabilities() }
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.read().await
    }

    async fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        self.read().await?;
        self.inner.pin(id).await
    }

    async fn unpin(&self, id: TraceId) -> Result<bool, StorageError> {
        self.read().await?;
        self.inner.unpin(id).await
    }

    async fn pinned(&self) -> Result<Vec<PinnedTrace>, StorageError> {
        self.read().await?;
        self.inner.pinned().await
    }
}
