//! Moving the oldest spans from memory and `recent` into a block.
//!
//! A block takes the oldest writes, and with them everything else that has come of their traces: what later writes brought, and
//! what older blocks hold (those lose the trace then). So a trace is in one place, unless it grew so large that taking it over
//! again and again would cost too much.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Store;
use super::block::{BlockBuilder, BuiltBlock};
use super::error::{corrupt, during, unavailable};
use super::links::keep_sums;
use super::live::{Block, Change, Plan, RecentRow, in_blocks, short_id};
use super::names;
use super::writer::{Commit, Writer};
use crate::model::{SpanBatch, SpanRef, without_duplicates};
use crate::storage::{ErrorKind, StorageError};

const OPERATION: &str = "seal";
/// A trace with more spans in a block stays there, whatever comes later.
const TAKE_SPANS_MAX: u32 = 8_192;
/// Times the size at which sealing begins, at which writers wait for it.
const FULL: usize = 4;

/// Times that size at which it no longer goes on quietly.
const HURRY: usize = 2;
/// How much a quiet thread lets others go before (as of nice(1)).
const QUIET: i32 = 10;

/// A block that is built and not stored.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) built: Option<(Block, BuiltBlock)>,
    pub(super) change: Change,
    /// Spans that were left out because they are too old.
    pub(super) expired: u64,
}

/// What retention does not keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    /// Newest span before the first, arrived before the second.
    pub(super) before_ms: i64,
    pub(super) stayed_ms: i64,
}

impl Expiry {
    /// Whether what has its newest span at a time (0: none) and arrived at another goes.
    pub(super) fn has(self, newest_ms: i64, arrived_ms: i64) -> bool {
        let newest_ms = if newest_ms > 0 { newest_ms.min(arrived_ms) } else { arrived_ms };
        newest_ms < self.before_ms && arrived_ms < self.stayed_ms
    }
}

impl Store {
    /// The row up to which to seal now, if there is so much in memory.
    fn due(&self) -> Option<i64> {
        let rows = self.live.rows();
        let spans: usize = rows.iter().map(|row| row.spans).sum();
        let is_due = spans >= self.config.recent_spans_max || self.live.held().1 >= self.recent_bytes_max();
        if is_due { row_at(&rows, spans / 2) } else { None }
    }

    /// Bytes in memory at which sealing begins: less when the file may only be small.
    fn recent_bytes_max(&self) -> usize {
        let share = usize::try_from(self.bytes_max / 8).unwrap_or(usize::MAX);
        self.config.recent_bytes_max.min(share.max(64 << 10))
    }

    /// Whether writers have to wait for sealing.
    pub(super) fn is_full(&self) -> bool {
        let (spans, bytes) = (self.live.held().0, self.live.memory_bytes());
        spans >= FULL * self.config.recent_spans_max || bytes >= FULL * self.config.recent_bytes_max
    }

    /// Whether sealing has to hurry, so that writers need not wait for it: no quietly then.
    fn is_behind(&self) -> bool {
        let (spans, bytes) = (self.live.held().0, self.live.memory_bytes());
        spans >= HURRY * self.config.recent_spans_max || bytes >= HURRY * self.config.recent_bytes_max
    }

    pub(super) fn is_seal_due(&self) -> bool {
        let (spans, bytes) = self.live.held();
        spans >= self.config.recent_spans_max || bytes >= self.recent_bytes_max()
    }

    /// Seals as long as there is too much in memory.
    pub(super) async fn seal_while_due(self: &Arc<Self>) -> Result<(), StorageError> {
        let _alone = self.housekeeping.lock().await;
        while let Some(sealed_to) = self.due() {
            self.seal(sealed_to).await?;
        }
        Ok(())
    }

    /// Seals the rows up to one. The caller has the housekeeping lock.
    pub(super) async fn seal(self: &Arc<Self>, sealed_to: i64) -> Result<(), StorageError> {
        let plan = Arc::new(self.live.plan(sealed_to));
        let (store, planned) = (Arc::clone(self), Arc::clone(&plan));
        let build = move || store.build(&planned);
        let sealed = if self.is_behind() { on_blocking_thread(build).await? } else { quietly(build).await? };
        self.store_sealed(sealed, Some(&plan), &[]).await?;
        self.live.forget_hidden();
        self.room.notify_waiters();
        Ok(())
    }

