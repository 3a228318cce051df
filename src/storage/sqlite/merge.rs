//! Putting small blocks together, like a log-structured tree, and leaving out what is dead.
//!
//! Small blocks come from quiet times, when spans are sealed because of their age. Four or more neighbours of like size become one,
//! so a span is written again at most once for each time its block grows fourfold, and never once its block is of full size.

use std::sync::Arc;

use super::Store;
use super::block::{BlockBuilder, TraceEntry};
use super::error::corrupt;
use super::live::{BlockRef, Change};
use super::seal::{Sealed, quietly};
use crate::model::{SpanBatch, without_duplicates};
use crate::storage::{ErrorKind, StorageError};

/// Fewest blocks put together.
const MERGE_MIN: usize = 4;
/// Longest time a merged block spans, as part of the longest age: expired spans go with their block.
const EXTENT_PART: i64 = 8;
/// The same when nothing expires.
const EXTENT_MAX_MS: i64 = 86_400_000;

/// Neighbours to be put together now.
pub(super) fn choose(blocks: &[BlockRef], first_row: i64, spans_max: u64, extent_max_ms: i64) -> Option<&[BlockRef]> {
    // Which spans of newer rows such a block has is only known as long as it is by itself.
    let is_settled = |known: &BlockRef| known.block.covers_to < first_row;
    let settled = blocks.iter().take_while(|known| is_settled(known)).count();
    let blocks = &blocks[..settled];
    let is_mostly_dead = |known: &&BlockRef| known.dead.len() as u64 * 2 > known.block.figures.traces;
    if let Some(at) = blocks.iter().position(|known| is_mostly_dead(&known)) {
        return Some(&blocks[at..=at]);
    }
    for from in 0..blocks.len() {
        let (mut sum, mut largest) = (0, 0);
        let (mut oldest_ms, mut newest_ms) = (i64::MAX, i64::MIN);
        let mut best = None;
        for (at, known) in blocks.iter().enumerate().skip(from) {
            let spans = known.block.figures.spans;
            (sum, largest) = (sum + spans, largest.max(spans));
            (oldest_ms, newest_ms) = (oldest_ms.min(known.block.arrived_ms), newest_ms.max(known.block.arrived_ms));
            if sum > spans_max || newest_ms - oldest_ms > extent_max_ms {
                break;
            }
            if at + 1 - from >= MERGE_MIN && largest <= sum / 2 {
                best = Some(&blocks[from..=at]);
            }
        }
        if best.is_some() {
            return best;
        }
    }
    None
}

impl Store {
    /// Puts blocks together once; false when there is nothing to do. The caller has the housekeeping lock.
    pub(super) async fn merge_once(self: &Arc<Self>) -> Result<bool, StorageError> {
        let unmergeable = self.unmergeable.lock().clone();
        let blocks: Vec<BlockRef> =
            self.live.blocks().iter().filter(|known| !unmergeable.contains(&known.block.id)).cloned().collect();
        let first_row = self.live.rows().front().map_or(i64::MAX, |row| row.id);
        let age = self.config.retention_max_age;
        let extent_ms =
            age.map_or(EXTENT_MAX_MS, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX) / EXTENT_PART);
        let spans_max = self.config.recent_spans_max as u64 / 2;
        let Some(chosen) = choose(&blocks, first_row, spans_max, extent_ms) else { return Ok(false) };
        let chosen = chosen.to_vec();
        let removed: Vec<i64> = chosen.iter().map(|known| known.block.id).collect();
        let store = Arc::clone(self);
        let merged = match quietly(move || store.merged(&chosen)).await {
            // Noted; a copy of what is damaged would not be better.
            Err(error) if error.kind == ErrorKind::Corrupt => {
                self.unmergeable.lock().extend(removed);
                return Ok(true);
            }
            merged => merged?,
        };
        self.store_sealed(merged, None, &removed).await?;
        tracing::debug!(blocks = removed.len(), "blocks were merged");
        self.renew_names().await?;
        Ok(true)
    }

    fn merged(&self, blocks: &[BlockRef]) -> Result<Sealed, StorageError> {
        let mut places: Vec<(u64, usize, TraceEntry)> = Vec::new();
        for (at, known) in blocks.iter().enumerate() {
            let traces = self.reader.traces(known.block.id, known.block.chunks)?;
            let alive = traces.entries.iter().filter(|entry| !known.dead.contains(&entry.low));
            places.extend(alive.map(|entry| (entry.low, at, *entry)));
        }
        places.sort_unstable_by_key(|(low, at, _)| (*low, *at));
        let expiry = self.expiry();
        let mut builder = BlockBuilder::new(&self.live.options.autocomplete_keys, self.live.options.search_enabled);
        let mut expired = 0;
        for parts in places.chunk_by(|left, right| left.0 == right.0) {
            let is_expired = |(_, at, entry): &(u64, usize, TraceEntry)| {
                expiry.is_some_and(|expiry| expiry.has(entry.max_ms, blocks[*at].block.arrived_ms))
            };
            if parts.iter().all(is_expired) {
                expired += parts.iter().map(|(_, _, entry)| u64::from(entry.spans)).sum::<u64>();
                continue;
            }
            let mut spans = SpanBatch::new();
            for (_, at, entry) in parts {
                self.reader.copy(blocks[*at].block.id, entry, &mut spans)?;
            }
            let spans = without_duplicates(spans);
            builder.push(parts[0].0, &spans).map_err(|error| corrupt("merge", error.to_string()))?;
        }
        let newest = |of: fn(&BlockRef) -> i64| blocks.iter().map(of).max().unwrap_or(0);
        let sealed_to = newest(|known| known.block.sealed_to);
        let covers_to = newest(|known| known.block.covers_to);
        let built = self.finish(builder, sealed_to, covers_to, newest(|known| known.block.arrived_ms))?;
        Ok(Sealed { built, change: Change::default(), expired })
    }
}
