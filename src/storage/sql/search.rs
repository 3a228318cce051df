//! Traces that match, newest first, without reading more than the answer needs.
//!
//! Zipkin orders traces by their newest span inside the window, whatever service it belongs to, and asks of the asked service
//! only that the trace has it somewhere, however far away. Two ways are exact without knowing how long traces are:
//!
//! * a rare service: all its traces, and their times;
//! * any other: all traces of the window, newest first, and which of them have the service. The more common the service,
//!   the sooner the answer is full.
//!
//! Tags and annotations are looked for in the spans of what is met. When many traces did not fill the answer, the terms of the lists
//! tell which others can have them at all: mostly few, and none when a term is nowhere.
//!
//! What is met becomes a candidate with the newest time its trace can have inside the window. A candidate whose time is later
//! than anything still unmet can have is next: it is loaded, tested and goes into the answer, until that is full.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::rows::{service_bit, service_number};
use super::terms;
use super::trace::{LOAD_TRACES_MAX, Reader, newest_key_ms};
use super::window::Walk;
use crate::model::search::Selection;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::StorageError;

/// A service with no more traces than this, and than `RARE_PER_TRACE` for each trace asked for, is rare.
const RARE_TRACES: usize = 2_000;
const RARE_PER_TRACE: usize = 20;
/// Traces of a rare service, at most.
const RARE_TRACES_MAX: usize = 50_000;
/// After so many traces that were read, the lists are asked which others can have the terms.
const NARROW_AFTER: usize = 256;
/// Terms that are asked for, at most: each can only leave less.
const NARROW_TERMS: usize = 4;
/// So many traces that may have the terms are looked up one by one, others are met on the walk.
const FEW_TRACES: usize = 20_000;

/// A trace that may belong into the answer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Newest key inside the window; until the spans are loaded only an upper bound when the trace goes beyond it.
    newest_ms: i64,
    /// Ties: the higher low half first.
    low: u64,
}

/// A search under way.
pub(super) struct Search<'q> {
    request: &'q QueryRequest,
    selection: Selection<'q>,
    walk: Walk,
    met: HashSet<i64>,
    candidates: BinaryHeap<Candidate>,
    /// Loaded before their turn came.
    loaded: HashMap<i64, SpanBatch>,
    load_traces: usize,
    /// How many traces were read.
    read: usize,
    has_narrowed: bool,
    /// Only these can have the terms.
    only: Option<HashSet<i64>>,
}

impl<'q> Search<'q> {
    pub(super) fn new(request: &'q QueryRequest, strict_trace_id: bool) -> Self {
        let rows = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_mul(2);
        Self {
            request,
            selection: Selection::new(request, strict_trace_id),
            walk: Walk::new(request.start_ts_ms(), request.end_ts_ms, rows),
            met: HashSet::new(),
            candidates: BinaryHeap::new(),
            loaded: HashMap::new(),
            load_traces: request.limit.clamp(1, LOAD_TRACES_MAX),
            read: 0,
            has_narrowed: request.annotation_query.is_empty(),
            only: None,
        }
    }

    pub(super) async fn run(mut self, reader: &mut Reader) -> Result<Vec<SpanBatch>, StorageError> {
        let service = self.request.service_name.as_deref().map(service_number);
        if let Some(service) = service {
            self.try_as_rare(service, reader).await?;
        }
        while !self.selection.is_full() {
            if self.read >= NARROW_AFTER && !self.has_narrowed {
                self.narrow(service, reader).await?;
            }
            let bound_ms = self.walk.bound_ms();
            if self.candidates.peek().is_some_and(|top| top.newest_ms > bound_ms) {
                self.take(bound_ms, reader).await?;
            } else if self.walk.is_exhausted() {
                break;
            } else {
                self.walk_on(service, reader).await?;
            }
        }
        Ok(self.selection.into_traces())
    }

    /// Takes all traces of a rare service as candidates.
    async fn try_as_rare(&mut self, service: i32, reader: &mut Reader) -> Result<(), StorageError> {
        let most = self.request.limit.saturating_mul(RARE_PER_TRACE).clamp(RARE_TRACES, RARE_TRACES_MAX);
        let lows = reader.traces_of_service(service, most + 1).await?;
        if lows.len() > most {
            return Ok(());
        }
        self.add_known(lows, reader).await
    }

