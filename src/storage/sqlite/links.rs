//! Dependency links of a window.
//!
//! A block keeps the calls of each of its traces; those of a block inside the window are added up once and kept in the cache.
//! Traces in memory and split ones are linked when asked. Zipkin lists links as it meets them, traces by their newest span
//! first: each sum carries where it would have been met first.

use std::cmp::Reverse;
use std::sync::Arc;

use hashbrown::HashMap;

use super::error::NAME;
use super::live::{BlockRef, Live, View};
use super::read::{Reader, in_memory, unless_damaged};
use super::search::newest_key_ms;
use crate::model::{DependencyLink, SpanBatch, arrival_order, group_by_millisecond, link_trace};
use crate::storage::index::walk::{Probe, Walk};
use crate::storage::{QueryBudget, StorageError};

/// Kind of the sums of a block in the cache.
const SUMS: u8 = 103;

/// Where a link is met: newest key and low id of the trace, and how far from its first call; the greatest comes first.
type Met = (i64, u64, Reverse<u32>);

#[derive(Clone, Copy, Debug)]
struct Sum {
    calls: u64,
    errors: u64,
    met: Met,
}

/// The sums of a block inside the window, by index of its pairs.
#[derive(Debug)]
struct BlockSums {
    /// Traces that were dead when it was made.
    dead: usize,
    sums: Vec<Option<Sum>>,
}

/// Links of a window under way.
pub(super) struct Links<'q> {
    live: &'q Live,
    reader: &'q Reader,
    view: &'q View,
    budget: &'q QueryBudget,
    window: (i64, i64),
    sums: HashMap<String, HashMap<String, Sum>>,
}

impl<'q> Links<'q> {
    pub(super) fn new(
        live: &'q Live,
        reader: &'q Reader,
        view: &'q View,
        window: (i64, i64),
        budget: &'q QueryBudget,
    ) -> Self {
        Self { live, reader, view, budget, window, sums: HashMap::new() }
    }

    pub(super) fn run(mut self) -> Result<Vec<DependencyLink>, StorageError> {
        self.add_blocks()?;
        self.add_memory()?;
        for low in self.view.split.iter() {
            let spans = unless_damaged(self.reader.trace(self.live, self.view, *low))?;
            self.budget.spend(NAME, spans.len())?;
            if let Some(newest_ms) = newest_key_ms(&spans, self.window.0, self.window.1) {
                self.link(newest_ms, *low, &spans);
            }
        }
        let mut links: Vec<(Met, DependencyLink)> = Vec::new();
        for (parent, children) in self.sums {
            for (child, Sum { calls, errors, met }) in children {
                let link = DependencyLink { parent: parent.clone(), child, call_count: calls, error_count: errors };
                links.push((met, link));
            }
        }
        links.sort_unstable_by_key(|(met, _)| Reverse(*met));
        Ok(links.into_iter().map(|(_, link)| link).collect())
    }

    fn add(&mut self, parent: &str, child: &str, sum: Sum) {
        if let Some(known) = self.sums.get_mut(parent).and_then(|children| children.get_mut(child)) {
            known.calls += sum.calls;
            known.errors += sum.errors;
            known.met = known.met.max(sum.met);
            return;
        }
        self.sums.entry(parent.to_owned()).or_default().insert(child.to_owned(), sum);
    }

    fn link(&mut self, newest_ms: i64, low: u64, spans: &SpanBatch) {
        let mut place = 0;
        link_trace(spans.iter(), |call| {
            let met = (newest_ms, low, Reverse(place));
            self.add(call.parent, call.child, Sum { calls: 1, errors: u64::from(call.is_error), met });
            place += 1;
        });
    }

    fn add_memory(&mut self) -> Result<(), StorageError> {
        let mut walk = Walk::new(Probe::any(), self.window.0, self.window.1, self.view.seen);
        let mut candidates = Vec::new();
        while !walk.is_over() {
            self.budget.spend(NAME, 0)?;
            candidates.clear();
            walk.visit(&self.live.index.read(), &self.live.hashes, usize::MAX, &mut candidates);
            for candidate in &candidates {
                if !self.view.split.contains(&candidate.low) {
                    let spans = in_memory(self.live, self.view, candidate.low);
                    self.budget.spend(NAME, spans.len())?;
                    self.link(candidate.time_ms, candidate.low, &group_by_millisecond(spans));
                }
            }
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
        for (known, has_split) in view.blocks.iter().zip(has_split) {
            let figures = known.block.figures;
            if figures.max_ms < start_ms || end_ms < figures.min_ms {
                continue;
            }
            self.budget.spend(NAME, 0)?;
            let is_whole = start_ms <= figures.min_ms && figures.max_ms <= end_ms && !has_split;
            unless_damaged(self.add_block(known, is_whole))?;
        }
        Ok(())
    }

    fn add_block(&mut self, known: &BlockRef, is_whole: bool) -> Result<(), StorageError> {
        let traces = self.reader.traces(known.block.id)?;
        let sums = if is_whole { self.whole(known)? } else { Arc::new(self.part(known)?) };
        for ((parent, child), sum) in traces.pairs().zip(&sums.sums) {
            if let Some(sum) = sum {
                self.add(parent, child, *sum);
            }
        }
        Ok(())
    }

    fn whole(&self, known: &BlockRef) -> Result<Arc<BlockSums>, StorageError> {
        let key = (known.block.id, SUMS, 0);
        let kept = self.reader.cache.get::<BlockSums>(key).filter(|sums| sums.dead == known.dead.len());
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let sums = Arc::new(self.part(known)?);
        self.reader.cache.put(key, &sums, sums.sums.len() * size_of::<Option<Sum>>());
        Ok(sums)
    }

    fn part(&self, known: &BlockRef) -> Result<BlockSums, StorageError> {
        let (start_ms, end_ms) = self.window;
        let traces = self.reader.traces(known.block.id)?;
        let mut sums: Vec<Option<Sum>> = vec![None; traces.pairs().count()];
        for (at, entry) in traces.entries.iter().enumerate() {
            let is_outside = entry.max_ms < start_ms || end_ms < entry.min_ms;
            if is_outside || known.dead.contains(&entry.low) || self.view.split.contains(&entry.low) {
                continue;
            }
            let newest_ms = if entry.max_ms <= end_ms {
                entry.max_ms
            } else {
                let mut spans = SpanBatch::new();
                unless_damaged(self.reader.copy(known.block.id, entry, &mut spans))?;
                self.budget.spend(NAME, spans.len())?;
                let Some(newest_ms) = newest_key_ms(&arrival_order(spans), start_ms, end_ms) else { continue };
                newest_ms
            };
            for (place, call) in (0..).zip(traces.calls_of(at)) {
                let met = (newest_ms, entry.low, Reverse(place));
                let sum = sums[call.pair as usize].get_or_insert(Sum { calls: 0, errors: 0, met });
                sum.calls += 1;
                sum.errors += u64::from(call.is_error);
                sum.met = sum.met.max(met);
            }
        }
        Ok(BlockSums { dead: known.dead.len(), sums })
    }
}
