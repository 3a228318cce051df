//! What readers look at: the newest spans in memory, and the list of blocks. Sync; knows no SQL.
//!
//! Spans that came since the last sealing are in an [`Index`], under the number of their row in the table `recent`. Sealing moves
//! traces from there to a block in one step (an *epoch*): a reader sees the state of the epoch and of the write it began with,
//! however long it takes. Hidden traces are forgotten when no reader of an earlier epoch is left.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use hashbrown::HashSet;
use parking_lot::{Mutex, RwLock};

use super::block::{Figures, Outline, mix};
use crate::model::SpanBatch;
use crate::storage::StorageOptions;
use crate::storage::index::prepare::{Hashes, Prepared};
use crate::storage::index::red::RedCache;
use crate::storage::index::trace::Seen;
use crate::storage::index::{Index, Limits};

/// Traces forgotten, or copied, in one visit to the index.
const VISIT_TRACES: usize = 64;
/// New traces are looked up in blocks one by one up to here, together beyond.
const FEW: usize = 64;

/// A block as it is known in memory.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: i64,
    pub(super) figures: Figures,
    /// When the last of its spans arrived.
    pub(super) arrived_ms: i64,
    /// Rows of `recent` up to the first are in blocks whole; rows up to the second, as far as they are of its traces.
    pub(super) sealed_to: i64,
    pub(super) covers_to: i64,
    pub(super) bytes: u64,
    pub(super) chunks: u32,
    /// Short hashes of its low trace ids, ascending.
    pub(super) ids: Box<[u32]>,
    /// The first low trace id of each chunk.
    pub(super) first_lows: Box<[u64]>,
    pub(super) outline: Outline,
}

/// The short hash of a low trace id.
pub(super) fn short_id(low: u64) -> u32 {
    (mix(low) >> 32) as u32
}

impl Block {
    /// False: the trace is surely not there.
    pub(super) fn may_hold(&self, low: u64) -> bool {
        self.ids.binary_search(&short_id(low)).is_ok()
    }

    /// The only chunk that may have the trace.
    pub(super) fn chunk_of(&self, low: u64) -> Option<u32> {
        self.first_lows.partition_point(|first| *first <= low).checked_sub(1).map(|chunk| chunk as u32)
    }

    /// When its newest span was made, as far as that is believed: not after it arrived.
    pub(super) fn newest_ms(&self) -> i64 {
        if self.figures.max_ms > 0 { self.figures.max_ms.min(self.arrived_ms) } else { self.arrived_ms }
    }
}

/// A block, and those of its traces that a later block has taken over.
#[derive(Clone, Debug)]
pub(super) struct BlockRef {
    pub(super) block: Arc<Block>,
    pub(super) dead: Arc<HashSet<u64>>,
}

/// A row of `recent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentRow {
    pub(super) id: i64,
    pub(super) spans: usize,
    pub(super) arrived_ms: i64,
}

/// One state of everything.
#[derive(Debug)]
pub(super) struct View {
    pub(super) seen: Seen,
    /// By age, the oldest first.
    pub(super) blocks: Arc<Vec<BlockRef>>,
    /// Traces with spans in more than one place.
    pub(super) split: Arc<HashSet<u64>>,
    _epoch: Arc<()>,
}

#[derive(Debug)]
struct State {
    epoch: u32,
    blocks: Arc<Vec<BlockRef>>,
    /// Held by the views of this epoch.
    token: Arc<()>,
}

/// What a sealing takes out of memory.
#[derive(Debug)]
pub(super) struct Plan {
    /// Rows up to here are wholly in it.
    pub(super) sealed_to: i64,
    /// What is sealed of each trace: everything up to here.
    pub(super) seen: Seen,
    /// Low id and place of each trace, by low id.
    pub(super) traces: Vec<(u64, u32)>,
}

