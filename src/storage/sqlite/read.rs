//! Reading blocks, on threads that may block.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::IntCounter;
use sqlx::{Row, SqlitePool};
use tokio::runtime::Handle;

use super::block::{BlockNames, Find, FrameError, RedView, TermFilter, TraceEntry, Traces};
use super::cache::{Cache, Key};
use super::error::{corrupt, during};
use super::links::SUMS;
use super::live::BlockRef;
use super::live::Live;
use super::live::View;
use super::repair::rebuild;
use super::writer::{CHUNKS_MAX, KINDS_MAX, kind};
use crate::model::{SpanBatch, SpanRef, arrival_order};
use crate::storage::{ErrorKind, StorageError, StorageOptions};

/// Kinds of cached values beside those of views.
const FIND: u8 = 101;
const RECORDS: u8 = 102;
/// Of these a query may want every block's; prefetched.
pub(super) const LASTING: &[u8] = &[kind::TERMS, SUMS];
/// What places of views are called, and no others.
const VIEW: &str = "view ";
/// Damaged places that are remembered by name.
const DAMAGED_MAX: usize = 1_000;

/// Places that could not be read.
#[derive(Debug)]
pub(super) struct Damage {
    places: Mutex<BTreeSet<String>>,
    /// Blocks with a damaged view, which can be made anew.
    views: Mutex<BTreeSet<i64>>,
    pub(super) found: IntCounter,
}

impl Damage {
    pub(super) fn new(found: IntCounter) -> Self {
        Self { places: Mutex::default(), views: Mutex::default(), found }
    }

    /// How many are known.
    pub(super) fn count(&self) -> usize {
        self.places.lock().len()
    }

    /// How many of them cost spans: views are made anew from those of their block.
    pub(super) fn lost(&self) -> usize {
        self.places.lock().iter().filter(|place| !place.contains(VIEW)).count()
    }

    /// Those that are known.
    pub(super) fn places(&self) -> Vec<String> {
        self.places.lock().iter().map(|place| format!("{place} is damaged")).collect()
    }

    /// Blocks with a view that was found damaged since the last call.
    pub(super) fn take_views(&self) -> BTreeSet<i64> {
        std::mem::take(&mut self.views.lock())
    }

    /// A block has a damaged view.
    pub(super) fn note_views(&self, block: i64) {
        self.views.lock().insert(block);
    }

    /// The views of a block are whole again.
    pub(super) fn mended(&self, block: i64) {
        let of_block = format!("block {block} {VIEW}");
        self.places.lock().retain(|place| !place.starts_with(&of_block));
    }

    /// Notes a place; told once.
    pub(super) fn note(&self, place: &str, error: &dyn std::fmt::Display) {
        let mut places = self.places.lock();
        if places.len() < DAMAGED_MAX && places.insert(place.to_owned()) {
            self.found.inc();
            tracing::error!(place, %error, "a part of the database is damaged; what is elsewhere can be read");
        }
    }
}

/// All records of a chunk.
#[derive(Debug)]
pub(super) struct ChunkRecords {
    ends: Vec<u32>,
    spans: SpanBatch,
}

impl ChunkRecords {
    /// How many traces there are.
    pub(super) fn traces(&self) -> usize {
        self.ends.len()
    }

    /// Appends the spans of a trace, if it is there.
    fn copy_trace(&self, low: u64, target: &mut SpanBatch) {
        let start = |place: usize| if place == 0 { 0 } else { self.ends[place - 1] };
        let low_at = |place: usize| SpanRef::peek_trace_low(self.spans.record(start(place) as usize));
        let (mut from, mut to) = (0, self.ends.len());
        while from < to {
            let middle = from.midpoint(to);
            if low_at(middle).is_some_and(|found| found < low) { from = middle + 1 } else { to = middle }
        }
        if from < self.ends.len() && low_at(from) == Some(low) {
            self.copy(from as u32, target);
        }
    }

    /// Appends the spans of the trace at a place.
    pub(super) fn copy(&self, place: u32, target: &mut SpanBatch) {
        let at = place as usize;
        let Some(end) = self.ends.get(at) else { return };
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        (start..*end).for_each(|span| target.push_record(self.spans.record(span as usize)));
    }
}

/// Reads values of blocks through a cache.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) pool: SqlitePool,
    pub(super) cache: Arc<Cache>,
    pub(super) handle: Handle,
    pub(super) damage: Arc<Damage>,
}

