//! Reading all of it: blocks in the order they were made, then what is in memory.
//!
//! Whatever happens to a trace moves it to a block that is made later, so a scan that goes on behind a place misses nothing that
//! lay behind it, even when blocks were merged and memory was sealed meanwhile.

use super::block::TraceEntry;
use super::error::corrupt;
use super::live::{BlockRef, Live, RecentRow, View};
use super::load::LoadedBlocks;
use super::read::{Reader, in_memory};
use super::row;
use crate::model::{SpanBatch, arrival_order};
use crate::storage::index::by_id;
use crate::storage::{ErrorKind, ScanCursor, ScanPage, ScanRequest, StorageError, StorageOptions};

/// A page under way.
struct Scan<'a> {
    live: &'a Live,
    reader: &'a Reader,
    view: &'a View,
    request: &'a ScanRequest,
    /// By number.
    blocks: Vec<&'a BlockRef>,
    page: ScanPage,
    spans: usize,
}

/// The next page behind the cursor.
pub(super) fn page(live: &Live, reader: &Reader, view: &View, request: &ScanRequest) -> Result<ScanPage, StorageError> {
    let mut blocks: Vec<&BlockRef> = view.blocks.iter().collect();
    blocks.sort_by_key(|known| known.block.id);
    Scan { live, reader, view, request, blocks, page: ScanPage::default(), spans: 0 }.run()
}

/// What a server would hold in memory of a file with these blocks and rows (number, time, spans).
pub(super) fn live(
    reader: &Reader,
    loaded: &LoadedBlocks,
    rows: Vec<(i64, i64, Vec<u8>)>,
) -> Result<Live, StorageError> {
    let options = StorageOptions { search_enabled: false, ..StorageOptions::default() };
    let live = Live::new(options, loaded.blocks.clone(), loaded.divided.clone());
    for (id, arrived_ms, value) in rows {
        let mut spans = SpanBatch::new();
        if let Err(error) = row::decode(&value, &mut spans) {
            reader.damage.note(&format!("recent {id}"), &corrupt("scan", error.to_string()));
            continue;
        }
        for known in loaded.blocks.iter().filter(|known| known.block.covers_to >= id) {
            // The block has them already.
            let traces = reader.traces(known.block.id, known.block.chunks)?;
            spans.retain(|span| traces.find(span.trace_id.low()).is_none());
        }
        live.add(RecentRow { id, spans: spans.len(), arrived_ms }, &spans);
    }
    Ok(live)
}

/// Places of blocks are even; memory comes behind the last block there is, and before any that is made later.
fn part_of(block: i64) -> i64 {
    block * 2
}

/// Behind that trace of a part; behind all that comes before the part when there is none.
fn behind(part: i64, low: Option<u64>) -> ScanCursor {
    low.map_or(ScanCursor { part: part - 1, low: u64::MAX }, |low| ScanCursor { part, low })
}

impl Scan<'_> {
    fn run(mut self) -> Result<ScanPage, StorageError> {
        let in_blocks: u64 = self.blocks.iter().map(|known| known.block.figures.spans).sum();
        let all = in_blocks + self.live.held().0 as u64;
        let mut before = 0;
        for at in 0..self.blocks.len() {
            let known = self.blocks[at];
            let part = part_of(known.block.id);
            let from = match self.request.after {
                Some(after) if after.part > part => None,
                Some(after) if after.part == part => after.low.checked_add(1),
                _ => Some(0),
            };
            if let Some(from) = from
                && let Some(done) = self.block(known, from)?
            {
                let read = before as f64 + done * known.block.figures.spans as f64;
                self.page.share = Some(read / all.max(1) as f64);
                return Ok(self.page);
            }
            before += known.block.figures.spans;
        }
        self.page.share = Some(before as f64 / all.max(1) as f64);
        let part = self.blocks.last().map_or(0, |known| part_of(known.block.id)) + 1;
        let from = match self.request.after {
            Some(after) if after.part == part => after.low.checked_add(1),
            _ => Some(0),
        };
        if let Some(from) = from {
            self.memory(part, from)?;
        }
        Ok(self.page)
    }

    /// Traces of a block; `Some` when the page is full, with the part of the block that was read.
    fn block(&mut self, known: &BlockRef, from: u64) -> Result<Option<f64>, StorageError> {
        let figures = &known.block.figures;
        // What a trace has elsewhere may be inside the window.
        if !self.request.may_want(figures.min_ms, figures.max_ms) && self.view.split.is_empty() {
            return Ok(None);
        }
        let Some(traces) = self.unless_damaged(self.reader.traces(known.block.id, known.block.chunks))? else {
            return Ok(None);
        };
        let first = traces.entries.partition_point(|entry| entry.low < from);
        let part = part_of(known.block.id);
        for (at, entry) in traces.entries.iter().enumerate().skip(first) {
            if self.is_full() {
                self.page.next = Some(behind(part, at.checked_sub(1).map(|at| traces.entries[at].low)));
                return Ok(Some(at as f64 / traces.entries.len() as f64));
            }
            if !known.dead.contains(&entry.low)
                && let Some(spans) = self.of_entry(known, entry)?
            {
                self.take(spans);
            }
        }
        Ok(None)
    }

    /// The trace, if this block is the first of its places and it may be wanted.
    fn of_entry(&mut self, known: &BlockRef, entry: &TraceEntry) -> Result<Option<SpanBatch>, StorageError> {
        if self.view.split.contains(&entry.low) {
            let id = known.block.id;
            let earlier = self.blocks.iter().take_while(|known| known.block.id < id).copied().collect::<Vec<_>>();
            if self.is_in(&earlier, entry.low)? {
                return Ok(None);
            }
            return self.unless_damaged(self.reader.trace(self.live, self.view, entry.low));
        }
        if !self.request.may_want(entry.min_ms, entry.max_ms) {
            return Ok(None);
        }
        let mut spans = SpanBatch::new();
        let copied = self.reader.copy(known.block.id, entry, &mut spans);
        Ok(self.unless_damaged(copied)?.map(|()| arrival_order(spans)))
    }

    fn is_in(&mut self, blocks: &[&BlockRef], low: u64) -> Result<bool, StorageError> {
        for known in blocks {
            if self.unless_damaged(self.reader.entry(known, low))?.flatten().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Traces that are in memory alone.
    fn memory(&mut self, part: i64, from: u64) -> Result<(), StorageError> {
        let (live, seen) = (self.live, self.view.seen);
        let next = by_id(&live.index, from, seen, |low| {
            if self.is_full() {
                return Ok(false);
            }
            let blocks = self.blocks.clone();
            if !self.view.split.contains(&low) || !self.is_in(&blocks, low)? {
                self.take(arrival_order(in_memory(self.live, self.view, low)));
            }
            Ok::<_, StorageError>(true)
        })?;
        self.page.next = next.map(|next| behind(part, next.checked_sub(1)));
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.request.is_full(self.spans)
    }

    fn take(&mut self, spans: SpanBatch) {
        if self.request.wants(&spans) {
            self.spans += spans.len();
            self.page.traces.push(spans);
        }
    }

    /// Counts what is damaged and goes on without it.
    fn unless_damaged<T>(&mut self, result: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == ErrorKind::Corrupt => {
                self.page.damaged += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
