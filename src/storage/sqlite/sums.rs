//! Calls that were added up before, so that the links of a long window cost what changed since the last time.
//!
//! Kept are the calls of each trace in memory, true until a span comes, and the sums of groups of blocks, true until one of
//! their blocks goes or loses a trace. Sums of single blocks are in the cache of blocks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::block::{TraceEntry, Traces};
use crate::model::{DependencyLink, SpanBatch, link_trace};
use crate::storage::StorageError;
use crate::storage::index::pairs::Pairs;

/// Blocks of a group, by their numbers, as a power of two.
const GROUP_SHIFT: u32 = 4;
/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Pairs known by number. When there are more, and more than twice those of an answer, they are numbered anew.
    pub(super) pairs: usize,
    /// Sums of groups; groups beyond are added up when asked for.
    pub(super) sums: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pairs: 100_000, sums: 1_000_000 }
    }
}

/// Where a link is met: newest key and low id of the trace, and how far from its first call; the greatest comes first.
pub(super) type Met = (i64, u64, Reverse<u32>);

/// Calls of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) pair: u32,
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) met: Met,
}

impl Sum {
    const fn none(pair: u32) -> Self {
        Self { pair, calls: 0, errors: 0, met: (i64::MIN, 0, Reverse(u32::MAX)) }
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.met = self.met.max(other.met);
    }
}

/// A block of a group, and how many of its traces were elsewhere.
pub(super) type Member = (i64, usize);

/// The group of a block.
pub(super) fn group_of(block: i64) -> i64 {
    block >> GROUP_SHIFT
}

/// Sums under way.
#[derive(Debug, Default)]
pub(super) struct Total {
    /// By number of the pair.
    sums: Vec<Sum>,
}

impl Total {
    pub(super) fn add(&mut self, sum: &Sum) {
        let first = self.sums.len() as u32;
        self.sums.extend((first..=sum.pair).map(Sum::none));
        self.sums[sum.pair as usize].add(sum);
    }

    /// Adds the calls of a trace, given as by [`Generation::calls`].
    pub(super) fn add_calls(&mut self, newest_ms: i64, low: u64, calls: &[u32]) {
        for (place, call) in (0..).zip(calls) {
            let met = (newest_ms, low, Reverse(place));
            self.add(&Sum { pair: call >> 1, calls: 1, errors: u64::from(call & 1), met });
        }
    }

    /// Pairs with calls.
    fn pairs(&self) -> usize {
        self.sums.iter().filter(|sum| sum.calls > 0).count()
    }

    fn into_sums(self) -> Arc<[Sum]> {
        self.sums.into_iter().filter(|sum| sum.calls > 0).collect()
    }
}

#[derive(Debug)]
struct Group {
    members: Box<[Member]>,
    sums: Arc<[Sum]>,
}

#[derive(Debug, Default)]
struct Groups {
    groups: BTreeMap<i64, Group>,
    /// Sums of all groups.
    sums: usize,
}

impl Groups {
    fn remove(&mut self, group: i64) {
        self.sums -= self.groups.remove(&group).map_or(0, |known| known.sums.len());
    }
}

#[derive(Debug)]
struct TraceCalls {
    low: u64,
    /// The last write that brought a span.
    write: u64,
    calls: Arc<[u32]>,
}

/// What is kept. A query works with one generation from its start to its end, so that numbers of pairs stay true when
/// another query begins a new one.
#[derive(Debug, Default)]
pub(super) struct Generation {
    /// Tells generations apart.
    pub(super) number: u32,
    limits: Limits,
    pairs: Mutex<Pairs>,
    groups: Mutex<Groups>,
    /// By place in the index, of which a trace has its own; forgotten when the trace is sealed.
    traces: Mutex<HashMap<u32, TraceCalls>>,
}

impl Generation {
    /// The calls of a trace, each as twice the number of its pair, and one more for an error.
    pub(super) fn calls(&self, spans: &SpanBatch) -> Arc<[u32]> {
        let mut pairs = self.pairs.lock();
        let mut calls = Vec::new();
        link_trace(spans.iter(), |call| {
            calls.push(pairs.number(call.parent, call.child) << 1 | u32::from(call.is_error));
        });
        calls.into()
    }

    /// The calls of a trace in memory as that write left it.
    pub(super) fn trace(&self, at: u32, low: u64, write: u64) -> Option<Arc<[u32]>> {
        let traces = self.traces.lock();
        let known = traces.get(&at).filter(|known| (known.low, known.write) == (low, write))?;
        Some(known.calls.clone())
    }

