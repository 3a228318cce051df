//! Traces in the order of their ids.

use super::Index;
use super::trace::Seen;

impl Index {
    /// Low halves of the ids of traces that are seen, from `from` on, ascending, at most `max` of them.
    pub(in crate::storage) fn lows_from(&self, from: u64, seen: Seen, max: usize) -> Vec<u64> {
        let seen = self.traces.iter().filter(|trace| trace.low >= from && !trace.is_free() && trace.is_seen(seen));
        let mut lows: Vec<u64> = seen.map(|trace| trace.low).collect();
        if lows.len() > max {
            lows.select_nth_unstable(max);
            lows.truncate(max);
        }
        lows.sort_unstable();
        lows
    }
}