impl Reader {
    /// The traces of a block of so many chunks: its view, or, where that is damaged, what its spans give.
    pub(super) fn traces(&self, block: i64, chunks: u32) -> Result<Arc<Traces>, StorageError> {
        match self.view(block, kind::TRACES, Traces::read, Traces::memory_bytes) {
            Err(error) if error.kind == ErrorKind::Corrupt => {
                let options = StorageOptions { search_enabled: false, ..StorageOptions::default() };
                Ok(self.put_traces(block, rebuild(self, block, chunks, &options)?.traces))
            }
            traces => traces,
        }
    }

    pub(super) fn terms(&self, block: i64) -> Result<Arc<TermFilter>, StorageError> {
        self.view(block, kind::TERMS, TermFilter::read, TermFilter::memory_bytes)
    }

    /// Reads the term filters of some blocks in one statement, as far as they are not there: what is damaged is found by who wants it.
    pub(super) fn prefetch_terms(&self, blocks: impl Iterator<Item = i64>) -> Result<(), StorageError> {
        let wanted = |block: &i64| !self.cache.has((*block, kind::TERMS, 0));
        let ids: Vec<i64> = blocks.filter(wanted).map(|block| block * KINDS_MAX + i64::from(kind::TERMS)).collect();
        if ids.len() < 2 {
            return Ok(());
        }
        let sql = "SELECT view.id, view.value FROM view WHERE view.id IN (SELECT value FROM json_each(?1))";
        let rows = sqlx::query(sql).bind(format!("{ids:?}")).fetch_all(&self.pool);
        for row in self.handle.block_on(rows).map_err(during("read"))? {
            let id: i64 = row.try_get(0).map_err(during("read"))?;
            if let Ok(filter) = TermFilter::read(row.try_get(1).map_err(during("read"))?) {
                self.keep((id / KINDS_MAX, kind::TERMS, 0), filter, TermFilter::memory_bytes);
            }
        }
        Ok(())
    }

    pub(super) fn red(&self, block: i64) -> Result<Arc<RedView>, StorageError> {
        self.view(block, kind::RED, RedView::read, RedView::memory_bytes)
    }

    /// Not kept in the cache: asked for seldom.
    pub(super) fn names(&self, block: i64) -> Result<BlockNames, StorageError> {
        let place = view_place(kind::NAMES);
        let read = || {
            let value = self.view_value(block, kind::NAMES)?;
            BlockNames::read(&value).map_err(|error| damaged(block, &place, &error))
        };
        self.damageable_view(block, &place, read)
    }

    pub(super) fn put_traces(&self, block: i64, traces: Traces) -> Arc<Traces> {
        self.keep((block, kind::TRACES, 0), traces.shrunk(), Traces::memory_bytes)
    }

    pub(super) fn find(&self, block: i64, chunk: u32) -> Result<Arc<Find>, StorageError> {
        let key = (block, FIND, chunk);
        if let Some(known) = self.cache.get(key) {
            return Ok(known);
        }
        let place = format!("chunk {chunk}");
        self.damageable(block, &place, || {
            let row = self.fetch("SELECT find FROM chunk WHERE id = ?1", chunk_id(block, chunk))?;
            let value: &[u8] = row.try_get(0).map_err(during("read"))?;
            let find = Find::read(value).map_err(|error| damaged(block, &place, &error))?;
            Ok(self.keep(key, find, Find::memory_bytes))
        })
    }

    pub(super) fn records(&self, block: i64, chunk: u32) -> Result<Arc<ChunkRecords>, StorageError> {
        let key = (block, RECORDS, chunk);
        if let Some(known) = self.cache.get(key) {
            return Ok(known);
        }
        let place = format!("chunk {chunk}");
        self.damageable(block, &place, || {
            let row = self.fetch("SELECT find, rest FROM chunk WHERE id = ?1", chunk_id(block, chunk))?;
            let (find, rest): (&[u8], &[u8]) =
                (row.try_get(0).map_err(during("read"))?, row.try_get(1).map_err(during("read"))?);
            let read = || {
                let find = Find::read(find)?;
                let spans = find.records(rest)?;
                let ends = (0..find.lows().len()).map(|trace| find.spans_of(trace).end as u32).collect();
                Ok(ChunkRecords { ends, spans })
            };
            let records = read().map_err(|error: FrameError| damaged(block, &place, &error))?;
            Ok(self.keep(key, records, |records| records.spans.memory_bytes() + records.ends.len() * 4))
        })
    }

    /// Where a trace lies in a block, unless a later one has taken it.
    pub(super) fn entry(&self, known: &BlockRef, low: u64) -> Result<Option<TraceEntry>, StorageError> {
        if !known.block.may_hold(low) || known.dead.contains(&low) {
            return Ok(None);
        }
        let traces = self.traces(known.block.id, known.block.chunks)?;
        Ok(traces.find(low).map(|at| traces.entries[at]))
    }

