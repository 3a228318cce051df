//! Dependency links of a window, without linking again what has not changed.
//!
//! Time is cut into groups of about eight seconds; a trace belongs to the group of its latest span. The links of a group
//! are kept with the number of the write they are true for, and taken as they are when the group lies inside the window
//! and nothing of it changed since. The order of links is that of zipkin: traces by their newest span inside the window.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::NAME;
use super::shared::Shared;
use crate::model::{DependencyLink, DependencyLinker, group_by_millisecond};
use crate::storage::index::pairs::Pairs;
use crate::storage::index::times::{bucket_of, first_ms_of};
use crate::storage::index::trace::Seen;
use crate::storage::index::walk::{Candidate, Probe, Walk};
use crate::storage::index::{group_bounds, group_of};
use crate::storage::{QueryBudget, StorageError};

/// Groups that are kept; beyond it all are forgotten and made again when asked for.
const GROUPS_MAX: usize = 20_000;
/// Pairs of services that are known by number; beyond it likewise.
const PAIRS_MAX: usize = 100_000;
/// Traces looked at in one visit.
const VISIT_TRACES: usize = 2_048;

/// Calls between a pair of services, by number.
#[derive(Clone, Copy, Debug)]
struct PairCalls {
    pair: u32,
    calls: u64,
    errors: u64,
}

/// The links of a group in the order of its traces.
#[derive(Clone, Debug)]
struct GroupLinks {
    /// The last write that was seen when they were made.
    write: u64,
    calls: Arc<[PairCalls]>,
}

/// Links that were made before. A query works with one generation from its start to its end, so that numbers of pairs
/// stay true when another query begins a new one.
#[derive(Debug, Default)]
pub(super) struct LinkCache {
    current: Mutex<Arc<Generation>>,
}

#[derive(Debug, Default)]
struct Generation {
    groups: Mutex<BTreeMap<i64, GroupLinks>>,
    pairs: Mutex<Pairs>,
}

impl Generation {
    /// The links of a group, if nothing changed since they were made and nothing they know is later than `write`.
    fn get(&self, group: i64, last_change: u64, write: u64) -> Option<Arc<[PairCalls]>> {
        let groups = self.groups.lock();
        let links = groups.get(&group).filter(|links| last_change <= links.write.min(write))?;
        Some(links.calls.clone())
    }

    fn put(&self, group: i64, write: u64, calls: Arc<[PairCalls]>) {
        self.groups.lock().insert(group, GroupLinks { write, calls });
    }

    fn numbered(&self, links: &[DependencyLink]) -> Arc<[PairCalls]> {
        let mut pairs = self.pairs.lock();
        let numbered = links.iter().map(|link| PairCalls {
            pair: pairs.number(&link.parent, &link.child),
            calls: link.call_count,
            errors: link.error_count,
        });
        numbered.collect()
    }

    fn is_too_large(&self) -> bool {
        self.groups.lock().len() > GROUPS_MAX || self.pairs.lock().len() > PAIRS_MAX
    }
}

/// Adds up the links of groups, keeping the order of first appearance.
#[derive(Default)]
struct Sum {
    order: Vec<u32>,
    /// Calls and errors by pair; no calls: not met yet.
    counts: Vec<(u64, u64)>,
}

impl Sum {
    fn add(&mut self, calls: &[PairCalls]) {
        for &PairCalls { pair, calls, errors } in calls {
            if self.counts.len() <= pair as usize {
                self.counts.resize(pair as usize + 1, (0, 0));
            }
            let count = &mut self.counts[pair as usize];
            if count.0 == 0 {
                self.order.push(pair);
            }
            count.0 += calls;
            count.1 += errors;
        }
    }

    fn into_links(self, pairs: &Pairs) -> Vec<DependencyLink> {
        let link = |pair: u32| {
            let (call_count, error_count) = self.counts[pair as usize];
            pairs.link(pair, call_count, error_count)
        };
        self.order.iter().map(|pair| link(*pair)).collect()
    }
}