    /// Leaves out what cannot have the terms, when the lists tell.
    async fn narrow(&mut self, service: Option<i32>, reader: &mut Reader) -> Result<(), StorageError> {
        self.has_narrowed = true;
        let mut only: Option<HashSet<i64>> = None;
        for (key, value) in self.request.annotation_query.iter().take(NARROW_TERMS) {
            let Some(lows) = reader.traces_with_term(service, terms::asked(key, value)).await? else { continue };
            only = Some(match only {
                None => lows,
                Some(only) => only.intersection(&lows).copied().collect(),
            });
        }
        let Some(only) = only else { return Ok(()) };
        self.candidates.retain(|candidate| only.contains(&(candidate.low as i64)));
        if self.walk.is_exhausted() {
            return Ok(());
        }
        if only.len() <= FEW_TRACES {
            return self.add_known(only, reader).await;
        }
        self.only = Some(only);
        Ok(())
    }

    /// Takes traces as candidates, those that were not met: there are no others.
    async fn add_known(
        &mut self,
        lows: impl IntoIterator<Item = i64>,
        reader: &mut Reader,
    ) -> Result<(), StorageError> {
        self.walk = Walk::over();
        let lows: Vec<i64> = lows.into_iter().filter(|low| self.met.insert(*low)).collect();
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        let mut newest: HashMap<i64, i64> = HashMap::new();
        for row in reader.times(&lows, start_ms, end_ms).await? {
            let key_ms = newest.entry(row.trace_low).or_insert(i64::MIN);
            *key_ms = row.max_ms.min(end_ms).max(*key_ms);
        }
        let candidate = |(low, newest_ms): (i64, i64)| Candidate { newest_ms, low: low as u64 };
        self.candidates.extend(newest.into_iter().map(candidate));
        Ok(())
    }

    async fn walk_on(&mut self, service: Option<i32>, reader: &mut Reader) -> Result<(), StorageError> {
        let mut met = self.walk.read_on(reader).await?;
        met.retain(|(low, _)| self.met.insert(*low));
        if let Some(only) = &self.only {
            met.retain(|(low, _)| only.contains(low));
        }
        if let (Some(service), false) = (service, met.is_empty()) {
            let lows: Vec<i64> = met.iter().map(|(low, _)| *low).collect();
            let with: HashSet<i64> = reader.with_service(&lows, service_bit(service)).await?.into_iter().collect();
            met.retain(|(low, _)| with.contains(low));
        }
        let end_ms = self.request.end_ts_ms;
        let candidate = |(low, max_ms): (i64, i64)| Candidate { newest_ms: max_ms.min(end_ms), low: low as u64 };
        self.candidates.extend(met.into_iter().map(candidate));
        Ok(())
    }

    /// Loads and offers candidates that nothing unmet can come before.
    async fn take(&mut self, bound_ms: i64, reader: &mut Reader) -> Result<(), StorageError> {
        let mut group = Vec::new();
        // Up to where the lists are asked.
        let most = if self.has_narrowed { LOAD_TRACES_MAX } else { NARROW_AFTER.saturating_sub(self.read).max(1) };
        while group.len() < self.load_traces.min(most)
            && self.candidates.peek().is_some_and(|top| top.newest_ms > bound_ms)
        {
            group.extend(self.candidates.pop());
        }
        let lows = group.iter().map(|candidate| candidate.low as i64);
        let missing: Vec<i64> = lows.filter(|low| !self.loaded.contains_key(low)).collect();
        if !missing.is_empty() {
            self.read += missing.len();
            self.loaded.extend(reader.load(&missing).await?);
            self.load_traces = (self.load_traces * 2).min(LOAD_TRACES_MAX);
        }
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        let mut was_exact = true;
        for candidate in group {
            // Spans that go beyond the window hide where the trace stands inside it: it waits for its turn again.
            let low = candidate.low as i64;
            let newest_ms = self.loaded.get(&low).and_then(|spans| newest_key_ms(spans, start_ms, end_ms));
            let Some(newest_ms) = newest_ms else {
                self.loaded.remove(&low);
                continue;
            };
            was_exact &= newest_ms == candidate.newest_ms;
            if !was_exact {
                self.candidates.push(Candidate { newest_ms, low: candidate.low });
            } else if let Some(spans) = self.loaded.remove(&low) {
                self.selection.offer(spans);
            }
        }
        Ok(())
    }
}
