//! Traces that match, newest first, without reading more than the answer needs.
//!
//! There are three sources, each of which can tell the newest time it may still show: traces in memory, which come newest first;
//! blocks, which are looked at as a whole when nothing found so far is newer than their newest span; and *split* traces, whose
//! spans lie in several places, which are put together before they are tested. What is newest is next: it is loaded, tested and
//! goes into the answer, until that is full.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::block::{ChunkTest, TermFilter, TraceEntry, Wanted, key_term, tag_term};
use super::error::NAME;
use super::live::{BlockRef, Live, View};
use super::read::{Reader, in_memory, unless_damaged};
use super::writer::kind;
use crate::model::search::Selection;
use crate::model::{QueryRequest, SpanBatch, arrival_order, group_by_millisecond};
use crate::storage::index::walk::{Candidate, Probe, Walk};
use crate::storage::{QueryBudget, StorageError};

/// Candidates in memory asked for at once, at most.
const CANDIDATES_MAX: usize = 1_024;

/// Filters of blocks prefetched at once, at most.
const PREFETCH_MAX: usize = 16;

/// Where a candidate's spans are.
#[derive(Debug)]
enum Place {
    Block(i64, TraceEntry),
    /// In several places.
    Split,
    Loaded(SpanBatch),
}

#[derive(Debug)]
struct Found {
    /// Newest key inside the window; an upper bound until the spans are loaded, where the trace goes beyond it.
    newest_ms: i64,
    low: u64,
    place: Place,
}

