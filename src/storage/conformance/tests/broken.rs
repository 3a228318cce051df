//! A memory store with positions that, on request, breaks one promise.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::model::red::{RedAnswer, RedRequest};
use crate::model::{DependencyLink, QueryRequest, Span, SpanBatch, TraceId};
use crate::storage::{
    Batch, Capabilities, ErrorKind, MemoryStorage, PinnedTrace, QueryBudget, ScanPage, ScanRequest, SourcePosition,
    SpanConsumer, SpanStore, StorageBackend, StorageError, Stored,
};

macro_rules! faults {
    ($($fault:ident)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Fault { $($fault),* }

        impl Fault {
            pub(super) const ALL: &'static [Self] = &[$(Self::$fault),*];
        }
    };
}

faults! {
    DropsSpans DropsSecondBatch DoublesSpans DoublesLinks ReordersTraces ReordersSpans ReordersLinks IgnoresLimit
    IgnoresLookback IgnoresEnd IgnoresService IgnoresRemoteService IgnoresSpanName IgnoresLastTerm IgnoresMinDuration
    IgnoresMaxDuration IgnoresLinkWindow DoublesRed IgnoresRedWindow CutsAtNul WritesInHalves AcceptsStalePosition ForgetsPosition
    KeepsSpansOfStaleBatch IgnoresBudget LeavesNamesUnsorted AnswersBeforeItWrites SkipsInScan
}

type Source = (String, String, i32);

#[derive(Debug)]
pub(super) struct Broken {
    inner: Arc<MemoryStorage>,
    fault: Option<Fault>,
    positions: Mutex<HashMap<Source, SourcePosition>>,
    writes: AtomicU64,
}

impl Broken {
    pub(super) fn new(inner: MemoryStorage, fault: Option<Fault>) -> Self {
        Self { inner: Arc::new(inner), fault, positions: Mutex::default(), writes: AtomicU64::new(0) }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn write_one(&self, batch: &Batch) -> Result<Stored, StorageError> {
        let mut positions = self.positions.lock().await;
        if let Some(position) = &batch.position {
            let source = (position.group.clone(), position.topic.clone(), position.partition);
            let is_stale = positions.get(&source).is_some_and(|stored| stored.next != position.from);
            if is_stale && !self.has(Fault::AcceptsStalePosition) {
                if self.has(Fault::KeepsSpansOfStaleBatch) {
                    self.write_spans(batch.spans.clone()).await?;
                }
                return Err(StorageError::new(ErrorKind::StalePosition, "broken", "write", "stale"));
            }
            if !self.has(Fault::ForgetsPosition) {
                positions.insert(source, position.clone());
            }
        }
        let taken = Stored { spans: batch.spans.len() };
        match self.fault {
            Some(Fault::DropsSpans) => {
                self.write_spans(batch.spans.slice(0, batch.spans.len().saturating_sub(1))).await?;
            }
            Some(Fault::WritesInHalves) => {
                let middle = batch.spans.len() / 2;
                self.write_spans(batch.spans.slice(0, middle)).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.write_spans(batch.spans.slice(middle, batch.spans.len())).await?;
            }
            Some(Fault::CutsAtNul) => {
                let mut spans = batch.spans.to_spans();
                spans.iter_mut().flat_map(|span| &mut span.tags).for_each(|tag| {
                    tag.1 = tag.1.split('\0').next().unwrap().to_owned();
                });
                self.write_spans(spans.iter().collect()).await?;
            }
            Some(Fault::AnswersBeforeItWrites) => {
                let (inner, batch) = (self.inner.clone(), batch.spans.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    inner.write(&[Batch { spans: batch, position: None }]).await;
                });
            }
            _ => self.write_spans(batch.spans.clone()).await?,
        }
        Ok(taken)
    }

    async fn write_spans(&self, spans: SpanBatch) -> Result<(), StorageError> {
        let results = self.inner.write(&[Batch { spans, position: None }]).await;
        results.into_iter().try_for_each(|result| result.map(drop))
    }

