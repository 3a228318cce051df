//! Dependency links of a window.
//!
//! A block keeps the calls of each of its traces. Blocks inside the window are added up once, in groups; so are the traces in
//! memory until they change ([`sums`](super::sums)). Split traces are linked when asked. Zipkin lists links as it meets them,
//! traces by their newest span first: each sum carries where it would have been met first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::{TraceEntry, Traces};
use super::error::NAME;
use super::live::{BlockRef, Live, View};
use super::read::{Reader, all_in_memory, unless_damaged};
use super::search::newest_key_ms;
use super::sums::{Generation, LinkCache, Member, Sum, Total, group_of};
use crate::model::{DependencyLink, SpanBatch, arrival_order, group_by_millisecond};
use crate::storage::index::walk::{Candidate, Probe, Walk};
use crate::storage::{QueryBudget, StorageError};

/// Kind of the sums of a block in the cache; of one generation.
pub(super) const SUMS: u8 = 103;

/// Traces copied in one visit to the index.
const VISIT_TRACES: usize = 64;

/// The sums of a whole block.
#[derive(Debug)]
struct BlockSums {
    /// Traces that were dead when it was made.
    dead: usize,
    sums: Arc<[Sum]>,
}

/// Links of a window under way.
pub(super) struct Links<'q> {
    live: &'q Live,
    reader: &'q Reader,
    view: &'q View,
    budget: &'q QueryBudget,
    window: (i64, i64),
    cache: &'q LinkCache,
    generation: Arc<Generation>,
    total: Total,
}

impl<'q> Links<'q> {
    pub(super) fn new(
        live: &'q Live,
        reader: &'q Reader,
        cache: &'q LinkCache,
        view: &'q View,
        window: (i64, i64),
        budget: &'q QueryBudget,
    ) -> Self {
        Self { live, reader, view, budget, window, cache, generation: cache.current(), total: Total::default() }
    }

    pub(super) fn run(mut self) -> Result<Vec<DependencyLink>, StorageError> {
        self.add_blocks()?;
        self.add_memory()?;
        for low in self.view.split.iter() {
            let spans = unless_damaged(self.reader.trace(self.live, self.view, *low))?;
            self.budget.spend(NAME, spans.len())?;
            if let Some(newest_ms) = newest_key_ms(&spans, self.window.0, self.window.1) {
                self.total.add_calls(newest_ms, *low, &self.generation.calls(&spans));
            }
        }
        self.cache.tidy(&self.generation, &self.total);
        Ok(self.generation.links(self.total))
    }

    fn add_memory(&mut self) -> Result<(), StorageError> {
        let mut walk = Walk::new(Probe::any(), self.window.0, self.window.1, self.view.seen);
        let mut candidates = Vec::new();
        while !walk.is_over() {
            self.budget.spend(NAME, 0)?;
            candidates.clear();
            walk.visit(&self.live.index.read(), &self.live.hashes, usize::MAX, &mut candidates);
            candidates.retain(|candidate| !self.view.split.contains(&candidate.low));
            for part in candidates.chunks(VISIT_TRACES) {
                self.add_part(part)?;
            }
        }
        Ok(())
    }

