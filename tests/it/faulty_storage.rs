//! A store that is slow, fails, hangs, panics or refuses marked spans, as a test tells it.

#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use zipkind::model::{DependencyLink, QueryRequest, SpanBatch, SpanBuilder, SpanId, TraceId};
use zipkind::storage::{
    Batch, Capabilities, ErrorKind, QueryBudget, SourcePosition, SpanConsumer, SpanStore, StorageBackend, StorageError,
    Stored,
};

/// Spans with this tag are refused for good, with the batch they are in.
pub(crate) const POISON: &str = "poison";

/// What the store does with the next writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes everything at once.
    Well,
    /// Takes everything after some time.
    Slow(Duration),
    /// Takes everything and says that it is not there.
    Lying,
    /// Is not there.
    Failing,
    /// Never answers; goes on when the mood changes.
    Hanging,
    /// Holds each write that begins now until it is let go, whatever the mood becomes.
    Holding,
    /// Ends in a panic.
    Panicking,
    /// Forgets a result.
    Miscounting,
}

/// One call of `write`: the number of spans of each batch.
pub(crate) type Call = Vec<usize>;

#[derive(Debug)]
pub(crate) struct FaultyStorage {
    mood: watch::Sender<Mood>,
    concurrent_writes: usize,
    writing: AtomicUsize,
    writing_most: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    stored: Mutex<Vec<(TraceId, SpanId)>>,
    positions: Mutex<HashMap<(String, String, i32), SourcePosition>>,
    let_go: watch::Sender<bool>,
    /// Partitions of batches that are held.
    held: Mutex<BTreeSet<i32>>,
    stale: AtomicUsize,
}

impl FaultyStorage {
    pub(crate) fn new(mood: Mood, concurrent_writes: usize) -> Self {
        Self {
            mood: watch::Sender::new(mood),
            concurrent_writes,
            writing: AtomicUsize::new(0),
            writing_most: AtomicUsize::new(0),
            calls: Mutex::default(),
            stored: Mutex::default(),
            positions: Mutex::default(),
            let_go: watch::Sender::new(false),
            held: Mutex::default(),
            stale: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Ends the waiting of writes that are held.
    pub(crate) fn let_go(&self) {
        self.let_go.send_replace(true);
    }

    /// Partitions of which a batch is held.
    pub(crate) fn held(&self) -> BTreeSet<i32> {
        self.held.lock().clone()
    }

    /// Batches that were refused because their position was stale.
    pub(crate) fn stale(&self) -> usize {
        self.stale.load(Ordering::SeqCst)
    }

    /// Every span taken, in the order they were taken; one that was written twice stands there twice.
    pub(crate) fn stored(&self) -> Vec<(u64, u64)> {
        self.stored.lock().iter().map(|(trace, id)| (trace.low(), id.value())).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// Most writes that were under way at once.
    pub(crate) fn writing_most(&self) -> usize {
        self.writing_most.load(Ordering::SeqCst)
    }

    pub(crate) fn position(&self, partition: i32) -> Option<SourcePosition> {
        self.positions.lock().values().find(|position| position.partition == partition).cloned()
    }

    fn take(&self, batch: &Batch) -> Result<Stored, StorageError> {
        // Held to the end: two members may write at once.
        let mut positions = self.positions.lock();
        let key = |position: &SourcePosition| (position.group.clone(), position.topic.clone(), position.partition);
        if let Some(position) = &batch.position {
            let stored = positions.get(&key(position)).map(|stored| stored.next);
            if stored.is_some_and(|next| next != position.from) {
                self.stale.fetch_add(1, Ordering::SeqCst);
                return Err(error(ErrorKind::StalePosition, "stale"));
            }
        }
        if batch.spans.iter().any(|span| span.tags().any(|(key, _)| key == POISON)) {
            return Err(error(ErrorKind::Rejected, "poison"));
        }
        if let Some(position) = &batch.position {
            positions.insert(key(position), position.clone());
        }
        self.stored.lock().extend(batch.spans.iter().map(|span| (span.trace_id, span.id)));
        Ok(Stored { spans: batch.spans.len() })
    }
}

fn error(kind: ErrorKind, reason: &'static str) -> StorageError {
    StorageError::new(kind, "faulty", "write", reason)
}

struct Writing<'a>(&'a AtomicUsize);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SpanConsumer for FaultyStorage {
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let writing = self.writing.fetch_add(1, Ordering::SeqCst) + 1;
        let _writing = Writing(&self.writing);
        self.writing_most.fetch_max(writing, Ordering::SeqCst);
        self.calls.lock().push(batches.iter().map(|batch| batch.spans.len()).collect());
        let mut mood = self.mood.subscribe();
        let now = *mood.borrow_and_update();
        match now {
            Mood::Slow(time) => tokio::time::sleep(time).await,
            Mood::Hanging => {
                let _ = mood.wait_for(|mood| *mood != Mood::Hanging).await;
            }
            Mood::Holding => {
                let partitions = batches.iter().filter_map(|batch| Some(batch.position.as_ref()?.partition));
                self.held.lock().extend(partitions);
                let _ = self.let_go.subscribe().wait_for(|is_let_go| *is_let_go).await;
            }
            Mood::Panicking => panic!("the store has a bug"),
            Mood::Failing => return batches.iter().map(|_| Err(error(ErrorKind::Unavailable, "not there"))).collect(),
            Mood::Well | Mood::Miscounting | Mood::Lying => {}
        }
        let mut results: Vec<_> = batches.iter().map(|batch| self.take(batch)).collect();
        if now == Mood::Lying {
            results = batches.iter().map(|_| Err(error(ErrorKind::Unavailable, "not there"))).collect();
        }
        if now == Mood::Miscounting {
            results.pop();
        }
        results
    }

    async fn source_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, StorageError> {
        Ok(self.positions.lock().get(&(group.to_owned(), topic.to_owned(), partition)).cloned())
    }
}

/// Nothing is read back through queries here; tests look at [`FaultyStorage::stored`].
#[async_trait]
impl SpanStore for FaultyStorage {
    async fn search(&self, _: &QueryRequest, _: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn traces(&self, _: &[TraceId], _: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        Ok(Vec::new())
    }

    async fn service_names(&self) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn span_names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn remote_service_names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn autocomplete_values(&self, _: &str) -> Result<Vec<String>, StorageError> {
        Ok(Vec::new())
    }

    async fn dependencies(&self, _: i64, _: i64, _: &QueryBudget) -> Result<Vec<DependencyLink>, StorageError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl StorageBackend for FaultyStorage {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn health_name(&self) -> String {
        "FaultyStorage{}".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            stores_spans: true,
            source_positions: true,
            concurrent_writes: self.concurrent_writes,
            ..Capabilities::default()
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Spans `1..=count` of one trace.
pub(crate) fn message(trace: u64, count: u64) -> SpanBatch {
    spans(trace, count, false)
}

/// The same, with a last span that the store refuses.
pub(crate) fn poisoned_message(trace: u64, count: u64) -> SpanBatch {
    spans(trace, count, true)
}

fn spans(trace: u64, count: u64, poisoned: bool) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for id in 1..=count {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, trace).unwrap());
        builder.set_id(SpanId::new(id));
        builder.set_name("checkout");
        if poisoned && id == count {
            builder.add_tag(POISON, "");
        }
        builder.finish(&mut batch).unwrap();
    }
    batch
}
