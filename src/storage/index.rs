//! Spans in memory and everything that finds them: the whole of the memory store, the newest part of others.
//!
//! Records lie in large segments, a trace is a short list of their places. Traces are found by id, by buckets of time, and
//! past a small filter of everything they can be asked for. The owner guards an [`Index`] with a lock; a query takes the lock
//! for some ten microseconds at a time and goes by the number of the last write it may see.

mod filter;
pub(super) mod names;
pub(super) mod pairs;
pub(super) mod prepare;
pub(super) mod red;
mod scan;
mod segments;
pub(super) mod times;
pub(super) mod trace;
pub(super) mod walk;

use std::collections::BTreeMap;

use hashbrown::HashTable;

pub(super) use self::scan::by_id;

use self::filter::Filter;
use self::names::{NO_SERVICE, Names};
use self::prepare::{Hashes, Prepared, PreparedSpan};
use self::segments::Segments;
use self::times::{Times, bucket_of, first_ms_of};
use self::trace::{Seen, Trace};
use self::walk::Candidate;
use crate::model::{SpanBatch, SpanRef};
use crate::storage::StorageOptions;

/// Milliseconds of a link group as a power of two: links are kept ready for whole groups.
const GROUP_SHIFT: u32 = 13;
/// Groups whose last change is remembered one by one.
const GROUPS_MAX: usize = 100_000;
/// Spans copied in one visit, about.
const VISIT_SPANS: usize = 512;
/// What a span costs beside its record until it is known exactly; for making room beforehand.
const SPAN_BYTES: usize = 64;

/// The link group of a millisecond.
pub(in crate::storage) fn group_of(time_ms: i64) -> i64 {
    time_ms >> GROUP_SHIFT
}

/// The first and the last millisecond of a group.
pub(in crate::storage) fn group_bounds(group: i64) -> (i64, i64) {
    (group << GROUP_SHIFT, (group << GROUP_SHIFT) | ((1 << GROUP_SHIFT) - 1))
}

/// How much is kept; beyond it the oldest traces go.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Limits {
    pub(in crate::storage) spans_max: usize,
    pub(in crate::storage) bytes_max: usize,
}

/// What was removed to make room.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::storage) struct Evicted {
    pub(in crate::storage) traces: u64,
    pub(in crate::storage) spans: u64,
}

#[derive(Debug)]
pub(in crate::storage) struct Index {
    limits: Limits,
    search_enabled: bool,
    /// Number of the last write; each batch is one.
    writes: u64,
    spans: usize,
    pub(in crate::storage) segments: Segments,
    pub(in crate::storage) traces: Vec<Trace>,
    free: Vec<u32>,
    /// Low trace ids with the index in `traces`.
    by_low: HashTable<(u64, u32)>,
    /// The same for traces that only readers of earlier epochs see.
    hidden_by_low: HashTable<(u64, u32)>,
    hidden_spans: usize,
    /// Low ids of traces made since the owner last asked; `None` when it never does.
    fresh: Option<Vec<u64>>,
    traces_heap_bytes: usize,
    pub(in crate::storage) times: Times,
    pub(in crate::storage) names: Names,
    /// The last write that changed a trace whose latest span is in the group.
    group_changes: BTreeMap<i64, u64>,
    /// The same for groups that are not listed.
    other_groups_changed: u64,
    /// The last entry of `group_changes`, because most follow their like.
    last_group_change: (i64, u64),
    evicted: Evicted,
}

impl Index {
    pub(in crate::storage) fn new(limits: Limits, options: &StorageOptions) -> Self {
        Self {
            limits,
            search_enabled: options.search_enabled,
            writes: 0,
            spans: 0,
            segments: Segments::default(),
            traces: Vec::new(),
            free: Vec::new(),
            by_low: HashTable::new(),
            hidden_by_low: HashTable::new(),
            hidden_spans: 0,
            fresh: None,
            traces_heap_bytes: 0,
            times: Times::default(),
            names: Names::new(options),
            group_changes: BTreeMap::new(),
            other_groups_changed: 0,
            last_group_change: (i64::MIN, 0),
            evicted: Evicted::default(),
        }
    }

    /// Number of the last write: a reader that goes by it sees later ones not at all, however often it takes the lock.
    pub(in crate::storage) fn writes(&self) -> u64 {
        self.writes
    }

    /// What a reader of the first epoch sees that begins now.
    pub(in crate::storage) fn seen(&self) -> Seen {
        Seen { write: self.writes, epoch: 0 }
    }

    /// Keeps a list of new traces from now on.
    pub(in crate::storage) fn note_fresh(&mut self) {
        self.fresh = Some(Vec::new());
    }