/// What changes with a new epoch.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Blocks that go.
    pub(super) removed: Vec<i64>,
    pub(super) added: Option<Arc<Block>>,
    /// Traces that a block loses to the new one.
    pub(super) taken: Vec<(i64, u64)>,
    /// Traces that stay in several blocks.
    pub(super) divided: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct Live {
    pub(super) options: StorageOptions,
    pub(super) hashes: Hashes,
    pub(super) index: RwLock<Index>,
    /// What traces in memory count for.
    pub(super) red: RedCache,
    state: RwLock<State>,
    split: Mutex<Arc<HashSet<u64>>>,
    rows: Mutex<VecDeque<RecentRow>>,
    /// Traces to be forgotten once the views of an epoch are gone.
    hidden: Mutex<VecDeque<(Weak<()>, Vec<u32>)>>,
}

impl Live {
    pub(super) fn new(options: StorageOptions, blocks: Vec<BlockRef>, divided: HashSet<u64>) -> Self {
        let mut index = Index::new(Limits { spans_max: usize::MAX, bytes_max: usize::MAX }, &options);
        index.note_fresh();
        Self {
            options,
            hashes: Hashes::default(),
            index: RwLock::new(index),
            red: RedCache::default(),
            state: RwLock::new(State { epoch: 0, blocks: Arc::new(blocks), token: Arc::default() }),
            split: Mutex::new(Arc::new(divided)),
            rows: Mutex::default(),
            hidden: Mutex::default(),
        }
    }

    /// Adds the spans of a row that is stored.
    pub(super) fn add(&self, row: RecentRow, spans: &SpanBatch) {
        let StorageOptions { search_enabled, autocomplete_keys, .. } = &self.options;
        let prepared = Prepared::new(spans, &self.hashes, *search_enabled, autocomplete_keys);
        let state = self.state.read();
        self.rows.lock().push_back(row);
        let seen = Seen { write: row.id as u64, epoch: state.epoch };
        self.index.write().insert_as(&prepared, &self.hashes, seen);
    }

    pub(super) fn blocks(&self) -> Arc<Vec<BlockRef>> {
        self.state.read().blocks.clone()
    }

    /// Rows that are not sealed, the oldest first.
    pub(super) fn rows(&self) -> VecDeque<RecentRow> {
        self.rows.lock().clone()
    }

    /// Spans in memory and their bytes, about, without what is sealed and kept for readers of earlier epochs: sealing again
    /// would not make room of that, and would cut traces that are still coming in.
    pub(super) fn held(&self) -> (usize, usize) {
        let index = self.index.read();
        let (shown, all) = (index.shown_spans(), index.spans().max(1));
        (shown, (index.bytes() as u128 * shown as u128 / all as u128) as usize)
    }