    fn build(&self, plan: &Plan) -> Result<Sealed, StorageError> {
        let blocks = self.live.blocks();
        let lows: Vec<u64> = plan.traces.iter().map(|(low, _)| *low).collect();
        let mut older: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, low) in in_blocks(&lows, blocks.iter().map(|known| &*known.block)) {
            older.entry(low).or_default().push(at);
        }
        let rows = self.live.rows();
        let arrived_ms = |write: u64| {
            let after = rows.partition_point(|row| row.id <= write as i64);
            after.checked_sub(1).and_then(|at| rows.get(at)).map_or(0, |row| row.arrived_ms)
        };
        let expiry = self.expiry();
        let mut builder = BlockBuilder::new(&self.live.options.autocomplete_keys, self.live.options.search_enabled);
        let mut sealed = Sealed { built: None, change: Change::default(), expired: 0 };
        let mut from = 0;
        while from < plan.traces.len() {
            let copies = self.live.copy(plan, from);
            from += copies.len();
            for (low, last_write, spans) in copies {
                let mut all = SpanBatch::new();
                if let Some(places) = older.get(&low) {
                    self.take_over(low, places.iter().map(|at| &blocks[*at]), &mut all, &mut sealed.change)?;
                }
                let is_divided = sealed.change.divided.last() == Some(&low);
                let spans = if all.is_empty() {
                    spans
                } else {
                    all.append(&spans);
                    without_duplicates(all)
                };
                let newest_ms = spans.records().map(SpanRef::peek_timestamp_ms).max().unwrap_or(0);
                if !is_divided && expiry.is_some_and(|expiry| expiry.has(newest_ms, arrived_ms(last_write))) {
                    sealed.expired += spans.len() as u64;
                    continue;
                }
                builder.push(low, &spans).map_err(|error| corrupt(OPERATION, error.to_string()))?;
            }
        }
        let covers_to = plan.seen.write as i64;
        sealed.built = self.finish(builder, plan.sealed_to, covers_to, arrived_ms(plan.seen.write))?;
        Ok(sealed)
    }

    /// What older blocks have of a trace, in order of arrival.
    fn take_over<'a>(
        &self,
        low: u64,
        places: impl Iterator<Item = &'a super::live::BlockRef>,
        all: &mut SpanBatch,
        change: &mut Change,
    ) -> Result<(), StorageError> {
        let mut entries = Vec::new();
        for known in places {
            match self.reader.entry(known, low) {
                Ok(Some(entry)) => entries.push((known.block.id, entry)),
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Corrupt => {}
                Err(error) => return Err(error),
            }
        }
        let is_too_large = entries.iter().map(|(_, entry)| entry.spans).sum::<u32>() > TAKE_SPANS_MAX;
        let read = || {
            let mut taken = SpanBatch::new();
            for (block, entry) in &entries {
                self.reader.copy(*block, entry, &mut taken)?;
            }
            Ok::<_, StorageError>(taken)
        };
        match if is_too_large { Err(corrupt(OPERATION, "too large")) } else { read() } {
            Ok(taken) => {
                *all = taken;
                change.taken.extend(entries.iter().map(|(block, _)| (*block, low)));
            }
            // What cannot be read, or should not be again and again, stays where it is.
            Err(error) if error.kind == ErrorKind::Corrupt => change.divided.push(low),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The block that a builder made, with its number and place.
    pub(super) fn finish(
        &self,
        builder: BlockBuilder<'_>,
        sealed_to: i64,
        covers_to: i64,
        arrived_ms: i64,
    ) -> Result<Option<(Block, BuiltBlock)>, StorageError> {
        let built = builder.finish().map_err(|error| corrupt(OPERATION, error.to_string()))?;
        let Some(built) = built else { return Ok(None) };
        let chunks: usize = built.chunks.iter().map(|chunk| chunk.find.len() + chunk.rest.len()).sum();
        let views =
            built.traces_value.len() + built.names_value.len() + built.terms_value.len() + built.red_value.len();
        let mut ids: Vec<u32> = built.traces.entries.iter().map(|entry| short_id(entry.low)).collect();
        ids.sort_unstable();
        let block = Block {
            id: self.next_block.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            figures: built.figures,
            arrived_ms,
            sealed_to,
            covers_to,
            bytes: (chunks + views) as u64,
            chunks: built.chunks.len() as u32,
            ids: ids.into(),
            first_lows: built.traces.first_lows(),
            outline: built.names.outline(),
        };
        Ok(Some((block, built)))
    }

    /// Stores a block in place of rows or other blocks, and shows it.
    pub(super) async fn store_sealed(
        &self,
        sealed: Sealed,
        plan: Option<&Plan>,
        removed: &[i64],
    ) -> Result<(), StorageError> {
        let Sealed { built, mut change, expired } = sealed;
        if let Err(error) = self.commit_sealed(built.as_ref(), &change, plan, removed).await {
            if let Some((block, _)) = &built {
                // What was stored of it is nobody's; the next attempt makes another block.
                self.note_unfinished(block.id);
            }
            return Err(error);
        }
        self.step("blocks changed");
        if expired > 0 {
            self.metrics.removed_spans.with_label_values(&["age"]).inc_by(expired);
        }
        change.removed = removed.to_vec();
        if let Some((block, built)) = built {
            let (id, spans, traces) = (block.id, block.figures.spans, block.figures.traces);
            tracing::debug!(id, spans, traces, bytes = block.bytes, taken = change.taken.len(), "a block was sealed");
            let left_out = names::add(&mut self.names.lock(), &built.names, &self.live.options);
            self.metrics.names_left_out.inc_by(left_out);
            // The block is stored: nothing may end this half-way now. Without the sums, a question makes them.
            if let Err(error) = keep_sums(&self.reader, &self.links, id, &built.traces) {
                tracing::warn!(id, %error, "the calls of a new block could not be added up");
            }
            self.reader.put_traces(id, built.traces);
            change.added = Some(Arc::new(block));
        }
        self.note_garbage(removed);
        self.live.change(plan, change);
        if let Some(plan) = plan {
            self.links.forget_traces(plan.traces.iter().map(|(_, at)| *at));
        }
        Ok(())
    }
}

impl Store {
    /// Stores the values of a block, and then in one transaction everything that changes with it.
    async fn commit_sealed(
        &self,
        built: Option<&(Block, BuiltBlock)>,
        change: &Change,
        plan: Option<&Plan>,
        removed: &[i64],
    ) -> Result<(), StorageError> {
        if let Some((block, built)) = built {
            let mut next = 0;
            while next < built.chunks.len() {
                let mut writer = self.writer.lock().await;
                next =
                    open_writer(&mut writer)?.store_chunks(block.id, next, built).await.map_err(during(OPERATION))?;
                drop(writer);
                self.step("chunks stored");
            }
        }
        let damaged_rows = self.damaged_rows.lock().clone();
        let commit = Commit {
            block: built.map(|(block, built)| (block, built)),
            sealed_to: plan.map(|plan| plan.sealed_to),
            damaged_rows: &damaged_rows,
            removed,
            taken: &change.taken,
        };
        let mut writer = self.writer.lock().await;
        open_writer(&mut writer)?.commit(&commit).await.map_err(during(OPERATION))
    }
}

/// The row up to which there are so many spans.
pub(super) fn row_at(rows: &std::collections::VecDeque<RecentRow>, spans: usize) -> Option<i64> {
    let mut sum = 0;
    for row in rows {
        sum += row.spans;
        if sum >= spans {
            return Some(row.id);
        }
    }
    rows.back().map(|row| row.id)
}

pub(super) fn open_writer(writer: &mut Option<Writer>) -> Result<&mut Writer, StorageError> {
    writer.as_mut().ok_or_else(|| unavailable(OPERATION, "the store is closed"))
}

/// Runs what takes long on a thread that may block.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|panic| Err(unavailable(OPERATION, panic.to_string())))
}

/// Runs what takes long on a thread of its own that lets queries and writes go before.
pub(super) async fn quietly<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let (sender, done) = tokio::sync::oneshot::channel();
    let quiet = move || {
        // Of this thread alone. Without it the work is done all the same.
        let _ = rustix::process::nice(QUIET);
        let _ = sender.send(work());
    };
    std::thread::Builder::new()
        .name("sqlite-quietly".to_owned())
        .spawn(quiet)
        .map_err(|error| unavailable(OPERATION, error.to_string()))?;
    done.await.unwrap_or_else(|_| Err(unavailable(OPERATION, "the work ended by a panic")))
}