impl Found {
    fn key(&self) -> (i64, u64) {
        (self.newest_ms, self.low)
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// A search under way.
pub(super) struct Search<'q> {
    live: &'q Live,
    reader: &'q Reader,
    view: &'q View,
    request: &'q QueryRequest,
    budget: &'q QueryBudget,
    wanted: Wanted,
    terms: Vec<u64>,
    walk: Walk<'q>,
    walked: VecDeque<Candidate>,
    /// Blocks not looked at, the newest last.
    blocks: Vec<&'q BlockRef>,
    found: BinaryHeap<Found>,
    step: usize,
    /// Filters prefetched the last time.
    prefetched: usize,
}

impl<'q> Search<'q> {
    pub(super) fn new(
        live: &'q Live,
        reader: &'q Reader,
        view: &'q View,
        request: &'q QueryRequest,
        budget: &'q QueryBudget,
    ) -> Self {
        let (start_ms, end_ms) = (request.start_ts_ms(), request.end_ts_ms);
        let in_window = |known: &&BlockRef| {
            let figures = known.block.figures;
            start_ms <= figures.max_ms && figures.min_ms <= end_ms
        };
        let mut blocks: Vec<&BlockRef> = view.blocks.iter().filter(in_window).collect();
        blocks.sort_by_key(|known| known.block.figures.max_ms);
        let wanted = Wanted::new(
            request.service_name.as_deref(),
            request.span_name.as_deref(),
            request.remote_service_name.as_deref(),
            request.min_duration_us.unwrap_or(0).max(0) as u64,
        );
        let term =
            |(key, value): &(String, String)| if value.is_empty() { key_term(key) } else { tag_term(key, value) };
        Self {
            live,
            reader,
            view,
            request,
            budget,
            wanted,
            terms: request.annotation_query.iter().map(term).collect(),
            walk: Walk::new(Probe::new(request, &live.hashes), start_ms, end_ms, view.seen),
            walked: VecDeque::new(),
            blocks,
            found: BinaryHeap::new(),
            step: request.limit.clamp(1, CANDIDATES_MAX),
            prefetched: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<Vec<SpanBatch>, StorageError> {
        let mut selection = Selection::new(self.request, self.live.options.strict_trace_id);
        self.budget.spend(NAME, 0)?;
        self.find_split()?;
        while !selection.is_full() {
            self.walk_on()?;
            let walked = self.walked.front().map(|candidate| (candidate.time_ms, candidate.low));
            let found = self.found.peek().map(Found::key);
            let best = walked.max(found);
            let block_ms = self.blocks.last().map(|known| known.block.figures.max_ms.min(self.request.end_ts_ms));
            // A block may hold a trace of the very same millisecond with a higher id.
            if block_ms.is_some_and(|block_ms| best.is_none_or(|(best_ms, _)| best_ms <= block_ms)) {
                if let Some(known) = self.blocks.pop() {
                    unless_damaged(self.look_at(known))?;
                }
            } else if best.is_none() {
                break;
            } else if walked == best {
                self.offer_walked(&mut selection)?;
            } else {
                unless_damaged(self.offer_found(&mut selection))?;
            }
        }
        Ok(selection.into_traces())
    }

    /// Split traces with a span that may be inside the window.
    fn find_split(&mut self) -> Result<(), StorageError> {
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        for (turn, low) in self.view.split.iter().enumerate() {
            if turn % CANDIDATES_MAX == 0 {
                self.budget.spend(NAME, 0)?;
            }
            let (mut min_ms, mut max_ms) = (i64::MAX, i64::MIN);
            {
                let index = self.live.index.read();
                let found = index.find_seen(*low, self.live.hashes.low(*low), self.view.seen);
                if let Some(trace) = found.map(|at| &index.traces[at as usize]) {
                    (min_ms, max_ms) = (trace.min_ms, trace.max_ms);
                }
            }
            for known in self.view.blocks.iter() {
                if let Some(entry) = unless_damaged(self.reader.entry(known, *low))? {
                    (min_ms, max_ms) = (min_ms.min(entry.min_ms), max_ms.max(entry.max_ms));
                }
            }
            if min_ms <= end_ms && start_ms <= max_ms {
                self.found.push(Found { newest_ms: max_ms.min(end_ms), low: *low, place: Place::Split });
            }
        }
        Ok(())
    }

    /// Makes sure that the next trace in memory is known.
    fn walk_on(&mut self) -> Result<(), StorageError> {
        while self.walked.is_empty() && !self.walk.is_over() {
            self.budget.spend(NAME, 0)?;
            let mut candidates = Vec::new();
            self.walk.visit(&self.live.index.read(), &self.live.hashes, self.step, &mut candidates);
            self.step = (self.step * 2).min(CANDIDATES_MAX);
            let is_whole = |candidate: &Candidate| !self.view.split.contains(&candidate.low);
            self.walked.extend(candidates.into_iter().filter(is_whole));
        }
        Ok(())
    }

    fn offer_walked(&mut self, selection: &mut Selection<'_>) -> Result<(), StorageError> {
        let Some(candidate) = self.walked.pop_front() else { return Ok(()) };
        let spans = in_memory(self.live, self.view, candidate.low);
        self.budget.spend(NAME, spans.len())?;
        selection.offer(group_by_millisecond(spans));
        Ok(())
    }

    fn offer_found(&mut self, selection: &mut Selection<'_>) -> Result<(), StorageError> {
        let Some(Found { newest_ms, low, place }) = self.found.pop() else { return Ok(()) };
        let spans = match place {
            Place::Loaded(spans) => {
                selection.offer(spans);
                return Ok(());
            }
            Place::Split => self.reader.trace(self.live, self.view, low)?,
            Place::Block(block, entry) => {
                let mut spans = SpanBatch::new();
                self.reader.copy(block, &entry, &mut spans)?;
                arrival_order(spans)
            }
        };
        self.budget.spend(NAME, spans.len())?;
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        match newest_key_ms(&spans, start_ms, end_ms) {
            Some(exact_ms) if exact_ms == newest_ms => selection.offer(spans),
            // Spans beyond the window hid where it stands inside: it waits for its turn again.
            Some(newest_ms) => self.found.push(Found { newest_ms, low, place: Place::Loaded(spans) }),
            None => {}
        }
        Ok(())
    }

    /// Puts what may match of a block among the found.
    fn look_at(&mut self, known: &BlockRef) -> Result<(), StorageError> {
        self.budget.spend(NAME, 0)?;
        if !known.block.outline.may_match(&self.wanted) {
            return Ok(());
        }
        let id = known.block.id;
        if !self.terms.is_empty() && !self.reader.cache.has((id, kind::TERMS, 0)) {
            self.prefetch_terms(id)?;
        }
        let filter = if self.terms.is_empty() { None } else { Some(self.reader.terms(id)) };
        // Without its filter the block is searched as a whole.
        let filter = unless_damaged(filter.transpose())?;
        let has_terms = |chunk: u32| {
            let has_all = |filter: &TermFilter| self.terms.iter().all(|term| filter.may_contain(chunk, *term));
            filter.as_deref().is_none_or(has_all)
        };
        let may_match: Vec<bool> = (0..known.block.chunks).map(has_terms).collect();
        if !may_match.contains(&true) {
            return Ok(());
        }
        let traces = self.reader.traces(id, known.block.chunks)?;
        let has_conditions = has_conditions(self.request);
        for chunk in traces.entries.chunk_by(|left, right| left.chunk == right.chunk) {
            if !has_conditions {
                chunk.iter().for_each(|entry| self.find(known, entry));
            } else if may_match.get(chunk[0].chunk as usize) == Some(&true)
                && chunk.iter().any(|entry| self.is_in_window(entry))
            {
                self.budget.spend(NAME, 0)?;
                let Some(find) = unless_damaged(self.reader.find(id, chunk[0].chunk).map(Some))? else { continue };
                let Some(test) = ChunkTest::new(&find, self.request) else { continue };
                for entry in chunk {
                    if self.is_in_window(entry) && test.lets_pass(&find, entry.place as usize) {
                        self.find(known, entry);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the filters of the blocks that come next together: more and more, because nobody knows how many will be looked at.
    fn prefetch_terms(&mut self, first: i64) -> Result<(), StorageError> {
        let next = self.blocks.iter().rev().filter(|known| known.block.outline.may_match(&self.wanted));
        let blocks = next.take(self.prefetched).map(|known| known.block.id);
        unless_damaged(self.reader.prefetch_terms(std::iter::once(first).chain(blocks)))?;
        self.prefetched = (self.prefetched * 2).clamp(1, PREFETCH_MAX);
        Ok(())
    }

    fn is_in_window(&self, entry: &TraceEntry) -> bool {
        let (start_ms, end_ms) = (self.request.start_ts_ms(), self.request.end_ts_ms);
        let window = start_ms.saturating_mul(1000)..=end_ms.saturating_mul(1000);
        entry.start_us >= 0 && window.contains(&entry.start_us)
    }

    fn find(&mut self, known: &BlockRef, entry: &TraceEntry) {
        let low = entry.low;
        if self.is_in_window(entry) && !known.dead.contains(&low) && !self.view.split.contains(&low) {
            let newest_ms = entry.max_ms.min(self.request.end_ts_ms);
            self.found.push(Found { newest_ms, low, place: Place::Block(known.block.id, *entry) });
        }
    }
}

fn has_conditions(request: &QueryRequest) -> bool {
    request.service_name.is_some()
        || request.span_name.is_some()
        || request.remote_service_name.is_some()
        || !request.annotation_query.is_empty()
        || request.min_duration_us.is_some()
        || request.max_duration_us.is_some()
}

/// Newest key (millisecond of a span, 0 without timestamp) of a trace inside a window.
pub(super) fn newest_key_ms(spans: &SpanBatch, start_ms: i64, end_ms: i64) -> Option<i64> {
    spans.iter().map(|span| span.timestamp_ms()).filter(|ms| (start_ms..=end_ms).contains(ms)).max()
}
