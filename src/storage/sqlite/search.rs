//! Traces that match, newest first, without reading more than the answer needs.
//!
//! Zipkin orders traces by their newest span inside the window, whatever service it belongs to, and asks of the asked service
//! only that the trace has it somewhere. So two lists are walked from the window's end backwards:
//!
//! * *postings* of the service (of all fragments, when no service is asked), which carry the newest time of one fragment.
//!   All fragments of an ordinary trace lie within [`EXTENT_MAX_MS`] of each other and are no longer than that, so a trace that
//!   is not met down to a posting at `t` has no span after `t + EXTENT_MAX_MS`;
//! * *wide traces*, for which that is not true, with the newest time of the whole trace.
//!
//! What is met becomes a candidate with the newest time its trace can have inside the window. A candidate whose time is later
//! than anything still unmet can have is next: it is loaded, tested and goes into the answer, until that is full.

use std::collections::{BinaryHeap, HashSet};

use sqlx::Row;

use super::error::during;
use super::rows::service_number;
use super::snapshot::{Snapshot, newest_key_ms};
use super::writer::EXTENT_MAX_MS;
use crate::model::search::Selection;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::StorageError;

/// Index rows of the first step, and of the largest.
const STEP_ROWS: (i64, i64) = (64, 2_048);
/// Traces loaded at once, at most.
const LOAD_TRACES_MAX: usize = 256;

/// A trace that may belong into the answer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Newest key inside the window; until the spans are loaded only an upper bound when the trace goes beyond it.
    newest_ms: i64,
    /// Ties: the higher low half first.
    low: u64,
}

/// One of the two lists.
struct Walk {
    sql: &'static str,
    service: i64,
    /// What was read last.
    cursor: (i64, i64),
    /// Where the list ends.
    floor_ms: i64,
    /// How much later than the cursor an unmet trace can be.
    slack_ms: i64,
    step_rows: i64,
    is_exhausted: bool,
}

const POSTINGS: &str = "SELECT p.max_ms, p.trace_low, (SELECT max(f.max_ms) FROM fragment AS f WHERE f.trace_low = p.trace_low) \
    FROM posting AS p WHERE p.service = ?1 AND (p.max_ms, p.trace_low) < (?2, ?3) AND p.max_ms >= ?4 AND ?5 = ?5 \
    ORDER BY p.max_ms DESC, p.trace_low DESC LIMIT ?6";
const FRAGMENTS: &str = "SELECT n.max_ms, n.trace_low, (SELECT max(f.max_ms) FROM fragment AS f WHERE f.trace_low = n.trace_low) \
    FROM fragment AS n INDEXED BY fragment_time WHERE ?1 = ?1 AND (n.max_ms, n.trace_low) < (?2, ?3) AND n.max_ms >= ?4 AND ?5 = ?5 \
    ORDER BY n.max_ms DESC, n.trace_low DESC LIMIT ?6";
const WIDE: &str = "SELECT max_ms, trace_low, max_ms FROM wide_trace INDEXED BY wide_trace_time \
    WHERE ?1 = ?1 AND (max_ms, trace_low) < (?2, ?3) AND max_ms >= ?4 AND min_ms <= ?5 \
    ORDER BY max_ms DESC, trace_low DESC LIMIT ?6";

impl Walk {
    fn postings(request: &QueryRequest) -> Self {
        let service = request.service_name.as_deref().map(service_number);
        Self {
            sql: if service.is_some() { POSTINGS } else { FRAGMENTS },
            service: service.unwrap_or_default(),
            cursor: (request.end_ts_ms.saturating_add(2 * EXTENT_MAX_MS), i64::MAX),
            floor_ms: request.start_ts_ms().saturating_sub(EXTENT_MAX_MS).max(0),
            slack_ms: EXTENT_MAX_MS,
            step_rows: STEP_ROWS.0,
            is_exhausted: false,
        }
    }

    fn wide(request: &QueryRequest) -> Self {
        Self {
            sql: WIDE,
            service: 0,
            cursor: (i64::MAX, i64::MAX),
            floor_ms: request.start_ts_ms().max(0),
            slack_ms: 0,
            step_rows: STEP_ROWS.0,
            is_exhausted: false,
        }
    }

    /// The newest key that a trace which this list has not shown yet can have.
    fn bound_ms(&self) -> i64 {
        if self.is_exhausted { i64::MIN } else { self.cursor.0.saturating_add(self.slack_ms) }
    }

