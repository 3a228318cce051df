//! Putting traces together from their fragments, within a query's budget.

use std::collections::{HashMap, HashSet};

use super::engine::{Snapshot, StoredFragment, StoredTally, TimeRow, TimeStep, TraceSize, UnsettledWrite};
use super::fragment;
use super::lists::{ServiceTraces, list_steps};
use crate::model::{SpanBatch, arrival_order};
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// Traces loaded at once, at most.
pub(super) const LOAD_TRACES_MAX: usize = 256;

/// Lists of a term, and traces of these: a term with more is common.
const LISTS_OF_TERM_MAX: usize = 8_192;
const TRACES_OF_TERM_MAX: usize = 1_000_000;

/// One state of the tables, and what the query may still cost.
pub(super) struct Reader {
    snapshot: Box<dyn Snapshot>,
    budget: QueryBudget,
    backend: &'static str,
}

impl Reader {
    pub(super) fn new(snapshot: Box<dyn Snapshot>, budget: &QueryBudget, backend: &'static str) -> Self {
        Self { snapshot, budget: budget.clone(), backend }
    }

    fn spend(&self, spans: usize) -> Result<(), StorageError> {
        self.budget.spend(self.backend, spans)
    }

    /// The spans of each trace (by the low half of its id) in zipkin's order. Traces that do not exist are left out.
    pub(super) async fn load(&mut self, lows: &[i64]) -> Result<HashMap<i64, SpanBatch>, StorageError> {
        let traces = self.load_with_arrival(lows).await?;
        Ok(traces.into_iter().map(|(low, (_, spans))| (low, spans)).collect())
    }

    /// As [`Self::load`], with the number of the first write that brought any of it.
    pub(super) async fn load_with_arrival(
        &mut self,
        lows: &[i64],
    ) -> Result<HashMap<i64, (i64, SpanBatch)>, StorageError> {
        self.spend(0)?;
        let mut fragments = self.snapshot.fragments(lows).await?;
        // What is left are ties of two processes: their order is any, but always the same.
        fragments.sort_unstable_by(|left, right| {
            (left.trace_low, left.arrived, &left.spans).cmp(&(right.trace_low, right.arrived, &right.spans))
        });
        let mut traces = HashMap::with_capacity(lows.len());
        for trace in fragments.chunk_by(|left, right| left.trace_low == right.trace_low) {
            traces.insert(trace[0].trace_low, (trace[0].arrived, self.put_together(trace)?));
        }
        Ok(traces)
    }

    fn put_together(&self, trace: &[StoredFragment]) -> Result<SpanBatch, StorageError> {
        let mut spans = SpanBatch::new();
        let mut places = Vec::new();
        for write in trace.chunk_by(|left, right| left.arrived == right.arrived) {
            let (mut of_write, mut places_of_write) = (SpanBatch::new(), Vec::new());
            for stored in write {
                fragment::decode(&stored.spans, &mut of_write, &mut places_of_write).map_err(|error| {
                    let reason = format!("a fragment of the trace {:016x} {error}", stored.trace_low);
                    StorageError::new(ErrorKind::Corrupt, self.backend, "read spans", reason)
                })?;
            }
            self.spend(of_write.len())?;
            if places_of_write.is_sorted() {
                spans.append(&of_write);
                continue;
            }
            places.clear();
            places.extend(places_of_write.into_iter().zip(0_usize..));
            places.sort_unstable();
            places.iter().for_each(|(_, index)| spans.push_record(of_write.record(*index)));
        }
        Ok(arrival_order(spans))
    }

    pub(super) async fn newest(&mut self, step: TimeStep) -> Result<Vec<TimeRow>, StorageError> {
        self.spend(0)?;
        self.snapshot.newest(step).await
    }

    /// Traces with spans of the service, at most `most` of them, in any order; may repeat.
    pub(super) async fn traces_of_service(&mut self, service: i32, most: usize) -> Result<Vec<i64>, StorageError> {
        let mut lows = Vec::new();
        for lists_max in list_steps(most) {
            self.spend(0)?;
            let lists = self.snapshot.lists_of_service(service, lists_max as i64).await?;
            lows.clear();
            lows.extend(lists.iter().flat_map(|list| ServiceTraces::read(list)).take(most));
            if lows.len() == most || lists.len() < lists_max {
                break;
            }
        }
        Ok(lows)
    }

    /// All traces that may have spans with the term, of the service if there is one; `None` when it is common, or older rows do
    /// not tell: a version before listed neither terms nor spans without a service.
    pub(super) async fn traces_with_term(
        &mut self,
        service: Option<i32>,
        term: u32,
    ) -> Result<Option<HashSet<i64>>, StorageError> {
        self.spend(0)?;
        let lists = self.snapshot.lists_with_term(service, term, LISTS_OF_TERM_MAX as i64 + 1).await?;
        let is_told = service.is_some() || lists.iter().all(|list| list.has_terms);
        let traces: usize = lists.iter().map(|list| list.traces.len() / 8).sum();
        let is_common = lists.len() > LISTS_OF_TERM_MAX || traces > TRACES_OF_TERM_MAX;
        let lows = || lists.iter().flat_map(|list| ServiceTraces::read(&list.traces)).collect();
        Ok((is_told && !is_common).then(lows))
    }

    pub(super) async fn with_service(&mut self, lows: &[i64], bit: i64) -> Result<Vec<i64>, StorageError> {
        self.spend(0)?;
        self.snapshot.with_service(lows, bit).await
    }

    pub(super) async fn has_untold_writes(&mut self) -> Result<bool, StorageError> {
        self.spend(0)?;
        self.snapshot.has_untold_writes().await
    }

    pub(super) async fn last_tally(&mut self) -> Result<i64, StorageError> {
        self.snapshot.last_tally().await
    }

    pub(super) async fn unsettled_size(&mut self, rows: i64) -> Result<(i64, i64), StorageError> {
        self.spend(0)?;
        self.snapshot.unsettled_size(rows).await
    }

    pub(super) async fn unsettled(&mut self, arrived: i64, rows: i64) -> Result<Vec<UnsettledWrite>, StorageError> {
        self.spend(0)?;
        self.snapshot.unsettled(arrived, rows).await
    }

    pub(super) async fn tallies(
        &mut self,
        below: i64,
        start_ms: i64,
        end_ms: i64,
        rows: i64,
    ) -> Result<Vec<StoredTally>, StorageError> {
        self.spend(0)?;
        self.snapshot.tallies(below, start_ms, end_ms, rows).await
    }

    pub(super) async fn traces_from(
        &mut self,
        from: i64,
        window_ms: Option<(i64, i64)>,
        rows: i64,
    ) -> Result<Vec<i64>, StorageError> {
        self.snapshot.traces_from(from, window_ms, rows).await
    }

    pub(super) async fn times(
        &mut self,
        lows: &[i64],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<TimeRow>, StorageError> {
        self.spend(0)?;
        self.snapshot.times(lows, start_ms, end_ms).await
    }

    pub(super) async fn sizes(&mut self, lows: &[i64]) -> Result<Vec<TraceSize>, StorageError> {
        self.spend(0)?;
        self.snapshot.sizes(lows).await
    }
}

/// Newest key (millisecond of a span, 0 without timestamp) of a trace inside a window.
pub(super) fn newest_key_ms(spans: &SpanBatch, start_ms: i64, end_ms: i64) -> Option<i64> {
    spans.iter().map(|span| span.timestamp_ms()).filter(|ms| (start_ms..=end_ms).contains(ms)).max()
}