impl Shared {
    /// The links of all traces with a span in the window.
    pub(super) fn dependencies(
        &self,
        from_ms: i64,
        to_ms: i64,
        budget: &QueryBudget,
    ) -> Result<Vec<DependencyLink>, StorageError> {
        let generation = self.links.current.lock().clone();
        let seen = self.index.read().seen();
        let write = seen.write;
        let mut walk = Walk::new(Probe::any(), from_ms, to_ms, seen);
        let mixed = self.groups_of_overlapping(&mut walk, to_ms, seen, budget)?;
        let mut sum = Sum::default();
        let mut below_ms = to_ms;
        let highest = |below_ms| self.index.read().highest_group(from_ms, below_ms);
        while let Some(group) = highest(below_ms) {
            budget.spend(NAME, 0)?;
            let bounds = group_bounds(group);
            let is_whole = from_ms <= bounds.0 && bounds.1 <= to_ms && !mixed.contains(&group);
            let last_change = self.index.read().last_change_of(group);
            let kept = if is_whole { generation.get(group, last_change, write) } else { None };
            let calls = match kept {
                Some(calls) => calls,
                None => {
                    walk.enter(bounds.0, bounds.1);
                    let calls = generation.numbered(&self.link(&mut walk, seen, budget)?);
                    if is_whole && self.index.read().last_change_of(group) <= write {
                        generation.put(group, write, calls.clone());
                    }
                    calls
                }
            };
            sum.add(&calls);
            let Some(next) = bounds.0.checked_sub(1) else { break };
            below_ms = next;
        }
        self.tidy_links(&generation);
        let pairs = generation.pairs.lock();
        Ok(sum.into_links(&pairs))
    }

    /// Groups inside the window that get a trace whose latest span is beyond it. Usually the window ends now, and there
    /// is nothing beyond.
    fn groups_of_overlapping(
        &self,
        walk: &mut Walk<'_>,
        to_ms: i64,
        seen: Seen,
        budget: &QueryBudget,
    ) -> Result<BTreeSet<i64>, StorageError> {
        let mut groups = BTreeSet::new();
        let mut next = i64::MAX;
        loop {
            budget.spend(NAME, 0)?;
            let index = self.index.read();
            let mut looked_at = 0;
            while looked_at < VISIT_TRACES {
                let Some((bucket, traces)) = index.times.highest_between(bucket_of(to_ms), next) else {
                    return Ok(groups);
                };
                looked_at += traces.len().max(1);
                for &at in traces {
                    let trace = &index.traces[at as usize];
                    let is_overlapping = !trace.is_free() && trace.min_ms <= to_ms && to_ms < trace.max_ms;
                    if is_overlapping && trace.is_seen(seen) {
                        groups.extend(walk.latest_of(&index, at).map(group_of));
                    }
                }
                let Some(below) = bucket.checked_sub(1) else { return Ok(groups) };
                next = below;
            }
        }
    }

    /// Links the traces of the part of the window that the walk is in.
    fn link(&self, walk: &mut Walk<'_>, seen: Seen, budget: &QueryBudget) -> Result<Vec<DependencyLink>, StorageError> {
        let mut linker = DependencyLinker::new();
        let mut candidates: Vec<Candidate> = Vec::new();
        while !walk.is_over() {
            candidates.clear();
            walk.visit(&self.index.read(), &self.hashes, usize::MAX, &mut candidates);
            budget.spend(NAME, 0)?;
            let mut rest = candidates.as_slice();
            while !rest.is_empty() {
                let copies = self.index.read().copy_some(&mut rest, seen);
                for spans in copies {
                    budget.spend(NAME, spans.len())?;
                    linker.put_trace(group_by_millisecond(spans).iter());
                }
            }
        }
        Ok(linker.into_links())
    }

    /// Forgets groups whose traces are gone, and all of them when there are too many.
    fn tidy_links(&self, generation: &Arc<Generation>) {
        let lowest = self.index.read().times.lowest().map_or(i64::MAX, |bucket| group_of(first_ms_of(bucket)));
        {
            let mut groups = generation.groups.lock();
            *groups = groups.split_off(&lowest);
        }
        if generation.is_too_large() {
            let mut current = self.links.current.lock();
            if Arc::ptr_eq(&current, generation) {
                *current = Arc::default();
            }
        }
    }
}