    /// Reads on; gives (low half, newest time) of what is met.
    async fn step(&mut self, snapshot: &mut Snapshot, end_ms: i64) -> Result<Vec<(u64, i64)>, StorageError> {
        snapshot.spend(0)?;
        let rows = sqlx::query(self.sql)
            .bind(self.service)
            .bind(self.cursor.0)
            .bind(self.cursor.1)
            .bind(self.floor_ms)
            .bind(end_ms)
            .bind(self.step_rows)
            .fetch_all(snapshot.connection())
            .await
            .map_err(during("search"))?;
        self.is_exhausted = (rows.len() as i64) < self.step_rows;
        self.step_rows = (self.step_rows * 2).min(STEP_ROWS.1);
        let mut met = Vec::with_capacity(rows.len());
        for row in rows {
            let read = |index: usize| row.try_get::<i64, _>(index).map_err(during("search"));
            self.cursor = (read(0)?, read(1)?);
            // Retention may have taken the fragments and not yet what points to them.
            let newest_ms: Option<i64> = row.try_get(2).map_err(during("search"))?;
            met.extend(newest_ms.map(|newest_ms| (self.cursor.1 as u64, newest_ms)));
        }
        Ok(met)
    }
}

/// A search under way.
pub(super) struct Search<'q> {
    request: &'q QueryRequest,
    selection: Selection<'q>,
    walks: [Walk; 2],
    met: HashSet<u64>,
    candidates: BinaryHeap<Candidate>,
    /// Loaded before their turn came.
    loaded: std::collections::HashMap<u64, SpanBatch>,
    load_traces: usize,
}

impl<'q> Search<'q> {
    pub(super) fn new(request: &'q QueryRequest, strict_trace_id: bool) -> Self {
        Self {
            request,
            selection: Selection::new(request, strict_trace_id),
            walks: [Walk::postings(request), Walk::wide(request)],
            met: HashSet::new(),
            candidates: BinaryHeap::new(),
            loaded: std::collections::HashMap::new(),
            load_traces: request.limit.clamp(1, LOAD_TRACES_MAX),
        }
    }

    pub(super) async fn run(mut self, snapshot: &mut Snapshot) -> Result<Vec<SpanBatch>, StorageError> {
        while !self.selection.is_full() {
            let bound_ms = self.walks.iter().map(Walk::bound_ms).max().unwrap_or(i64::MIN);
            let is_next = self.candidates.peek().is_some_and(|top| top.newest_ms > bound_ms);
            if is_next {
                self.take(bound_ms, snapshot).await?;
            } else if self.walks.iter().all(|walk| walk.is_exhausted) {
                break;
            } else {
                self.walk_on(snapshot).await?;
            }
        }
        Ok(self.selection.into_traces())
    }

    /// A step of the list that can still show the latest trace.
    async fn walk_on(&mut self, snapshot: &mut Snapshot) -> Result<(), StorageError> {
        let walk = usize::from(self.walks[1].bound_ms() > self.walks[0].bound_ms());
        let met = self.walks[walk].step(snapshot, self.request.end_ts_ms).await?;
        for (low, trace_newest_ms) in met {
            let newest_ms = trace_newest_ms.min(self.request.end_ts_ms);
            if newest_ms >= self.request.start_ts_ms() && self.met.insert(low) {
                self.candidates.push(Candidate { newest_ms, low });
            }
        }
        Ok(())
    }

    /// Loads and offers candidates that nothing unmet can come before.
    async fn take(&mut self, bound_ms: i64, snapshot: &mut Snapshot) -> Result<(), StorageError> {
        let mut group = Vec::new();
        while group.len() < self.load_traces && self.candidates.peek().is_some_and(|top| top.newest_ms > bound_ms) {
            group.extend(self.candidates.pop());
        }
        let missing: Vec<u64> =
            group.iter().map(|candidate| candidate.low).filter(|low| !self.loaded.contains_key(low)).collect();
        if !missing.is_empty() {
            self.loaded.extend(snapshot.load(&missing).await?);
            self.load_traces = (self.load_traces * 2).min(LOAD_TRACES_MAX);
        }
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        let mut was_exact = true;
        for candidate in group {
            // Spans that go beyond the window hide where the trace stands inside it: it waits for its turn again.
            let newest_ms = self.loaded.get(&candidate.low).and_then(|spans| newest_key_ms(spans, start_ms, end_ms));
            let Some(newest_ms) = newest_ms else {
                self.loaded.remove(&candidate.low);
                continue;
            };
            was_exact &= newest_ms == candidate.newest_ms;
            if !was_exact {
                self.candidates.push(Candidate { newest_ms, low: candidate.low });
            } else if let Some(spans) = self.loaded.remove(&candidate.low) {
                self.selection.offer(spans);
            }
        }
        Ok(())
    }
}