    /// Low ids of the traces made since the last call.
    pub(in crate::storage) fn take_fresh(&mut self) -> Vec<u64> {
        self.fresh.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Forgets new traces that have been hidden or removed meanwhile: what is sealed is not in several places.
    pub(in crate::storage) fn keep_shown_fresh(&mut self, hashes: &Hashes) {
        let Some(mut fresh) = self.fresh.take() else { return };
        fresh.retain(|low| self.find(*low, hashes.low(*low)).is_some());
        self.fresh = Some(fresh);
    }

    pub(in crate::storage) fn has_fresh(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| !fresh.is_empty())
    }

    pub(in crate::storage) fn spans(&self) -> usize {
        self.spans
    }

    /// Spans that new readers see.
    pub(in crate::storage) fn shown_spans(&self) -> usize {
        self.spans - self.hidden_spans
    }

    pub(in crate::storage) fn trace_count(&self) -> usize {
        self.traces.len() - self.free.len()
    }

    pub(in crate::storage) fn evicted(&self) -> Evicted {
        self.evicted
    }

    /// Bytes of memory held, about.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.segments.bytes()
            + self.traces.capacity() * size_of::<Trace>()
            + self.by_low.allocation_size()
            + self.traces_heap_bytes
            + self.times.bytes()
            + self.names.bytes()
    }

    /// Stores a batch as one write.
    pub(in crate::storage) fn insert(&mut self, prepared: &Prepared<'_>, hashes: &Hashes) {
        self.make_room(prepared.spans.len(), prepared.record_bytes, hashes);
        let seen = Seen { write: self.writes + 1, epoch: 0 };
        self.insert_as(prepared, hashes, seen);
    }

    /// Stores a batch as a write of that number, for readers of that epoch and later ones. Numbers only grow, but what was
    /// hidden may come back under its old number.
    pub(in crate::storage) fn insert_as(&mut self, prepared: &Prepared<'_>, hashes: &Hashes, seen: Seen) {
        self.writes = self.writes.max(seen.write);
        for span in &prepared.spans {
            self.insert_span(span, prepared, hashes, seen);
        }
    }

    fn insert_span(&mut self, span: &PreparedSpan<'_>, prepared: &Prepared<'_>, hashes: &Hashes, seen: Seen) {
        let at = self.find_or_add(span, hashes, seen);
        let trace = &mut self.traces[at as usize];
        let segments = &mut self.segments;
        let heap_before = trace.heap_bytes();
        if trace.find(span.hash, |slot| segments.record(slot) == span.record).is_some() {
            return;
        }
        let (segment, place) = segments.push(span.record);
        let is_touched = trace.last_write != seen.write;
        let max_before = trace.max_ms;
        trace.push(segment, place, span.hash, seen.write);
        self.spans += 1;
        if span.time_ms < trace.min_ms || trace.slots().len() == 1 {
            trace.min_ms = span.time_ms;
            self.times.earlier(span.time_ms, span.low, at);
        }
        trace.max_ms = trace.max_ms.max(span.time_ms);
        if self.search_enabled {
            note_search(trace, span, &mut self.names, prepared, segments, hashes);
        }
        let max_ms = trace.max_ms;
        let bucket = bucket_of(span.time_ms);
        let is_listed = trace.recent_buckets.contains(&bucket);
        if !is_listed {
            trace.recent_buckets = [bucket, trace.recent_buckets[0]];
        }
        self.traces_heap_bytes = self.traces_heap_bytes + trace.heap_bytes() - heap_before;
        if !is_listed {
            self.times.add(bucket, at, &self.traces);
        }
        if is_touched || max_ms != max_before {
            self.group_changed(group_of(max_before));
            self.group_changed(group_of(max_ms));
        }
    }

    fn find_or_add(&mut self, span: &PreparedSpan<'_>, hashes: &Hashes, seen: Seen) -> u32 {
        if let Some(at) = self.find(span.low, span.low_hash) {
            return at;
        }
        let trace = Trace::new(span.low, seen, span.time_ms);
        if let Some(fresh) = &mut self.fresh {
            fresh.push(span.low);
        }
        let at = match self.free.pop() {
            Some(at) => {
                self.traces[at as usize] = trace;
                at
            }
            None => {
                if self.traces.len() == self.traces.capacity() {
                    // By an eighth instead of twice: entries are large and the store is bounded in bytes.
                    self.traces.reserve_exact(self.traces.len() / 8 + 64);
                }
                self.traces.push(trace);
                self.traces.len() as u32 - 1
            }
        };
        self.by_low.insert_unique(span.low_hash, (span.low, at), |&(low, _)| hashes.low(low));
        at
    }

    /// The trace of that id.
    pub(in crate::storage) fn find(&self, low: u64, low_hash: u64) -> Option<u32> {
        self.by_low.find(low_hash, |known| known.0 == low).map(|known| known.1)
    }

    /// The trace of that id as a reader sees it.
    pub(in crate::storage) fn find_seen(&self, low: u64, low_hash: u64, seen: Seen) -> Option<u32> {
        let is_it = |known: &(u64, u32)| known.0 == low && self.traces[known.1 as usize].is_seen(seen);
        let found = self.by_low.find(low_hash, is_it).or_else(|| self.hidden_by_low.find(low_hash, is_it));
        found.map(|known| known.1)
    }

    /// Keeps a trace for readers of earlier epochs only; spans that come from now on make a new one.
    pub(in crate::storage) fn hide(&mut self, at: u32, epoch: u32, hashes: &Hashes) {
        let trace = &mut self.traces[at as usize];
        trace.hidden = epoch;
        let (low, hash) = (trace.low, hashes.low(trace.low));
        self.hidden_spans += trace.slots().len();
        if let Ok(entry) = self.by_low.find_entry(hash, |known| known.1 == at) {
            entry.remove();
        }
        self.hidden_by_low.insert_unique(hash, (low, at), |&(low, _)| hashes.low(low));
    }

    /// Zipkin's rule: before a batch is stored the traces with the oldest spans go, whole, until it fits; duplicates in
    /// the batch count. The same for bytes, of which a sixteenth stays free for tables that grow at once.
    fn make_room(&mut self, spans: usize, record_bytes: usize, hashes: &Hashes) {
        let bytes = self.segments.bytes_for(record_bytes) + spans * SPAN_BYTES;
        let bytes_max = self.limits.bytes_max - self.limits.bytes_max / 16;
        while self.spans + spans > self.limits.spans_max || self.bytes() + bytes > bytes_max {
            let Some(at) = self.times.take_oldest(&self.traces) else { return };
            self.evict(at, hashes);
        }
    }

    fn evict(&mut self, at: u32, hashes: &Hashes) {
        // Counts as a write: links that were kept ready are no longer true.
        self.writes += 1;
        self.evicted.traces += 1;
        self.evicted.spans += self.traces[at as usize].slots().len() as u64;
        self.remove(at, hashes);
    }

    /// Forgets a trace.
    pub(in crate::storage) fn remove(&mut self, at: u32, hashes: &Hashes) {
        let trace = std::mem::take(&mut self.traces[at as usize]);
        self.free.push(at);
        self.traces_heap_bytes -= trace.heap_bytes();
        let by_low = if trace.hidden == u32::MAX { &mut self.by_low } else { &mut self.hidden_by_low };
        if let Ok(entry) = by_low.find_entry(hashes.low(trace.low), |known| known.1 == at) {
            entry.remove();
        }
        if trace.hidden != u32::MAX {
            self.hidden_spans -= trace.slots().len();
        }
        self.group_changed(group_of(trace.max_ms));
        trace.services.ids().filter(|id| *id != NO_SERVICE).for_each(|id| self.names.forget_trace(id));
        self.spans -= trace.slots().len();
        trace.slots().iter().for_each(|slot| self.segments.forget(*slot));
        for slot in trace.slots() {
            if self.segments.is_mostly_dead(slot.segment) {
                self.empty_segment(slot.segment, hashes);
            }
        }
        let lowest = self.times.lowest().map_or(i64::MAX, |bucket| group_of(first_ms_of(bucket)));
        while self.group_changes.first_key_value().is_some_and(|(group, _)| *group < lowest) {
            self.group_changes.pop_first();
            // Should traces come back to it, links from before are not theirs.
            self.other_groups_changed = self.writes;
        }
    }

    /// Forgets times at which no trace has spans any more.
    pub(in crate::storage) fn tidy_times(&mut self) {
        self.times.tidy(&self.traces);
    }

    /// The spans that writes after `write` brought, by write.
    pub(in crate::storage) fn copy_after(&self, trace: &Trace, write: u64) -> Vec<(u64, SpanBatch)> {
        let mut later: Vec<(u64, SpanBatch)> = Vec::new();
        for (of_write, slot) in trace.slots_after(write) {
            if later.last().is_none_or(|(last, _)| *last != of_write) {
                later.push((of_write, SpanBatch::new()));
            }
            if let Some((_, spans)) = later.last_mut() {
                spans.push_record(self.segments.record(slot));
            }
        }
        later
    }

    /// Copies what still lives of a segment to the tail.
    fn empty_segment(&mut self, segment: u32, hashes: &Hashes) {
        let records = self.segments.take(segment);
        for (place, record) in records.records().enumerate() {
            let Some(low) = SpanRef::peek_trace_low(record) else { continue };
            let low_hash = hashes.low(low);
            let shown = self.by_low.iter_hash(low_hash);
            let owners = shown.chain(self.hidden_by_low.iter_hash(low_hash)).filter(|known| known.0 == low);
            let hash = hashes.record(record);
            let is_it = |slot: trace::Slot| (slot.segment, slot.place) == (segment, place as u32);
            let owner =
                owners.map(|known| known.1).find_map(|at| Some((at, self.traces[at as usize].find(hash, is_it)?)));
            if let Some((at, known)) = owner {
                let (segment, place) = self.segments.push(record);
                self.traces[at as usize].moved(known, segment, place);
            }
        }
    }

    fn group_changed(&mut self, group: i64) {
        if std::mem::replace(&mut self.last_group_change, (group, self.writes)) == (group, self.writes) {
            return;
        }
        if self.group_changes.len() >= GROUPS_MAX {
            self.group_changes.clear();
            self.other_groups_changed = self.writes;
        }
        self.group_changes.insert(group, self.writes);
    }

    /// The last write that changed what the traces of a group link.
    pub(in crate::storage) fn last_change_of(&self, group: i64) -> u64 {
        self.group_changes.get(&group).copied().unwrap_or(self.other_groups_changed)
    }

    /// Copies the spans that writes up to `write` brought, as they arrived.
    pub(in crate::storage) fn copy(&self, trace: &Trace, Seen { write, .. }: Seen) -> SpanBatch {
        let bytes = trace.slots_before(write).map(|slot| self.segments.record(slot).len()).sum();
        let mut spans = SpanBatch::with_capacity(trace.slots().len(), bytes);
        trace.slots_before(write).for_each(|slot| spans.push_record(self.segments.record(slot)));
        spans
    }

    /// Copies the spans of the first few candidates: as much as one visit may take.
    pub(in crate::storage) fn copy_some(&self, candidates: &mut &[Candidate], seen: Seen) -> Vec<SpanBatch> {
        let mut copies = Vec::new();
        let mut spans = 0;
        while let [candidate, rest @ ..] = candidates {
            *candidates = rest;
            let trace = &self.traces[candidate.at as usize];
            // What was evicted meanwhile is gone.
            if trace.low == candidate.low && !trace.is_free() && trace.is_seen(seen) {
                copies.push(self.copy(trace, seen));
                spans += trace.slots().len();
            }
            if spans >= VISIT_SPANS {
                break;
            }
        }
        copies
    }

    /// The highest group with traces between two milliseconds.
    pub(in crate::storage) fn highest_group(&self, from_ms: i64, to_ms: i64) -> Option<i64> {
        let (bucket, _) = self.times.highest_between(bucket_of(from_ms), bucket_of(to_ms))?;
        Some(group_of(first_ms_of(bucket)))
    }

    /// The latest millisecond in `from..=to` of the spans that writes up to `write` brought.
    pub(in crate::storage) fn latest_within(&self, trace: &Trace, from: i64, to: i64, seen: Seen) -> Option<i64> {
        let write = seen.write;
        if trace.last_write <= write && trace.max_ms <= to {
            return (trace.max_ms >= from).then_some(trace.max_ms);
        }
        let times = trace.slots_before(write).map(|slot| SpanRef::peek_timestamp_ms(self.segments.record(slot)));
        times.filter(|time_ms| (from..=to).contains(time_ms)).max()
    }
}

/// Notes what a span can be found by.
fn note_search(
    trace: &mut Trace,
    span: &PreparedSpan<'_>,
    names: &mut Names,
    prepared: &Prepared<'_>,
    segments: &Segments,
    hashes: &Hashes,
) {
    trace.longest = trace.longest.max(span.duration);
    if let Some(name) = span.service {
        let service = names.find_or_add(name);
        if trace.services.note(service, span.duration) {
            names.count_trace(service);
        }
        names.note(service, span.name, span.remote_service);
    }
    for (key, value) in &prepared.values[span.values.clone()] {
        names.note_value(*key, *value);
    }
    if trace.filter.is_outgrown(trace.slots().len()) {
        let mut grown: Filter = trace.filter.grown();
        for slot in trace.slots() {
            if let Ok(span) = SpanRef::read(segments.record(*slot)) {
                hashes.terms(&span, |term| grown.insert(term));
            }
        }
        trace.filter = grown;
    } else {
        prepared.terms[span.terms.clone()].iter().for_each(|term| trace.filter.insert(*term));
    }
}