    /// Bytes of everything in memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.index.read().bytes()
    }

    pub(super) fn view(&self) -> View {
        let state = self.state.read();
        let seen = Seen { write: self.index.read().writes(), epoch: state.epoch };
        let split = self.resolve(&state.blocks);
        View { seen, blocks: state.blocks.clone(), split, _epoch: state.token.clone() }
    }

    /// The traces with spans in several places, after looking where new ones are.
    fn resolve(&self, blocks: &[BlockRef]) -> Arc<HashSet<u64>> {
        let mut split = self.split.lock();
        if self.index.read().has_fresh() {
            let fresh = self.index.write().take_fresh();
            let found = in_blocks(&fresh, blocks.iter().map(|known| &*known.block));
            if !found.is_empty() {
                Arc::make_mut(&mut split).extend(found.into_iter().map(|(_, low)| low));
            }
        }
        split.clone()
    }

    /// What to seal so that all rows up to `sealed_to` are in blocks: their traces, with all that came of them.
    pub(super) fn plan(&self, sealed_to: i64) -> Plan {
        let state = self.state.read();
        let index = self.index.read();
        let seen = Seen { write: index.writes(), epoch: state.epoch };
        let wanted = index
            .traces
            .iter()
            .zip(0..)
            .filter(|(trace, _)| !trace.is_free() && trace.is_seen(seen) && trace.first_write <= sealed_to as u64);
        let mut traces: Vec<(u64, u32)> = wanted.map(|(trace, at)| (trace.low, at)).collect();
        drop((index, state));
        traces.sort_unstable();
        Plan { sealed_to, seen, traces }
    }

    /// Copies the spans of planned traces, with the number of the last write that brought one.
    pub(super) fn copy(&self, plan: &Plan, from: usize) -> Vec<(u64, u64, SpanBatch)> {
        let index = self.index.read();
        let part = plan.traces[from..].iter().take(VISIT_TRACES);
        part.map(|(low, at)| {
            let trace = &index.traces[*at as usize];
            (*low, trace.last_write.min(plan.seen.write), index.copy(trace, plan.seen))
        })
        .collect()
    }

    /// Begins a new epoch: what was planned is no longer in memory, except what came later.
    pub(super) fn change(&self, plan: Option<&Plan>, change: Change) {
        let mut state = self.state.write();
        let mut index = self.index.write();
        let mut split = self.split.lock();
        let epoch = state.epoch + 1;
        let mut later: Vec<(u64, SpanBatch)> = Vec::new();
        if let Some(plan) = plan {
            for (low, at) in &plan.traces {
                later.extend(index.copy_after(&index.traces[*at as usize], plan.seen.write));
                index.hide(*at, epoch, &self.hashes);
                if split.contains(low) {
                    Arc::make_mut(&mut split).remove(low);
                }
            }
            index.keep_shown_fresh(&self.hashes);
            self.rows.lock().retain(|row| row.id > plan.sealed_to);
        }
        let StorageOptions { search_enabled, autocomplete_keys, .. } = &self.options;
        for (write, spans) in later {
            let prepared = Prepared::new(&spans, &self.hashes, *search_enabled, autocomplete_keys);
            index.insert_as(&prepared, &self.hashes, Seen { write, epoch });
        }
        if !change.divided.is_empty() {
            Arc::make_mut(&mut split).extend(change.divided.iter().copied());
        }
        state.blocks = Arc::new(changed(&state.blocks, change));
        state.epoch = epoch;
        let before = std::mem::take(&mut state.token);
        let places = plan.map(|plan| plan.traces.iter().map(|(_, at)| *at).collect()).unwrap_or_default();
        self.hidden.lock().push_back((Arc::downgrade(&before), places));
    }

    /// Forgets what no reader sees any more.
    pub(super) fn forget_hidden(&self) {
        loop {
            let mut hidden = self.hidden.lock();
            // In order: views of an epoch before this one may still look at it.
            if hidden.front().is_none_or(|(token, _)| token.strong_count() > 0) {
                return;
            }
            let Some((_, places)) = hidden.pop_front() else { return };
            drop(hidden);
            for part in places.chunks(VISIT_TRACES) {
                let mut index = self.index.write();
                part.iter().for_each(|at| index.remove(*at, &self.hashes));
            }
            self.index.write().tidy_times();
        }
    }
}

fn changed(blocks: &[BlockRef], change: Change) -> Vec<BlockRef> {
    let mut blocks: Vec<BlockRef> =
        blocks.iter().filter(|known| !change.removed.contains(&known.block.id)).cloned().collect();
    for (id, low) in change.taken {
        if let Some(known) = blocks.iter_mut().find(|known| known.block.id == id) {
            Arc::make_mut(&mut known.dead).insert(low);
        }
    }
    blocks.extend(change.added.map(|block| BlockRef { block, dead: Arc::default() }));
    blocks.sort_by_key(|known| (known.block.sealed_to, known.block.id));
    blocks
}

/// Which of the traces may be in which blocks: index of the block, low id; by block and in the order given.
pub(super) fn in_blocks<'a>(lows: &[u64], blocks: impl Iterator<Item = &'a Block>) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    if lows.len() <= FEW {
        for (at, block) in blocks.enumerate() {
            found.extend(lows.iter().filter(|low| block.may_hold(**low)).map(|low| (at, *low)));
        }
        return found;
    }
    let mut wanted: Vec<(u32, u64)> = lows.iter().map(|low| (short_id(*low), *low)).collect();
    wanted.sort_unstable();
    for (at, block) in blocks.enumerate() {
        let mut ids = block.ids.iter().peekable();
        for (short, low) in &wanted {
            while ids.next_if(|id| *id < short).is_some() {}
            if ids.peek() == Some(&short) {
                found.push((at, *low));
            }
        }
    }
    found
}