    /// Appends the spans of a trace of a block.
    pub(super) fn copy(&self, block: i64, entry: &TraceEntry, target: &mut SpanBatch) -> Result<(), StorageError> {
        self.records(block, entry.chunk)?.copy(entry.place, target);
        Ok(())
    }

    /// All spans of a trace in zipkin's order, wherever they are.
    pub(super) fn trace(&self, live: &Live, view: &View, low: u64) -> Result<SpanBatch, StorageError> {
        let mut spans = SpanBatch::new();
        for known in view.blocks.iter().filter(|known| known.block.may_hold(low) && !known.dead.contains(&low)) {
            // Its entry would take reading the view of the whole block.
            if let Some(chunk) = known.block.chunk_of(low) {
                self.records(known.block.id, chunk)?.copy_trace(low, &mut spans);
            }
        }
        spans.append(&in_memory(live, view, low));
        Ok(arrival_order(spans))
    }

    fn keep<T: Send + Sync + 'static>(&self, key: Key, value: T, bytes: impl Fn(&T) -> usize) -> Arc<T> {
        let bytes = bytes(&value);
        let value = Arc::new(value);
        self.cache.put(key, &value, bytes);
        value
    }

    fn view<T: Send + Sync + 'static>(
        &self,
        block: i64,
        kind: u8,
        read: impl Fn(&[u8]) -> Result<T, FrameError>,
        bytes: impl Fn(&T) -> usize,
    ) -> Result<Arc<T>, StorageError> {
        if let Some(known) = self.cache.get((block, kind, 0)) {
            return Ok(known);
        }
        let place = view_place(kind);
        self.damageable_view(block, &place, || {
            let value = read(&self.view_value(block, kind)?).map_err(|error| damaged(block, &place, &error))?;
            Ok(self.keep((block, kind, 0), value, &bytes))
        })
    }

    pub(super) fn view_value(&self, block: i64, kind: u8) -> Result<Vec<u8>, StorageError> {
        let row = self.fetch("SELECT value FROM view WHERE id = ?1", block * KINDS_MAX + i64::from(kind))?;
        row.try_get(0).map_err(during("read"))
    }

    fn fetch(&self, sql: &'static str, id: i64) -> Result<sqlx::sqlite::SqliteRow, StorageError> {
        let row = self.handle.block_on(sqlx::query(sql).bind(id).fetch_optional(&self.pool)).map_err(during("read"))?;
        row.ok_or_else(|| corrupt("read", format!("row {id} is missing ({sql})")))
    }

    fn damageable_view<T>(
        &self,
        block: i64,
        place: &str,
        read: impl FnOnce() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.damageable(block, place, read).inspect_err(|error| {
            if error.kind == ErrorKind::Corrupt {
                self.damage.note_views(block);
            }
        })
    }

    fn damageable<T>(
        &self,
        block: i64,
        place: &str,
        read: impl FnOnce() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        read().inspect_err(|error| {
            if error.kind == ErrorKind::Corrupt {
                self.damage.note(&format!("block {block} {place}"), error);
            }
        })
    }
}

fn view_place(kind: u8) -> String {
    format!("{VIEW}{kind}")
}

fn chunk_id(block: i64, chunk: u32) -> i64 {
    block * CHUNKS_MAX + i64::from(chunk)
}

fn damaged(block: i64, place: &str, error: &FrameError) -> StorageError {
    corrupt("read", format!("block {block} {place} {error}"))
}

/// The spans of a trace that are in memory, as they arrived.
pub(super) fn in_memory(live: &Live, view: &View, low: u64) -> SpanBatch {
    let index = live.index.read();
    let found = index.find_seen(low, live.hashes.low(low), view.seen);
    found.map(|at| index.copy(&index.traces[at as usize], view.seen)).unwrap_or_default()
}

/// The spans of each of some traces that are in memory, as they arrived, in one visit to the index.
pub(super) fn all_in_memory(live: &Live, view: &View, lows: &[u64]) -> Vec<SpanBatch> {
    if lows.is_empty() {
        return Vec::new();
    }
    let index = live.index.read();
    let spans = |low: &u64| {
        let found = index.find_seen(*low, live.hashes.low(*low), view.seen);
        found.map(|at| index.copy(&index.traces[at as usize], view.seen)).unwrap_or_default()
    };
    lows.iter().map(spans).collect()
}

/// What a damaged place would have given is left out of answers over many traces; its damage is noted.
pub(super) fn unless_damaged<T: Default>(result: Result<T, StorageError>) -> Result<T, StorageError> {
    match result {
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(T::default()),
        result => result,
    }
}