    fn bent(&self, request: &QueryRequest) -> QueryRequest {
        let mut bent = request.clone();
        match self.fault {
            Some(Fault::IgnoresLimit) => bent.limit = usize::MAX,
            Some(Fault::IgnoresLookback) => bent.lookback_ms = bent.end_ts_ms,
            Some(Fault::IgnoresEnd) => {
                bent.lookback_ms = bent.lookback_ms.saturating_add(i64::MAX / 2_000 - bent.end_ts_ms);
                bent.end_ts_ms = i64::MAX / 2_000;
            }
            Some(Fault::IgnoresService) => bent.service_name = None,
            Some(Fault::IgnoresRemoteService) => bent.remote_service_name = None,
            Some(Fault::IgnoresSpanName) => bent.span_name = None,
            Some(Fault::IgnoresLastTerm) => drop(bent.annotation_query.pop()),
            Some(Fault::IgnoresMinDuration) => bent.min_duration_us = bent.max_duration_us.map(|_| 0),
            Some(Fault::IgnoresMaxDuration) => bent.max_duration_us = None,
            _ => {}
        }
        bent
    }

    fn bent_budget(&self, budget: &QueryBudget) -> QueryBudget {
        if self.has(Fault::IgnoresBudget) { QueryBudget::unlimited() } else { budget.clone() }
    }

    fn bent_traces(&self, mut traces: Vec<SpanBatch>) -> Vec<SpanBatch> {
        for trace in &mut traces {
            let spans: Vec<Span> = trace.to_spans();
            if self.has(Fault::DoublesSpans) {
                *trace = spans.iter().chain(spans.last()).collect();
            }
            if self.has(Fault::ReordersSpans) {
                *trace = spans.iter().rev().collect();
            }
        }
        if self.has(Fault::ReordersTraces) {
            traces.reverse();
        }
        traces
    }

    fn bent_names(&self, mut names: Vec<String>) -> Vec<String> {
        if self.has(Fault::LeavesNamesUnsorted) {
            names.sort();
        }
        names
    }
}

#[async_trait]
impl SpanConsumer for Broken {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut results = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            if at == 1 && self.has(Fault::DropsSecondBatch) {
                results.push(Ok(Stored { spans: batch.spans.len() }));
            } else {
                results.push(self.write_one(batch).await);
            }
        }
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        Ok(self.positions.lock().await.get(&(group.to_owned(), topic.to_owned(), partition)).cloned())
    }
}

#[async_trait]
impl SpanStore for Broken {
    async fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let found = self.inner.search(&self.bent(request), &self.bent_budget(budget)).await?;
        Ok(self.bent_traces(found))
    }

    async fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(self.bent_traces(self.inner.traces(ids, &self.bent_budget(budget)).await?))
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.bent_names(self.inner.service_names().await?))
    }

    async fn span_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.bent_names(self.inner.span_names(service_name).await?))
    }

    async fn remote_service_names(&self, service_name: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.bent_names(self.inner.remote_service_names(service_name).await?))
    }

    async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.bent_names(self.inner.autocomplete_values(key).await?))
    }

    async fn dependencies(
        &self,
        end_ts_ms: i64,
        lookback_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let lookback_ms = if self.has(Fault::IgnoresLinkWindow) { end_ts_ms } else { lookback_ms };
        let mut links = self.inner.dependencies(end_ts_ms, lookback_ms, &self.bent_budget(budget)).await?;
        if self.has(Fault::ReordersLinks) {
            links.reverse();
        }
        if self.has(Fault::DoublesLinks) {
            // As a view would that counts each write of a span again.
            let again = self.writes.load(Ordering::Relaxed).saturating_sub(1);
            links.iter_mut().for_each(|link| link.call_count += again);
        }
        Ok(links)
    }

    async fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let mut bent = request.clone();
        if self.has(Fault::IgnoresRedWindow) {
            (bent.start_minute, bent.step_minutes) = (0, bent.end_minute);
        }
        let mut red = self.inner.red(&bent, &self.bent_budget(budget)).await?;
        if self.has(Fault::DoublesRed) {
            let again = self.writes.load(Ordering::Relaxed).saturating_sub(1);
            red.series.iter_mut().flat_map(|series| &mut series.steps).for_each(|(_, red)| red.calls += again);
        }
        Ok(red)
    }

    async fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let mut page = self.inner.scan(request).await?;
        if self.has(Fault::SkipsInScan) && request.after.is_some() {
            page.traces.pop();
        }
        Ok(page)
    }
}

#[async_trait]
impl StorageBackend for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn health_name(&self) -> String {
        "Broken{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { source_positions: true, ..self.inner.capabilities() }
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.inner.check().await
    }

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
