//! Rate, errors and durations of the traces in memory, without going through those again that have not changed.
//!
//! As for dependency links a trace belongs to the group of its latest span. What the traces of a group count for is kept as
//! the bytes of a table of minutes, with the number of the write it is true for; writes only note which groups they
//! changed, as they do for links. A group reaches into minutes before it, never into later ones, so a window needs the groups
//! from its start on: those inside it whole, of those above it only the traces that begin before its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;
use parking_lot::{Mutex, RwLock};

use super::prepare::Hashes;
use super::times::first_ms_of;
use super::trace::Seen;
use super::walk::{Candidate, Probe, Walk};
use super::{Index, group_bounds, group_of};
use crate::model::group_by_millisecond;
use crate::model::red::{CorruptRed, RedTable};
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// Groups that are kept; further ones are counted again when asked for.
const GROUPS_MAX: usize = 20_000;
/// Bytes of the kept groups, as a part of the bytes that the store may hold: those it leaves free for its own tables.
const BYTES_PART: usize = 16;

/// What the traces of one group count for.
#[derive(Clone, Debug)]
struct GroupRed {
    /// What was seen when it was made.
    seen: Seen,
    table: Arc<[u8]>,
    left_out: u64,
}

/// Tables that were made before.
#[derive(Debug, Default)]
pub(in crate::storage) struct RedCache {
    groups: Mutex<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    by_group: BTreeMap<i64, GroupRed>,
    bytes: usize,
}

impl Groups {
    /// The table of a group, if nothing changed since it was made and nothing it knows is later than what is seen.
    fn get(&self, group: i64, last_change: u64, seen: Seen) -> Option<GroupRed> {
        let is_true =
            |known: &&GroupRed| known.seen.epoch == seen.epoch && last_change <= known.seen.write.min(seen.write);
        self.by_group.get(&group).filter(is_true).cloned()
    }

    fn put(&mut self, group: i64, red: GroupRed, bytes_max: usize) {
        self.remove(group);
        if self.by_group.len() < GROUPS_MAX && self.bytes + red.table.len() <= bytes_max {
            self.bytes += red.table.len();
            self.by_group.insert(group, red);
        }
    }

    fn remove(&mut self, group: i64) {
        self.bytes -= self.by_group.remove(&group).map_or(0, |known| known.table.len());
    }

    /// Forgets the groups whose traces are gone.
    fn tidy(&mut self, lowest: i64) {
        while let Some(group) = self.by_group.first_key_value().map(|known| *known.0).filter(|group| *group < lowest) {
            self.remove(group);
        }
    }
}

impl RedCache {
    /// Bytes of tables that are kept.
    #[cfg(test)]
    pub(in crate::storage) fn bytes_kept(&self) -> usize {
        self.groups.lock().bytes
    }
}

/// The traces that a query counts.
pub(in crate::storage) struct Counting<'q> {
    /// Whose they are, for errors.
    pub(in crate::storage) store: &'static str,
    pub(in crate::storage) index: &'q RwLock<Index>,
    pub(in crate::storage) hashes: &'q Hashes,
    pub(in crate::storage) cache: &'q RedCache,
    /// What the query sees.
    pub(in crate::storage) seen: Seen,
    /// Traces, by low id, that are left out. A trace comes among them, or leaves them, only with a write to it or a new epoch.
    pub(in crate::storage) elsewhere: &'q HashSet<u64>,
    /// How much the store may hold.
    pub(in crate::storage) bytes_max: usize,
    pub(in crate::storage) budget: &'q QueryBudget,
}

impl Counting<'_> {
    /// Adds every trace with a span between two times.
    ///
    /// # Errors
    /// When the budget ends.
    pub(in crate::storage) fn add_to(
        &self,
        table: &mut RedTable,
        from_ms: i64,
        last_ms: i64,
    ) -> Result<(), StorageError> {
        // Whole groups, also below the window, because only whole ones can be kept.
        let from_ms = group_bounds(group_of(from_ms)).0;
        let mut walk = Walk::new(Probe::any(), from_ms, i64::MAX, self.seen);
        let mut below_ms = i64::MAX;
        while let Some(group) = self.highest_group(from_ms, below_ms) {
            self.budget.spend(self.store, 0)?;
            let bounds = group_bounds(group);
            let last_change = self.index.read().last_change_of(group);
            let kept = self.cache.groups.lock().get(group, last_change, self.seen);
            walk.enter(bounds.0, bounds.1);
            match kept {
                Some(kept) => self.add(table, &kept)?,
                None if bounds.0 <= last_ms => self.add(table, &self.red_of_group(group, &mut walk)?)?,
                None => self.put_traces(table, &mut walk, last_ms)?,
            }
            let Some(next) = bounds.0.checked_sub(1) else { break };
            below_ms = next;
        }
        Ok(())
    }

    fn highest_group(&self, from_ms: i64, to_ms: i64) -> Option<i64> {
        self.index.read().highest_group(from_ms, to_ms)
    }

    /// Counts the group that the walk is in, and keeps the result for the next time.
    fn red_of_group(&self, group: i64, walk: &mut Walk<'_>) -> Result<GroupRed, StorageError> {
        let mut everything = RedTable::of_everything();
        self.put_traces(&mut everything, walk, i64::MAX)?;
        let red = GroupRed { seen: self.seen, table: everything.encode().into(), left_out: everything.left_out() };
        let (last_change, lowest) = {
            let index = self.index.read();
            (index.last_change_of(group), index.times.lowest().map_or(i64::MAX, |bucket| group_of(first_ms_of(bucket))))
        };
        let mut groups = self.cache.groups.lock();
        groups.tidy(lowest);
        if last_change <= self.seen.write {
            groups.put(group, red.clone(), self.bytes_max / BYTES_PART);
        }
        Ok(red)
    }

    /// Adds the traces of the part of the window that the walk is in, but for those that begin after `last_ms`.
    fn put_traces(&self, table: &mut RedTable, walk: &mut Walk<'_>, last_ms: i64) -> Result<(), StorageError> {
        let mut candidates: Vec<Candidate> = Vec::new();
        while !walk.is_over() {
            candidates.clear();
            {
                let index = self.index.read();
                walk.visit(&index, self.hashes, usize::MAX, &mut candidates);
                candidates.retain(|candidate| index.traces[candidate.at as usize].min_ms <= last_ms);
            }
            candidates.retain(|candidate| !self.elsewhere.contains(&candidate.low));
            self.budget.spend(self.store, 0)?;
            let mut rest = candidates.as_slice();
            while !rest.is_empty() {
                let copies = self.index.read().copy_some(&mut rest, self.seen);
                for spans in copies {
                    self.budget.spend(self.store, spans.len())?;
                    table.put_trace(group_by_millisecond(spans).iter());
                }
            }
        }
        Ok(())
    }

    fn add(&self, table: &mut RedTable, group: &GroupRed) -> Result<(), StorageError> {
        table.add_left_out(group.left_out);
        let corrupt = |error: CorruptRed| StorageError::new(ErrorKind::Corrupt, self.store, "red", error);
        table.add_encoded(&group.table).map_err(corrupt)
    }
}
