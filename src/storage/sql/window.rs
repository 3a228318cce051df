//! Traces with a span inside a window, newest key first.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::engine::TimeStep;
use super::rows::EXTENT_MS;
use super::trace::{LOAD_TRACES_MAX, Reader, newest_key_ms};
use crate::storage::StorageError;

/// Rows of the first step, and of the largest.
const STEP_ROWS: (i64, i64) = (64, 4_096);

/// The list of fragments by their newest span, walked from a window's end backwards. No fragment is longer than
/// [`EXTENT_MS`], so a trace that was not met has no span inside the window that is newer than where the walk stands.
pub(super) struct Walk {
    step: TimeStep,
    is_exhausted: bool,
}

impl Walk {
    pub(super) fn new(start_ms: i64, end_ms: i64, first_rows: i64) -> Self {
        let step = TimeStep {
            before: (end_ms.saturating_add(EXTENT_MS), i64::MAX),
            floor_ms: start_ms.max(0),
            end_ms,
            rows: first_rows.clamp(STEP_ROWS.0, STEP_ROWS.1),
        };
        Self { step, is_exhausted: start_ms > end_ms || end_ms < 0 }
    }

    /// A walk over nothing: all candidates are known.
    pub(super) fn over() -> Self {
        Self { is_exhausted: true, ..Self::new(0, 0, 0) }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// The newest key inside the window that a trace can have which was not met yet.
    pub(super) fn bound_ms(&self) -> i64 {
        if self.is_exhausted { i64::MIN } else { self.step.before.0 }
    }

    /// Reads on; gives (trace, newest time) of what is met, repeated traces included.
    pub(super) async fn read_on(&mut self, reader: &mut Reader) -> Result<Vec<(i64, i64)>, StorageError> {
        let rows = reader.newest(self.step).await?;
        self.is_exhausted = (rows.len() as i64) < self.step.rows;
        if let Some(last) = rows.last() {
            self.step.before = (last.max_ms, last.trace_low);
        }
        self.step.rows = (self.step.rows * 2).min(STEP_ROWS.1);
        Ok(rows.into_iter().map(|row| (row.trace_low, row.max_ms)).collect())
    }
}

/// Low halves of the traces with a key in `start_ms..=end_ms`, by newest such key and then low half, descending.
pub(super) async fn traces_in(reader: &mut Reader, start_ms: i64, end_ms: i64) -> Result<Vec<i64>, StorageError> {
    let mut walk = Walk::new(start_ms, end_ms, STEP_ROWS.1);
    let mut newest_ms: HashMap<i64, i64> = HashMap::new();
    // Reach beyond the window: only their spans tell.
    let mut unsure: HashSet<i64> = HashSet::new();
    while !walk.is_exhausted() {
        for (low, max_ms) in walk.read_on(reader).await? {
            if max_ms > end_ms {
                unsure.insert(low);
            } else {
                newest_ms.entry(low).or_insert(max_ms);
            }
        }
    }
    let unsure: Vec<i64> = unsure.into_iter().collect();
    for lows in unsure.chunks(LOAD_TRACES_MAX) {
        for (low, spans) in reader.load(lows).await? {
            match newest_key_ms(&spans, start_ms, end_ms) {
                Some(key_ms) => newest_ms.insert(low, key_ms),
                None => newest_ms.remove(&low),
            };
        }
    }
    let mut order: Vec<(i64, u64)> = newest_ms.into_iter().map(|(low, key_ms)| (key_ms, low as u64)).collect();
    order.sort_unstable_by_key(|&key| Reverse(key));
    Ok(order.into_iter().map(|(_, low)| low as i64).collect())
}