    pub(super) fn put_trace(&self, at: u32, low: u64, write: u64, calls: &Arc<[u32]>) {
        self.traces.lock().insert(at, TraceCalls { low, write, calls: calls.clone() });
    }

    fn forget_traces(&self, places: impl Iterator<Item = u32>) {
        let mut traces = self.traces.lock();
        places.for_each(|at| drop(traces.remove(&at)));
    }

    /// The calls of a block's traces; of each its newest key inside the window, or that it is not counted.
    pub(super) fn sum(
        &self,
        traces: &Traces,
        mut newest_ms: impl FnMut(&TraceEntry) -> Result<Option<i64>, StorageError>,
    ) -> Result<Arc<[Sum]>, StorageError> {
        let mut sums: Vec<Sum> = {
            let mut pairs = self.pairs.lock();
            traces.pairs().map(|(parent, child)| Sum::none(pairs.number(parent, child))).collect()
        };
        for (at, entry) in traces.entries.iter().enumerate() {
            let Some(newest_ms) = newest_ms(entry)? else { continue };
            for (place, call) in (0..).zip(traces.calls_of(at)) {
                let sum = &mut sums[call.pair as usize];
                let (errors, met) = (u64::from(call.is_error), (newest_ms, entry.low, Reverse(place)));
                sum.add(&Sum { pair: sum.pair, calls: 1, errors, met });
            }
        }
        Ok(sums.into_iter().filter(|sum| sum.calls > 0).collect())
    }

    /// The sums of a group if they are those of these blocks.
    pub(super) fn group(&self, group: i64, members: &[Member]) -> Option<Arc<[Sum]>> {
        let known = self.groups.lock();
        known.groups.get(&group).filter(|known| *known.members == *members).map(|known| known.sums.clone())
    }

    pub(super) fn put_group(&self, group: i64, members: &[Member], total: Total) -> Arc<[Sum]> {
        let sums = total.into_sums();
        let mut known = self.groups.lock();
        known.remove(group);
        if known.sums + sums.len() <= self.limits.sums {
            known.sums += sums.len();
            known.groups.insert(group, Group { members: members.into(), sums: sums.clone() });
        }
        sums
    }

    /// Forgets groups that are no more.
    pub(super) fn keep_groups(&self, is_there: impl Fn(i64) -> bool) {
        let mut known = self.groups.lock();
        let gone: Vec<i64> = known.groups.keys().copied().filter(|group| !is_there(*group)).collect();
        gone.into_iter().for_each(|group| known.remove(group));
    }

    /// The links, in the order in which zipkin meets them.
    pub(super) fn links(&self, total: Total) -> Vec<DependencyLink> {
        let mut sums = total.sums;
        sums.retain(|sum| sum.calls > 0);
        sums.sort_unstable_by_key(|sum| Reverse(sum.met));
        let pairs = self.pairs.lock();
        sums.iter().map(|sum| pairs.link(sum.pair, sum.calls, sum.errors)).collect()
    }

    /// Whether most of the pairs are those of links that an answer, which had so many, no longer has.
    fn is_outgrown(&self, links: usize) -> bool {
        let pairs = self.pairs.lock().len();
        pairs > self.limits.pairs && pairs > 2 * links
    }
}

/// The generation that queries begin with.
#[derive(Debug, Default)]
pub(super) struct LinkCache {
    limits: Limits,
    current: Mutex<Arc<Generation>>,
    generations: AtomicU32,
}

impl LinkCache {
    #[cfg(test)]
    fn with(limits: Limits) -> Self {
        let current = Mutex::new(Arc::new(Generation { limits, ..Generation::default() }));
        Self { limits, current, generations: AtomicU32::default() }
    }

    pub(super) fn current(&self) -> Arc<Generation> {
        self.current.lock().clone()
    }

    /// Begins anew: what was read of a block is no longer what it holds.
    pub(super) fn forget(&self) {
        let number = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        *self.current.lock() = Arc::new(Generation { number, limits: self.limits, ..Generation::default() });
    }

    /// Forgets the calls of traces that are no longer in memory, by their places in the index.
    pub(super) fn forget_traces(&self, places: impl Iterator<Item = u32>) {
        self.current().forget_traces(places);
    }

