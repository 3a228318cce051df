//! Links of a window: tallies of settled traces, and the traces that are in none.
//!
//! Every write leaves a row, in its own transaction, that names its traces: *unsettled* ones. Who has the lease takes such rows,
//! reads their traces, and puts a tally of their calls in the place of the rows, in one transaction. So in any state of the tables a
//! fragment is in its trace's newest tally, or its trace is named as unsettled and read: whatever the order in which writes commit,
//! and whatever clocks say. A trace that changed is in a later tally, too; the latest one counts. Tallies are numbered: one that was
//! made while another process put its own there is made anew.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tokio::time::Instant;

use super::engine::{Engine, TraceSize};
use super::lists::ServiceTraces;
use super::store::SqlStore;
use super::tally::{Tally, TallyBuilder};
use super::trace::{LOAD_TRACES_MAX, Reader, newest_key_ms};
use super::window;
use crate::model::{DependencyLink, DependencyLinker, SpanBatch, link_trace};
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// The same for all background work: tallies are not made while rows are removed.
pub(in crate::storage) const LEASE_NAME: &str = "retention";
const LEASE: Duration = Duration::from_secs(120);
/// A trace is mostly complete after that time; one that is not is tallied once more.
const SETTLE_US: i64 = 5_000_000;
/// Writes of one tally, at most, and traces, about.
const TALLY_WRITES: i64 = 1_024;
const TALLY_TRACES: usize = 50_000;
/// Fragments of one trace, at most: one with more is left to those who ask for it. And of traces that are read at once.
const TRACE_FRAGMENTS_MAX: i64 = 1_000;
const PART_FRAGMENTS: i64 = 4_096;
/// Where as many traces come within [`PAUSE`], a turn goes on for its time, so that few are unsettled.
const BUSY_TRACES: usize = 1_000;
const PAUSE: Duration = Duration::from_secs(2);
const TURN: Duration = Duration::from_secs(20);
/// Tallies read at once.
const PAGE_ROWS: i64 = 32;
/// Unsettled writes, their traces, and traces of tallies, of one answer: with more it is made from the spans.
const UNSETTLED_WRITES_MAX: i64 = 100_000;
const UNSETTLED_TRACES_MAX: i64 = 2_000_000;
const TRACES_MAX: usize = 8_000_000;
/// Spans that seem to be from that much after their arrival go by other rules than their time.
const AHEAD_MS: i64 = 60_000;
/// So many unsettled traces are looked up, some at once, to read those of the window; more are met on a walk through it.
const LOOKED_UP_MAX: usize = 200_000;
const LOOKED_UP_AT_ONCE: usize = 20_000;

/// Links of all traces with a span in the window. Older spans than `kept_ms` may be removed at any time.
pub(super) async fn links(
    reader: &mut Reader,
    kept_ms: i64,
    start_ms: i64,
    end_ms: i64,
) -> Result<Vec<DependencyLink>, StorageError> {
    // Spans without a timestamp have the time 0: no tally tells of them.
    if start_ms > 0 && !reader.has_untold_writes().await? {
        let mut answer = Answer::new(kept_ms, start_ms, end_ms);
        if answer.collect(reader).await? {
            return Ok(answer.sums.into_links());
        }
    }
    let lows = window::traces_in(reader, start_ms, end_ms).await?;
    let mut linker = DependencyLinker::new();
    for lows in lows.chunks(LOAD_TRACES_MAX) {
        let traces = reader.load(lows).await?;
        lows.iter().filter_map(|low| traces.get(low)).for_each(|spans| linker.put_trace(spans.iter()));
    }
    Ok(linker.into_links())
}

/// An answer that is being put together.
struct Answer {
    kept_ms: i64,
    start_ms: i64,
    end_ms: i64,
    sums: Sums,
    /// Their newest tally was met.
    told: HashSet<i64>,
    /// Only their spans tell.
    unsure: Vec<i64>,
}

impl Answer {
    fn new(kept_ms: i64, start_ms: i64, end_ms: i64) -> Self {
        Self { kept_ms, start_ms, end_ms, sums: Sums::default(), told: HashSet::new(), unsure: Vec::new() }
    }