    /// Adds a few traces in memory. Those that changed are copied in one visit to the index: each visit waits for a write.
    fn add_part(&mut self, part: &[Candidate]) -> Result<(), StorageError> {
        let known = |candidate: &Candidate| {
            candidate.write.and_then(|write| self.generation.trace(candidate.at, candidate.low, write))
        };
        let mut calls: Vec<Option<Arc<[u32]>>> = part.iter().map(known).collect();
        let changed: Vec<usize> = (0..part.len()).filter(|at| calls[*at].is_none()).collect();
        let lows: Vec<u64> = changed.iter().map(|at| part[*at].low).collect();
        for (at, spans) in changed.into_iter().zip(all_in_memory(self.live, self.view, &lows)) {
            self.budget.spend(NAME, spans.len())?;
            let linked = self.generation.calls(&group_by_millisecond(spans));
            if let Some(write) = part[at].write {
                self.generation.put_trace(part[at].at, part[at].low, write, &linked);
            }
            calls[at] = Some(linked);
        }
        for (candidate, calls) in part.iter().zip(calls) {
            self.total.add_calls(candidate.time_ms, candidate.low, calls.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    fn add_blocks(&mut self) -> Result<(), StorageError> {
        let (start_ms, end_ms) = self.window;
        let view = self.view;
        let split: Vec<u64> = view.split.iter().copied().collect();
        let blocks = || view.blocks.iter().map(|known| &*known.block);
        let mut has_split = vec![false; view.blocks.len()];
        super::live::in_blocks(&split, blocks()).into_iter().for_each(|(at, _)| has_split[at] = true);
        let mut groups: BTreeMap<i64, Vec<(&BlockRef, bool)>> = BTreeMap::new();
        for (known, has_split) in view.blocks.iter().zip(has_split) {
            let figures = known.block.figures;
            let is_whole = start_ms <= figures.min_ms && figures.max_ms <= end_ms && !has_split;
            groups.entry(group_of(known.block.id)).or_default().push((known, is_whole));
        }
        self.generation.keep_groups(|group| groups.contains_key(&group));
        for (group, blocks) in groups {
            self.budget.spend(NAME, 0)?;
            if blocks.iter().all(|(_, is_whole)| *is_whole) {
                self.group(group, &blocks)?.iter().for_each(|sum| self.total.add(sum));
                continue;
            }
            for (known, is_whole) in blocks {
                let figures = known.block.figures;
                if start_ms <= figures.max_ms && figures.min_ms <= end_ms {
                    let sums = unless_damaged(if is_whole { self.whole(known) } else { self.part(known) })?;
                    sums.iter().for_each(|sum| self.total.add(sum));
                }
            }
        }
        Ok(())
    }

    fn group(&self, group: i64, blocks: &[(&BlockRef, bool)]) -> Result<Arc<[Sum]>, StorageError> {
        let members: Vec<Member> = blocks.iter().map(|(known, _)| (known.block.id, known.dead.len())).collect();
        if let Some(sums) = self.generation.group(group, &members) {
            return Ok(sums);
        }
        let mut total = Total::default();
        for (known, _) in blocks {
            self.budget.spend(NAME, 0)?;
            unless_damaged(self.whole(known))?.iter().for_each(|sum| total.add(sum));
        }
        Ok(self.generation.put_group(group, &members, total))
    }

    fn whole(&self, known: &BlockRef) -> Result<Arc<[Sum]>, StorageError> {
        let key = (known.block.id, SUMS, self.generation.number);
        let kept = self.reader.cache.get::<BlockSums>(key).filter(|sums| sums.dead == known.dead.len());
        if let Some(kept) = kept {
            return Ok(kept.sums.clone());
        }
        let sums = self.part(known)?;
        let kept = Arc::new(BlockSums { dead: known.dead.len(), sums: sums.clone() });
        self.reader.cache.put(key, &kept, size_of_val(&*sums));
        Ok(sums)
    }

    fn part(&self, known: &BlockRef) -> Result<Arc<[Sum]>, StorageError> {
        let (start_ms, end_ms) = self.window;
        let traces = self.reader.traces(known.block.id, known.block.chunks)?;
        self.generation.sum(&traces, |entry: &TraceEntry| {
            let is_outside = entry.max_ms < start_ms || end_ms < entry.min_ms;
            if is_outside || known.dead.contains(&entry.low) || self.view.split.contains(&entry.low) {
                return Ok(None);
            }
            if entry.max_ms <= end_ms {
                return Ok(Some(entry.max_ms));
            }
            let mut spans = SpanBatch::new();
            unless_damaged(self.reader.copy(known.block.id, entry, &mut spans))?;
            self.budget.spend(NAME, spans.len())?;
            Ok(newest_key_ms(&arrival_order(spans), start_ms, end_ms))
        })
    }
}

/// Adds up the calls of a new block while its traces are at hand.
pub(super) fn keep_sums(reader: &Reader, cache: &LinkCache, block: i64, traces: &Traces) -> Result<(), StorageError> {
    let generation = cache.current();
    let sums = generation.sum(traces, |entry| Ok(Some(entry.max_ms)))?;
    let bytes = size_of_val(&*sums);
    reader.cache.put((block, SUMS, generation.number), &Arc::new(BlockSums { dead: 0, sums }), bytes);
    Ok(())
}
