//! Which traces have spans when: what searches walk, newest first, and eviction, oldest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::trace::Trace;

/// Milliseconds of a bucket as a power of two.
const BUCKET_SHIFT: u32 = 7;
/// A bucket is not swept below this many entries.
const SWEEP_MIN: u32 = 64;
/// What a bucket costs beside its entries, about.
const BUCKET_BYTES: usize = 96;

/// The bucket of a millisecond.
pub(in crate::storage) fn bucket_of(time_ms: i64) -> i64 {
    time_ms >> BUCKET_SHIFT
}

/// The first millisecond of a bucket.
pub(in crate::storage) fn first_ms_of(bucket: i64) -> i64 {
    bucket << BUCKET_SHIFT
}

/// Traces with a span in one stretch of time.
#[derive(Debug, Default)]
struct Bucket {
    /// Indexes of traces. A trace may be named twice; entries outlive their trace until the next sweep, so each is looked
    /// at before it is believed.
    traces: Vec<u32>,
    sweep_at: u32,
    /// The traces whose earliest span is here, oldest first, once the bucket was the lowest. Entries may be out of date.
    victims: Option<BinaryHeap<Victim>>,
}

/// Earliest millisecond, low trace id, index of the trace.
type Victim = Reverse<(i64, u64, u32)>;

/// Buckets of 128 ms, made when needed.
#[derive(Debug, Default)]
pub(in crate::storage) struct Times {
    buckets: BTreeMap<i64, Bucket>,
    entries: usize,
    /// No bucket above has a list of victims.
    victims_to: Option<i64>,
}

impl Times {
    /// Bytes of memory held, about.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.buckets.len() * BUCKET_BYTES + self.entries * size_of::<u32>() * 2
    }

    /// The lowest bucket that may have traces.
    pub(in crate::storage) fn lowest(&self) -> Option<i64> {
        self.buckets.first_key_value().map(|(bucket, _)| *bucket)
    }

    /// The highest bucket between two that may have traces, and them.
    pub(in crate::storage) fn highest_between(&self, from: i64, to: i64) -> Option<(i64, &[u32])> {
        let (bucket, traces) = if from > to { None } else { self.buckets.range(from..=to).next_back() }?;
        Some((*bucket, &traces.traces))
    }

    /// Names a trace in a bucket.
    pub(in crate::storage) fn add(&mut self, bucket: i64, at: u32, traces: &[Trace]) {
        let entry = self.buckets.entry(bucket).or_default();
        entry.traces.push(at);
        self.entries += 1;
        if entry.traces.len() as u32 > entry.sweep_at.max(SWEEP_MIN) {
            let before = entry.traces.len();
            let is_possible = |at: &u32| {
                let trace = &traces[*at as usize];
                !trace.is_free() && (bucket_of(trace.min_ms)..=bucket_of(trace.max_ms)).contains(&bucket)
            };
            // The one just added may have no span yet.
            entry.traces.retain(|known| *known == at || is_possible(known));
            entry.traces.sort_unstable();
            entry.traces.dedup();
            entry.sweep_at = entry.traces.len() as u32 * 2;
            self.entries -= before - entry.traces.len();
        }
    }

    /// Forgets entries of traces that are gone, and buckets without any.
    pub(in crate::storage) fn tidy(&mut self, traces: &[Trace]) {
        let mut left = 0;
        self.buckets.retain(|number, bucket| {
            let is_possible = |at: &u32| {
                let trace = &traces[*at as usize];
                !trace.is_free() && (bucket_of(trace.min_ms)..=bucket_of(trace.max_ms)).contains(number)
            };
            bucket.traces.retain(is_possible);
            left += bucket.traces.len();
            !bucket.traces.is_empty()
        });
        self.entries = left;
    }

    /// A trace has a new earliest millisecond.
    pub(in crate::storage) fn earlier(&mut self, time_ms: i64, low: u64, at: u32) {
        let bucket = bucket_of(time_ms);
        if self.victims_to.is_none_or(|highest| bucket > highest) {
            return;
        }
        if let Some(victims) = self.buckets.get_mut(&bucket).and_then(|bucket| bucket.victims.as_mut()) {
            victims.push(Reverse((time_ms, low, at)));
        }
    }

    /// The trace that owns the oldest span (on ties that of the lowest id), to be removed now.
    pub(in crate::storage) fn take_oldest(&mut self, traces: &[Trace]) -> Option<u32> {
        loop {
            let mut lowest = self.buckets.first_entry()?;
            let (number, bucket) = (*lowest.key(), lowest.get_mut());
            let victims = bucket.victims.get_or_insert_with(|| {
                let oldest_here = |at: &u32| {
                    let trace = &traces[*at as usize];
                    let is_here = !trace.is_free() && bucket_of(trace.min_ms) == number;
                    is_here.then_some(Reverse((trace.min_ms, trace.low, *at)))
                };
                bucket.traces.iter().filter_map(oldest_here).collect()
            });
            self.victims_to = self.victims_to.max(Some(number));
            while let Some(Reverse((min_ms, low, at))) = victims.pop() {
                let trace = &traces[at as usize];
                if !trace.is_free() && (trace.min_ms, trace.low) == (min_ms, low) {
                    return Some(at);
                }
            }
            self.entries -= lowest.remove().traces.len();
        }
    }
}
