//! What an engine does for the shared store: its statements.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;

use super::names::Kind;
use super::rows::Rows;
use super::tally::TallyRow;
use crate::storage::{SourcePosition, StorageError};

/// Connections that writes leave to readers and health checks when there are as many writes as possible.
pub(in crate::storage) const CONNECTIONS_OF_READERS: usize = 2;

/// Why nothing of a transaction was stored.
#[derive(Debug)]
pub(in crate::storage) enum WriteFailure {
    /// These positions (by index) are behind the stored ones.
    Stale(Vec<usize>),
    Engine(StorageError),
}

/// Spans of a trace as they are stored.
#[derive(Debug)]
pub(in crate::storage) struct StoredFragment {
    pub(in crate::storage) trace_low: i64,
    /// Which write it came with: fragments of a trace in order of arrival.
    pub(in crate::storage) arrived: i64,
    pub(in crate::storage) spans: Vec<u8>,
}

/// Traces that may have spans with a term.
#[derive(Debug)]
pub(in crate::storage) struct TermList {
    /// As in [`ServiceTraces`](super::lists::ServiceTraces).
    pub(in crate::storage) traces: Vec<u8>,
    /// False: written by a version that kept no terms.
    pub(in crate::storage) has_terms: bool,
}

/// A write whose traces may be in no tally, or in one that lacks what the write brought.
#[derive(Debug)]
pub(in crate::storage) struct UnsettledWrite {
    pub(in crate::storage) id: i64,
    /// Low halves of trace ids, 8 bytes each, high byte first.
    pub(in crate::storage) traces: Vec<u8>,
}

/// A value of calls, as [`Tally`](super::tally::Tally) reads it.
#[derive(Debug)]
pub(in crate::storage) struct StoredTally {
    /// Later ones have higher numbers.
    pub(in crate::storage) number: i64,
    pub(in crate::storage) max_ms: i64,
    pub(in crate::storage) calls: Vec<u8>,
}

/// When spans of a trace started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TimeRow {
    pub(in crate::storage) max_ms: i64,
    pub(in crate::storage) trace_low: i64,
}

/// How much there is of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TraceSize {
    pub(in crate::storage) trace_low: i64,
    pub(in crate::storage) fragments: i64,
    /// Times of its oldest and newest span with a timestamp; 0 without any.
    pub(in crate::storage) min_ms: i64,
    pub(in crate::storage) max_ms: i64,
}

/// A stretch of time that is walked from its end backwards.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct TimeStep {
    /// Rows before (`max_ms`, `trace_low`), newest first.
    pub(in crate::storage) before: (i64, i64),
    /// Oldest `max_ms` that is asked for.
    pub(in crate::storage) floor_ms: i64,
    /// Newest `min_ms` that is asked for.
    pub(in crate::storage) end_ms: i64,
    /// Most rows.
    pub(in crate::storage) rows: i64,
}

/// A database server with tables of the shared layout.
#[async_trait]
pub(in crate::storage) trait Engine: Debug + Send + Sync + 'static {
    /// Label of metrics, logs and errors.
    fn name(&self) -> &'static str;

    /// Name of the component in `/health`.
    fn health_name(&self) -> String;

    /// How many writes it serves well at once.
    fn concurrent_writes(&self) -> usize;

    /// How many it can serve at all, beside readers.
    fn concurrent_writes_max(&self) -> usize;

    /// Stores rows and positions in one transaction: positions first, each by compare-and-set. `arrived` numbers the write.
    async fn store(&self, rows: &Rows, positions: &[&SourcePosition], arrived: i64) -> Result<(), WriteFailure>;

    /// The stored position of a source.
    async fn position(&self, group: &str, topic: &str, partition: i32) -> Result<Option<SourcePosition>, StorageError>;

    /// A list of names, in any order.
    async fn list(&self, kind: Kind, owner: &str, max: usize) -> Result<Vec<String>, StorageError>;

    /// One state of the tables, for the length of one answer.
    async fn begin(&self) -> Result<Box<dyn Snapshot>, StorageError>;

    /// Whether it answers and can be written to.
    async fn check(&self) -> Result<(), StorageError>;

    /// Takes or renews a lease; false when another process has it.
    async fn lease(&self, name: &'static str, time: Duration) -> Result<bool, StorageError>;

    /// Times whose spans go with their day or time, by nothing else.
    fn firm_ms(&self) -> Range<i64>;

    /// From when on spans that go with their day or time stay, or go together with their tallies.
    fn kept_from_ms(&self) -> i64;

    /// Puts tallies in the place of unsettled writes, numbered from `last` on, in one transaction; false when the writes were not all
    /// there any more, or `last` is not the last one: nothing was changed then.
    async fn settle(&self, writes: &[i64], tallies: &[TallyRow], last: i64) -> Result<bool, StorageError>;

    /// Retention and what else is due.
    async fn maintain(&self) -> Result<(), StorageError>;

    /// Ends all connections.
    async fn close(&self);
}

/// Statements that read, all of the same state.
#[async_trait]
pub(in crate::storage) trait Snapshot: Send {
    /// All fragments of these traces, in any order.
    async fn fragments(&mut self, lows: &[i64]) -> Result<Vec<StoredFragment>, StorageError>;

    /// Fragments by their newest span, newest first.
    async fn newest(&mut self, step: TimeStep) -> Result<Vec<TimeRow>, StorageError>;

    /// At most `lists` of the lists of traces with spans of the service, in any order.
    async fn lists_of_service(&mut self, service: i32, lists: i64) -> Result<Vec<Vec<u8>>, StorageError>;

    /// At most `lists` of the lists that have the term, or know no terms, in any order; with a service those of its spans.
    async fn lists_with_term(
        &mut self,
        service: Option<i32>,
        term: u32,
        lists: i64,
    ) -> Result<Vec<TermList>, StorageError>;

    /// Which of these traces may have spans of the service with that bit.
    async fn with_service(&mut self, lows: &[i64], bit: i64) -> Result<Vec<i64>, StorageError>;

    /// Whether a version that names no unsettled traces wrote here.
    async fn has_untold_writes(&mut self) -> Result<bool, StorageError>;

    /// Number of the last tally; 0 without any.
    async fn last_tally(&mut self) -> Result<i64, StorageError>;

    /// How many unsettled writes there are, and bytes of their lists: of `rows` of them, at most.
    async fn unsettled_size(&mut self, rows: i64) -> Result<(i64, i64), StorageError>;

    /// At most `rows` unsettled writes that arrived before `arrived`, the oldest first.
    async fn unsettled(&mut self, arrived: i64, rows: i64) -> Result<Vec<UnsettledWrite>, StorageError>;

    /// Tallies below a number with spans in the window, the highest numbers first, at most `rows`.
    async fn tallies(
        &mut self,
        below: i64,
        start_ms: i64,
        end_ms: i64,
        rows: i64,
    ) -> Result<Vec<StoredTally>, StorageError>;

    /// Newest time of each of these traces among fragments that reach into `start_ms..=end_ms`; may repeat a trace.
    async fn times(&mut self, lows: &[i64], start_ms: i64, end_ms: i64) -> Result<Vec<TimeRow>, StorageError>;

    /// How much there is of each of these traces, in any order, without reading spans.
    async fn sizes(&mut self, lows: &[i64]) -> Result<Vec<TraceSize>, StorageError>;

    /// Traces from `from` on, ascending, each once, at most `rows`; with a window only those with fragments that reach into it.
    async fn traces_from(
        &mut self,
        from: i64,
        window_ms: Option<(i64, i64)>,
        rows: i64,
    ) -> Result<Vec<i64>, StorageError>;
}