    /// False when the spans themselves are the better way.
    async fn collect(&mut self, reader: &mut Reader) -> Result<bool, StorageError> {
        let mut rows = reader.tallies(i64::MAX, self.start_ms, self.end_ms, PAGE_ROWS).await?;
        if rows.is_empty() {
            return Ok(false);
        }
        let (writes, bytes) = reader.unsettled_size(UNSETTLED_WRITES_MAX).await?;
        if writes == UNSETTLED_WRITES_MAX || bytes / 8 > UNSETTLED_TRACES_MAX {
            return Ok(false);
        }
        let writes = reader.unsettled(i64::MAX, UNSETTLED_WRITES_MAX).await?;
        let unsettled: HashSet<i64> = writes.iter().flat_map(|write| ServiceTraces::read(&write.traces)).collect();
        drop(writes);
        while let Some(last) = rows.last() {
            let below = last.number;
            for row in &rows {
                let Some(tally) = Tally::read(&row.calls, row.max_ms) else {
                    tracing::warn!(number = row.number, "a tally of calls is damaged: links come from the spans");
                    return Ok(false);
                };
                self.add(&tally, &unsettled);
            }
            if self.told.len() > TRACES_MAX {
                return Ok(false);
            }
            rows = match rows.len() as i64 {
                PAGE_ROWS => reader.tallies(below, self.start_ms, self.end_ms, PAGE_ROWS).await?,
                _ => Vec::new(),
            };
        }
        self.add_unsettled(reader, &unsettled).await?;
        Ok(true)
    }

    /// Later tallies come first. A later one of a trace reaches as far as any before, so that it is met where they are.
    fn add(&mut self, tally: &Tally<'_>, unsettled: &HashSet<i64>) {
        let numbers: Vec<usize> = tally.pairs.iter().map(|(parent, child)| self.sums.number(parent, child)).collect();
        for trace in &tally.traces {
            if unsettled.contains(&trace.low) || !self.told.insert(trace.low) {
                continue;
            }
            if trace.max_ms < self.start_ms || trace.min_ms > self.end_ms {
                continue;
            }
            if trace.is_loose
                || trace.min_ms < self.kept_ms
                || trace.max_ms > self.end_ms
                || trace.min_ms < self.start_ms
            {
                self.unsure.push(trace.low);
                continue;
            }
            for (place, (pair, is_error)) in (0..).zip(trace.calls()) {
                self.sums.add(numbers[pair], is_error, (trace.max_ms, trace.low as u64, Reverse(place)));
            }
        }
    }

    async fn add_unsettled(&mut self, reader: &mut Reader, unsettled: &HashSet<i64>) -> Result<(), StorageError> {
        let (start_ms, end_ms) = (self.start_ms, self.end_ms);
        let mut lows = std::mem::take(&mut self.unsure);
        if unsettled.len() <= LOOKED_UP_MAX {
            let unsettled: Vec<i64> = unsettled.iter().copied().collect();
            let mut inside = HashSet::new();
            for part in unsettled.chunks(LOOKED_UP_AT_ONCE) {
                let times = reader.times(part, start_ms, end_ms).await?;
                inside.extend(times.into_iter().map(|row| row.trace_low));
            }
            lows.extend(inside);
        } else {
            let inside = window::traces_in(reader, start_ms, end_ms).await?;
            lows.extend(inside.into_iter().filter(|low| unsettled.contains(low)));
        }
        for lows in lows.chunks(LOAD_TRACES_MAX) {
            for (low, spans) in reader.load(lows).await? {
                let Some(newest_ms) = newest_key_ms(&spans, start_ms, end_ms) else { continue };
                let mut place = 0;
                link_trace(spans.iter(), |call| {
                    let number = self.sums.number(call.parent, call.child);
                    self.sums.add(number, call.is_error, (newest_ms, low as u64, Reverse(place)));
                    place += 1;
                });
            }
        }
        Ok(())
    }
}

/// Where a call comes in zipkin's order: by the newest time of its trace in the window and then its id, descending.
type Place = (i64, u64, Reverse<u32>);

/// Calls by who calls whom, and where the first of them comes.
#[derive(Default)]
struct Sums {
    links: Vec<(DependencyLink, Place)>,
    /// Indexes of `links`, hashed by parent and child.
    known: HashTable<usize>,
    hasher: RandomState,
}

impl Sums {
    fn number(&mut self, parent: &str, child: &str) -> usize {
        let Self { links, known, hasher } = self;
        let hash = hasher.hash_one((parent, child));
        let found = known.find(hash, |&at| links[at].0.parent == parent && links[at].0.child == child);
        if let Some(&at) = found {
            return at;
        }
        let at = links.len();
        known.insert_unique(hash, at, |&at| hasher.hash_one((links[at].0.parent.as_str(), links[at].0.child.as_str())));
        let link = DependencyLink { parent: parent.to_owned(), child: child.to_owned(), call_count: 0, error_count: 0 };
        links.push((link, (i64::MIN, 0, Reverse(u32::MAX))));
        at
    }

