//! Rate, errors and durations of a window.
//!
//! A block's table of minutes is added as it was stored, unless some of its traces have gone elsewhere: then its other traces are
//! counted anew, once, and the table is kept in the cache. Traces in memory are counted as in the memory store, split ones when asked.

use std::sync::Arc;

use super::block::RedView;
use super::error::{NAME, corrupt};
use super::live::{BlockRef, Live, View, in_blocks};
use super::read::{Reader, unless_damaged};
use crate::model::red::{RedAnswer, RedRequest, RedTable};
use crate::model::{SpanBatch, arrival_order};
use crate::storage::index::red::Counting;
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// Kind of tables made anew in the cache.
const COUNTED: u8 = 104;

/// Tables of traces in memory take as much as those of a memory store of that size.
const MEMORY_BYTES: usize = 256 << 20;

/// A table made anew, and how many traces of the block were elsewhere then.
#[derive(Debug)]
struct Counted {
    elsewhere: usize,
    red: Arc<RedView>,
}

/// What was asked for, out of every trace with a span in the window.
pub(super) fn answer(
    live: &Live,
    reader: &Reader,
    view: &View,
    request: &RedRequest,
    budget: &QueryBudget,
) -> Result<RedAnswer, StorageError> {
    let (start_ms, last_ms) = (request.start_ms(), request.last_ms());
    let mut table = RedTable::new(request.clone());
    budget.spend(NAME, 0)?;
    if start_ms > last_ms {
        return Ok(table.into_answer());
    }
    let split: Vec<u64> = view.split.iter().copied().collect();
    let mut split_in = vec![0; view.blocks.len()];
    in_blocks(&split, view.blocks.iter().map(|known| &*known.block)).into_iter().for_each(|(at, _)| split_in[at] += 1);
    for (known, split_in) in view.blocks.iter().zip(split_in) {
        if start_ms <= known.block.figures.max_ms && known.block.figures.min_ms <= last_ms {
            budget.spend(NAME, 0)?;
            let red = unless_damaged(of_block(reader, view, known, split_in, budget))?;
            table.add_left_out(red.left_out);
            if !red.table.is_empty() {
                table.add_encoded(&red.table).map_err(|error| corrupt("red", error.to_string()))?;
            }
        }
    }
    let counting = Counting {
        store: NAME,
        index: &live.index,
        hashes: &live.hashes,
        cache: &live.red,
        seen: view.seen,
        elsewhere: &view.split,
        bytes_max: MEMORY_BYTES,
        budget,
    };
    counting.add_to(&mut table, start_ms, last_ms)?;
    for low in split {
        let spans = unless_damaged(reader.trace(live, view, low))?;
        budget.spend(NAME, spans.len())?;
        table.put_trace(spans.iter());
    }
    Ok(table.into_answer())
}

fn of_block(
    reader: &Reader,
    view: &View,
    known: &BlockRef,
    split: usize,
    budget: &QueryBudget,
) -> Result<Arc<RedView>, StorageError> {
    let id = known.block.id;
    let elsewhere = known.dead.len() + split;
    if elsewhere == 0 {
        match reader.red(id) {
            // Counted anew from its spans.
            Err(error) if error.kind == ErrorKind::Corrupt => {}
            red => return red,
        }
    }
    let key = (id, COUNTED, 0);
    if split == 0
        && let Some(kept) = reader.cache.get::<Counted>(key).filter(|kept| kept.elsewhere == elsewhere)
    {
        return Ok(kept.red.clone());
    }
    let mut table = RedTable::of_everything();
    for entry in &reader.traces(id, known.block.chunks)?.entries {
        if known.dead.contains(&entry.low) || view.split.contains(&entry.low) {
            continue;
        }
        let mut spans = SpanBatch::new();
        unless_damaged(reader.copy(id, entry, &mut spans))?;
        budget.spend(NAME, spans.len())?;
        table.put_trace(arrival_order(spans).iter());
    }
    let red = Arc::new(RedView::of(&table));
    if split == 0 {
        reader.cache.put(key, &Arc::new(Counted { elsewhere, red: red.clone() }), red.memory_bytes());
    }
    Ok(red)
}