    /// Begins anew when a generation knows too much of what is no more, as an answer out of it shows.
    pub(super) fn tidy(&self, generation: &Generation, answer: &Total) {
        if generation.is_outgrown(answer.pairs()) && generation.number == self.current().number {
            self.forget();
        }
    }
}

/// Adds up groups while the blocks are read at a start, as many as are kept; others are added up when asked for.
#[derive(Debug)]
pub(super) struct Warming {
    generation: Arc<Generation>,
    groups: BTreeMap<i64, (Vec<Member>, Total)>,
    /// Places of sums in all groups.
    sums: usize,
}

impl Warming {
    pub(super) fn new(cache: &LinkCache) -> Self {
        Self { generation: cache.current(), groups: BTreeMap::new(), sums: 0 }
    }

    /// Adds a block; `is_dead` tells which traces are elsewhere.
    pub(super) fn add(
        &mut self,
        member: Member,
        traces: &Traces,
        is_dead: impl Fn(u64) -> bool,
    ) -> Result<(), StorageError> {
        if self.sums > self.generation.limits.sums {
            return Ok(());
        }
        let sums = self.generation.sum(traces, |entry| Ok((!is_dead(entry.low)).then_some(entry.max_ms)))?;
        let (members, total) = self.groups.entry(group_of(member.0)).or_default();
        let before = total.sums.len();
        members.push(member);
        sums.iter().for_each(|sum| total.add(sum));
        self.sums += total.sums.len() - before;
        if self.sums > self.generation.limits.sums {
            self.groups.clear();
        }
        Ok(())
    }

    pub(super) fn finish(self) {
        for (group, (members, total)) in self.groups {
            self.generation.put_group(group, &members, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, SpanKind, TraceId};
    use crate::storage::sqlite::block::BlockBuilder;

    /// The views of a block with one call.
    fn calling(child: &str) -> Traces {
        let (mut spans, mut span) = (SpanBatch::new(), SpanBuilder::new());
        span.set_trace_id(TraceId::from_halves(0, 1).unwrap());
        span.set_id(SpanId::new(1));
        span.set_kind(Some(SpanKind::Client));
        span.set_timestamp_us(1_000);
        span.local_endpoint.set_service_name("a");
        span.remote_endpoint.set_service_name(child);
        span.finish(&mut spans).unwrap();
        let mut block = BlockBuilder::new(&[], false);
        block.push(1, &spans).unwrap();
        block.finish().unwrap().unwrap().traces
    }

    fn total(pairs: u32) -> Total {
        let mut total = Total::default();
        (0..pairs).for_each(|pair| total.add_calls(1, 1, &[pair << 1]));
        total
    }

    fn traces_with(pairs: usize) -> Generation {
        let generation = Generation { limits: Limits { pairs: 10, sums: 10 }, ..Generation::default() };
        (0..pairs).for_each(|n| {
            generation.pairs.lock().number("a", &n.to_string());
        });
        generation
    }

    #[test]
    fn groups_beyond_the_limit_are_not_kept_and_push_none_out() {
        let generation = traces_with(0);
        assert_eq!(generation.put_group(1, &[(16, 0)], total(6)).len(), 6);
        assert_eq!(generation.put_group(2, &[(32, 0)], total(6)).len(), 6);
        assert!(generation.group(1, &[(16, 0)]).is_some() && generation.group(2, &[(32, 0)]).is_none());
        generation.put_group(1, &[(16, 1)], total(2));
        generation.put_group(2, &[(32, 0)], total(8));
        assert!(generation.group(1, &[(16, 1)]).is_some() && generation.group(2, &[(32, 0)]).is_some());
        generation.keep_groups(|group| group == 1);
        assert_eq!(generation.groups.lock().sums, 2);
    }

    #[test]
    fn more_pairs_than_the_limit_are_kept_as_long_as_answers_have_them() {
        assert!(!traces_with(40).is_outgrown(20));
        assert!(traces_with(40).is_outgrown(19));
        assert!(!traces_with(10).is_outgrown(0));
    }

    #[test]
    fn a_start_adds_up_no_more_than_is_kept() {
        let cache = LinkCache::with(Limits { pairs: 10, sums: 10 });
        let mut warming = Warming::new(&cache);
        for block in 0..100 {
            warming.add((block * 16, 0), &calling(&format!("b{block}")), |_| false).unwrap();
            assert!(warming.sums < 20, "{} after {block}", warming.sums);
        }
        warming.finish();
        assert_eq!(cache.current().groups.lock().groups.len(), 0);
    }
}
