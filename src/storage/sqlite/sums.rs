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
/// Pairs known by number; beyond it everything is forgotten and made again when asked for.
const PAIRS_MAX: usize = 100_000;
/// Sums kept for groups; likewise.
const SUMS_MAX: usize = 1_000_000;

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

    fn into_sums(self) -> Arc<[Sum]> {
        self.sums.into_iter().filter(|sum| sum.calls > 0).collect()
    }
}

#[derive(Debug)]
struct Group {
    members: Box<[Member]>,
    sums: Arc<[Sum]>,
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
    pairs: Mutex<Pairs>,
    groups: Mutex<BTreeMap<i64, Group>>,
    /// By place in the index, of which a trace has its own: no more than there ever were at once.
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
        let groups = self.groups.lock();
        groups.get(&group).filter(|known| *known.members == *members).map(|known| known.sums.clone())
    }

    pub(super) fn put_group(&self, group: i64, members: &[Member], total: Total) -> Arc<[Sum]> {
        let sums = total.into_sums();
        self.groups.lock().insert(group, Group { members: members.into(), sums: sums.clone() });
        sums
    }

    /// Forgets groups that are no more.
    pub(super) fn keep_groups(&self, is_there: impl Fn(i64) -> bool) {
        self.groups.lock().retain(|group, _| is_there(*group));
    }

    /// The links, in the order in which zipkin meets them.
    pub(super) fn links(&self, total: Total) -> Vec<DependencyLink> {
        let mut sums = total.sums;
        sums.retain(|sum| sum.calls > 0);
        sums.sort_unstable_by_key(|sum| Reverse(sum.met));
        let pairs = self.pairs.lock();
        sums.iter().map(|sum| pairs.link(sum.pair, sum.calls, sum.errors)).collect()
    }

    fn is_too_large(&self) -> bool {
        let sums: usize = self.groups.lock().values().map(|group| group.sums.len()).sum();
        sums > SUMS_MAX || self.pairs.lock().len() > PAIRS_MAX
    }
}

/// The generation that queries begin with.
#[derive(Debug, Default)]
pub(super) struct LinkCache {
    current: Mutex<Arc<Generation>>,
    generations: AtomicU32,
}

impl LinkCache {
    pub(super) fn current(&self) -> Arc<Generation> {
        self.current.lock().clone()
    }

    /// Begins anew: what was read of a block is no longer what it holds.
    pub(super) fn forget(&self) {
        let number = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        *self.current.lock() = Arc::new(Generation { number, ..Generation::default() });
    }

    /// Begins anew when a generation has grown too large.
    pub(super) fn tidy(&self, generation: &Generation) {
        if generation.is_too_large() && generation.number == self.current().number {
            self.forget();
        }
    }
}

/// Adds up groups while the blocks are read at a start.
#[derive(Debug)]
pub(super) struct Warming {
    generation: Arc<Generation>,
    groups: BTreeMap<i64, (Vec<Member>, Total)>,
}

impl Warming {
    pub(super) fn new(cache: &LinkCache) -> Self {
        Self { generation: cache.current(), groups: BTreeMap::new() }
    }

    /// Adds a block; `is_dead` tells which traces are elsewhere.
    pub(super) fn add(
        &mut self,
        member: Member,
        traces: &Traces,
        is_dead: impl Fn(u64) -> bool,
    ) -> Result<(), StorageError> {
        let sums = self.generation.sum(traces, |entry| Ok((!is_dead(entry.low)).then_some(entry.max_ms)))?;
        let (members, total) = self.groups.entry(group_of(member.0)).or_default();
        members.push(member);
        sums.iter().for_each(|sum| total.add(sum));
        Ok(())
    }

    pub(super) fn finish(self) {
        for (group, (members, total)) in self.groups {
            self.generation.put_group(group, &members, total);
        }
    }
}
