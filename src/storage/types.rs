//! What goes into a store and what a query may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::{ErrorKind, StorageError};
use crate::model::{SpanBatch, TraceId};

/// Spans that are written whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The spans; may be empty when only a position moves.
    pub spans: SpanBatch,
    /// Where they came from, for transports that can read again.
    pub position: Option<SourcePosition>,
}

/// How far a source has been stored. Written in the transaction of its spans by compare-and-set: the stored `next`
/// must equal `from` (or nothing be stored), else the batch is refused with [`ErrorKind::StalePosition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePosition {
    /// Consumer group.
    pub group: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First offset of the batch.
    pub from: i64,
    /// The offset after its last message.
    pub next: i64,
    /// Time of its last message, epoch milliseconds: tells a topic that was made anew.
    pub last_message_ms: i64,
    /// Checksum of its last message.
    pub last_message_checksum: u64,
}

/// What a successful write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Spans taken, the ones that were there before included.
    pub spans: usize,
}

/// The part of what a store may hold that pinned traces may take: a hundredth.
pub const PINS_PART: usize = 100;

/// A trace that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedTrace {
    /// The id it was pinned by.
    pub trace_id: TraceId,
    /// Spans that were copied.
    pub spans: usize,
    /// Bytes of their records.
    pub bytes: usize,
}

/// A change that brings a schema to this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What it is, in a few words.
    pub name: String,
    /// Its statements.
    pub sql: String,
}

/// What a backend can do. `Default` is the least able backend, so a new field never over-promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Keeps spans at all.
    pub stores_spans: bool,
    /// Acknowledged spans survive the end of the process and loss of power.
    pub durable: bool,
    /// Commits source positions with the spans.
    pub source_positions: bool,
    /// Spans that are equal in every field are kept once, any difference keeps both (zipkin's memory store). False: a
    /// coarser, foreign schema.
    pub exact_duplicates: bool,
    /// Tells rate, errors and durations per minute ([`SpanStore::red`](super::SpanStore::red)).
    pub red: bool,
    /// Keeps traces that are pinned ([`StorageBackend::pin`](super::StorageBackend::pin)).
    pub pins: bool,
    /// Can be read from end to end ([`SpanStore::scan`](super::SpanStore::scan)).
    pub scans: bool,
    /// How many `write` calls it serves well at once; 1 = one writer that likes many batches in one call. 0 counts as 1.
    pub concurrent_writes: usize,
    /// Most `write` calls at once that it can serve at all (connections, say); 0: no more than it serves well.
    pub concurrent_writes_max: usize,
}

impl Capabilities {
    /// Most `write` calls at once; 1 at least.
    #[must_use]
    pub fn writes_max(&self) -> usize {
        self.concurrent_writes_max.max(self.concurrent_writes).max(1)
    }
}

/// Settings all backends share (zipkin's `STRICT_TRACE_ID`, `SEARCH_ENABLED`, `AUTOCOMPLETE_KEYS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// Traces are spans of exactly equal ids; false: of equal low 64 bits.
    pub strict_trace_id: bool,
    /// Keep the indexes that searches and name lists need. False: those answers are empty.
    pub search_enabled: bool,
    /// Tag keys whose values are listed.
    pub autocomplete_keys: Vec<String>,
    /// Most distinct services that are listed; spans of others are stored and found all the same.
    pub service_names_max: usize,
    /// Most distinct span names, and remote names, listed of one service.
    pub names_per_service_max: usize,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            strict_trace_id: true,
            search_enabled: true,
            autocomplete_keys: Vec::new(),
            service_names_max: 10_000,
            names_per_service_max: 1_000,
        }
    }
}

/// What one query may cost. A backend asks [`QueryBudget::spend`] as it reads and stops at the first error.
///
/// Cheap to clone; clones share the budget. [`QueryBudget::cancel`] is for a client that went away.
#[derive(Clone, Debug)]
pub struct QueryBudget {
    inner: Arc<BudgetInner>,
}

#[derive(Debug)]
struct BudgetInner {
    deadline: Option<Instant>,
    spans_max: u64,
    spans_read: AtomicU64,
    cancelled: AtomicBool,
}

impl QueryBudget {
    /// Ends at `deadline` and after `spans_max` spans read.
    #[must_use]
    pub fn new(deadline: Option<Instant>, spans_max: u64) -> Self {
        let inner =
            BudgetInner { deadline, spans_max, spans_read: AtomicU64::new(0), cancelled: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// Never ends: for tests and tools.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(None, u64::MAX)
    }

    /// Tells work on other threads to stop at its next [`QueryBudget::spend`].
    pub fn cancel(&self) {
        self.inner.cancelled.store(true, Ordering::Relaxed);
    }

    /// Counts `spans` as read (0 only looks at the clock).
    ///
    /// # Errors
    /// [`ErrorKind::Deadline`] after the deadline or a cancel, [`ErrorKind::Exhausted`] beyond `spans_max`.
    pub fn spend(&self, backend: &'static str, spans: usize) -> Result<(), StorageError> {
        let inner = &self.inner;
        let read = inner.spans_read.fetch_add(spans as u64, Ordering::Relaxed) + spans as u64;
        if read > inner.spans_max {
            let reason = format!("the query reads more than {} spans", inner.spans_max);
            return Err(StorageError::new(ErrorKind::Exhausted, backend, "query", reason));
        }
        let late = inner.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late || inner.cancelled.load(Ordering::Relaxed) {
            return Err(StorageError::new(ErrorKind::Deadline, backend, "query", "the query's time is over"));
        }
        Ok(())
    }
}
