//! Traces in the order of their ids.

use parking_lot::RwLock;

use super::Index;
use super::trace::Seen;

/// Traces found at once: each time costs a look at all of them.
const FOUND_MAX: usize = 8_192;
/// Traces looked at in one visit to the index.
const VISIT_TRACES: usize = 16_384;

/// Gives the low halves of the ids of traces that are seen, from `from` on, ascending, to `take`, until it says that it took one no
/// more. Gives the first that was not taken, `None` after the last; ends now and then by itself.
///
/// # Errors
/// Those of `take`.
pub(in crate::storage) fn by_id<E>(
    index: &RwLock<Index>,
    from: u64,
    seen: Seen,
    mut take: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Option<u64>, E> {
    let lows = lows_from(index, from, seen);
    for low in &lows {
        if !take(*low)? {
            return Ok(Some(*low));
        }
    }
    let last = lows.last().filter(|_| lows.len() == FOUND_MAX);
    Ok(last.and_then(|low| low.checked_add(1)))
}

/// The next of them. A trace keeps its place for as long as it is seen, so that the lock may be given back in between.
fn lows_from(index: &RwLock<Index>, from: u64, seen: Seen) -> Vec<u64> {
    let (mut lows, mut at) = (Vec::new(), 0);
    loop {
        let index = index.read();
        let part = index.traces.iter().skip(at).take(VISIT_TRACES);
        let seen = part.filter(|trace| trace.low >= from && !trace.is_free() && trace.is_seen(seen));
        lows.extend(seen.map(|trace| trace.low));
        at += VISIT_TRACES;
        if at >= index.traces.len() {
            break;
        }
    }
    if lows.len() > FOUND_MAX {
        lows.select_nth_unstable(FOUND_MAX);
        lows.truncate(FOUND_MAX);
    }
    lows.sort_unstable();
    lows
}