    fn add(&mut self, number: usize, is_error: bool, place: Place) {
        let (link, first) = &mut self.links[number];
        link.call_count += 1;
        link.error_count += u64::from(is_error);
        *first = place.max(*first);
    }

    fn into_links(mut self) -> Vec<DependencyLink> {
        self.links.retain(|(link, _)| link.call_count > 0);
        self.links.sort_unstable_by_key(|(_, place)| Reverse(*place));
        self.links.into_iter().map(|(link, _)| link).collect()
    }
}

impl<E: Engine> SqlStore<E> {
    /// Makes tallies of what has settled, in the process that has the lease.
    pub(super) async fn tally(&self) -> Result<(), StorageError> {
        let begun = Instant::now();
        while self.engine.lease(LEASE_NAME, LEASE).await? {
            let traces = self.tally_some().await?;
            if traces < BUSY_TRACES || begun.elapsed() > TURN {
                break;
            }
            if traces < TALLY_TRACES {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Gives how many traces were tallied.
    async fn tally_some(&self) -> Result<usize, StorageError> {
        let settled_us = self.clock.now_ms().saturating_mul(1000).saturating_sub(SETTLE_US);
        let mut reader = self.reader(&QueryBudget::unlimited()).await?;
        let (mut done, mut lows) = (Vec::new(), HashSet::new());
        for write in reader.unsettled(settled_us, TALLY_WRITES).await? {
            if lows.len() >= TALLY_TRACES {
                break;
            }
            lows.extend(ServiceTraces::read(&write.traces));
            done.push(write.id);
        }
        if done.is_empty() {
            return Ok(0);
        }
        let last = reader.last_tally().await?;
        let firm_ms = self.engine.firm_ms();
        let mut lows: Vec<i64> = lows.into_iter().collect();
        lows.sort_unstable();
        let mut tallies = TallyBuilder::default();
        for part in lows.chunks(LOAD_TRACES_MAX) {
            let (sizes, long): (Vec<_>, Vec<_>) =
                reader.sizes(part).await?.into_iter().partition(|size| size.fragments <= TRACE_FRAGMENTS_MAX);
            long.iter().for_each(|size| tallies.push_unread(size));
            let mut rest = sizes.as_slice();
            while !rest.is_empty() {
                let (sizes, after) = rest.split_at(fitting(rest));
                rest = after;
                tally_part(&mut reader, sizes, &firm_ms, &mut tallies).await?;
            }
        }
        drop(reader);
        let is_settled = self.engine.settle(&done, &tallies.finish(), last).await?;
        Ok(if is_settled { lows.len() } else { 0 })
    }
}

/// How many traces are read at once; one at least.
fn fitting(sizes: &[TraceSize]) -> usize {
    let mut fragments = 0;
    let fits = sizes.iter().take_while(|size| {
        fragments += size.fragments;
        fragments <= PART_FRAGMENTS
    });
    fits.count().max(1)
}

async fn tally_part(
    reader: &mut Reader,
    sizes: &[TraceSize],
    firm_ms: &Range<i64>,
    tallies: &mut TallyBuilder,
) -> Result<(), StorageError> {
    let traces = load_sound(reader, sizes).await?;
    for size in sizes {
        let Some((arrived, spans)) = traces.get(&size.trace_low) else {
            tallies.push_unread(size);
            continue;
        };
        let end_ms = firm_ms.end.min(arrived / 1000 + AHEAD_MS);
        tallies.push(size.trace_low, spans, &(firm_ms.start..end_ms));
    }
    Ok(())
}

/// Damaged traces are left out: who asks for their time hears of it.
async fn load_sound(reader: &mut Reader, sizes: &[TraceSize]) -> Result<HashMap<i64, (i64, SpanBatch)>, StorageError> {
    let lows: Vec<i64> = sizes.iter().map(|size| size.trace_low).collect();
    match reader.load_with_arrival(&lows).await {
        Err(error) if error.kind == ErrorKind::Corrupt => {}
        loaded => return loaded,
    }
    let mut traces = HashMap::new();
    for low in lows {
        match reader.load_with_arrival(&[low]).await {
            Err(error) if error.kind == ErrorKind::Corrupt => {
                tracing::warn!(%error, "calls of a damaged trace are not tallied");
            }
            loaded => traces.extend(loaded?),
        }
    }
    Ok(traces)
}
