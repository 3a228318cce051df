//! Rate, errors and durations of a window, without going through traces again that have not changed.
//!
//! As for dependency links a trace belongs to the group of its latest span. What the traces of a group count for is kept as
//! the bytes of a table of minutes, with the number of the write it is true for; writes only note which groups they
//! changed, as they do for links. A group reaches into minutes before it, never into later ones, so a window needs the groups
//! from its start on: those inside it whole, of those above it only the traces that begin before its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::NAME;
use super::shared::Shared;
use crate::model::group_by_millisecond;
use crate::model::red::{CorruptRed, RedAnswer, RedRequest, RedTable};
use crate::storage::index::times::first_ms_of;
use crate::storage::index::trace::Seen;
use crate::storage::index::walk::{Candidate, Probe, Walk};
use crate::storage::index::{group_bounds, group_of};
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// Groups that are kept; further ones are counted again when asked for.
const GROUPS_MAX: usize = 20_000;
/// Bytes of the kept groups, as a part of the bytes that the store may hold: those it leaves free for its own tables.
const BYTES_PART: usize = 16;

/// What the traces of one group count for.
#[derive(Clone, Debug)]
struct GroupRed {
    /// The last write that was seen when it was made.
    write: u64,
    table: Arc<[u8]>,
    left_out: u64,
}

/// Tables that were made before.
#[derive(Debug, Default)]
pub(super) struct RedCache {
    groups: Mutex<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    by_group: BTreeMap<i64, GroupRed>,
    bytes: usize,
}

impl Groups {
    /// The table of a group, if nothing changed since it was made and nothing it knows is later than `write`.
    fn get(&self, group: i64, last_change: u64, write: u64) -> Option<GroupRed> {
        self.by_group.get(&group).filter(|known| last_change <= known.write.min(write)).cloned()
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

impl Shared {
    /// What was asked for, out of every trace with a span in the window.
    pub(super) fn red(&self, request: &RedRequest, budget: &QueryBudget) -> Result<RedAnswer, StorageError> {
        let (from_ms, last_ms) = (request.start_ms(), request.last_ms());
        let mut table = RedTable::new(request.clone());
        if from_ms > last_ms {
            return Ok(table.into_answer());
        }
        // Whole groups, also below the window, because only whole ones can be kept.
        let from_ms = group_bounds(group_of(from_ms)).0;
        let seen = self.index.read().seen();
        let write = seen.write;
        let mut walk = Walk::new(Probe::any(), from_ms, i64::MAX, seen);
        let mut below_ms = i64::MAX;
        while let Some(group) = self.highest_group(from_ms, below_ms) {
            budget.spend(NAME, 0)?;
            let bounds = group_bounds(group);
            let last_change = self.index.read().last_change_of(group);
            let kept = self.red.groups.lock().get(group, last_change, write);
            walk.enter(bounds.0, bounds.1);
            match kept {
                Some(kept) => add(&mut table, &kept)?,
                None if bounds.0 <= last_ms => add(&mut table, &self.red_of_group(group, &mut walk, seen, budget)?)?,
                None => self.put_traces(&mut table, &mut walk, last_ms, seen, budget)?,
            }
            let Some(next) = bounds.0.checked_sub(1) else { break };
            below_ms = next;
        }
        Ok(table.into_answer())
    }

    /// Counts the group that the walk is in, and keeps the result for the next time.
    fn red_of_group(
        &self,
        group: i64,
        walk: &mut Walk<'_>,
        seen: Seen,
        budget: &QueryBudget,
    ) -> Result<GroupRed, StorageError> {
        let write = seen.write;
        let mut everything = RedTable::of_everything();
        self.put_traces(&mut everything, walk, i64::MAX, seen, budget)?;
        let red = GroupRed { write, table: everything.encode().into(), left_out: everything.left_out() };
        let (last_change, lowest) = {
            let index = self.index.read();
            (index.last_change_of(group), index.times.lowest().map_or(i64::MAX, |bucket| group_of(first_ms_of(bucket))))
        };
        let mut groups = self.red.groups.lock();
        groups.tidy(lowest);
        if last_change <= write {
            groups.put(group, red.clone(), self.config.bytes_max / BYTES_PART);
        }
        Ok(red)
    }

    /// Adds the traces of the part of the window that the walk is in, but for those that begin after `last_ms`.
    fn put_traces(
        &self,
        table: &mut RedTable,
        walk: &mut Walk<'_>,
        last_ms: i64,
        seen: Seen,
        budget: &QueryBudget,
    ) -> Result<(), StorageError> {
        let mut candidates: Vec<Candidate> = Vec::new();
        while !walk.is_over() {
            candidates.clear();
            {
                let index = self.index.read();
                walk.visit(&index, &self.hashes, usize::MAX, &mut candidates);
                candidates.retain(|candidate| index.traces[candidate.at as usize].min_ms <= last_ms);
            }
            budget.spend(NAME, 0)?;
            let mut rest = candidates.as_slice();
            while !rest.is_empty() {
                for spans in self.copy(&mut rest, seen) {
                    budget.spend(NAME, spans.len())?;
                    table.put_trace(group_by_millisecond(spans).iter());
                }
            }
        }
        Ok(())
    }

    /// Bytes of tables that are kept.
    #[cfg(test)]
    pub(super) fn red_bytes_kept(&self) -> usize {
        self.red.groups.lock().bytes
    }
}

fn add(table: &mut RedTable, group: &GroupRed) -> Result<(), StorageError> {
    table.add_left_out(group.left_out);
    let corrupt = |error: CorruptRed| StorageError::new(ErrorKind::Corrupt, NAME, "red", error);
    table.add_encoded(&group.table).map_err(corrupt)
}
