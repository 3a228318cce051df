//! Where the records lie: large pieces of memory, filled one after the other.

use super::trace::Slot;
use crate::model::SpanBatch;

/// Bytes of records in one segment; a larger record gets a segment of its own.
const SEGMENT_BYTES: usize = 256 * 1024;
/// Records a new segment has room for; real ones have about this many.
const SEGMENT_RECORDS: usize = 1_024;

#[derive(Debug, Default)]
struct Segment {
    records: SpanBatch,
    /// Records that are still part of a trace.
    live: u32,
}

/// All segments. Records are appended to the last one, the tail, and never moved except when what is left of a mostly
/// dead segment is copied to the tail.
#[derive(Debug, Default)]
pub(in crate::storage) struct Segments {
    segments: Vec<Segment>,
    free: Vec<u32>,
    tail: Option<u32>,
    bytes: usize,
}

impl Segments {
    /// Bytes of memory held.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that records of so many bytes will take, about.
    pub(in crate::storage) fn bytes_for(&self, record_bytes: usize) -> usize {
        let tail = self.tail.map_or(SEGMENT_BYTES, |tail| self.segments[tail as usize].records.record_bytes());
        record_bytes.saturating_sub(SEGMENT_BYTES.saturating_sub(tail)).next_multiple_of(SEGMENT_BYTES)
    }

    /// Appends a record; gives its segment and its place there.
    pub(in crate::storage) fn push(&mut self, record: &[u8]) -> (u32, u32) {
        let at = self.tail_for(record.len());
        let segment = &mut self.segments[at as usize];
        let place = segment.records.len() as u32;
        let before = segment.records.memory_bytes();
        segment.records.push_record(record);
        segment.live += 1;
        self.bytes += segment.records.memory_bytes() - before;
        (at, place)
    }

    pub(in crate::storage) fn record(&self, slot: Slot) -> &[u8] {
        self.segments.get(slot.segment as usize).map_or(&[], |segment| segment.records.record(slot.place as usize))
    }

    /// Lets go of a record. Records elsewhere stay where they are.
    pub(in crate::storage) fn forget(&mut self, slot: Slot) {
        let segment = &mut self.segments[slot.segment as usize];
        segment.live -= 1;
        if segment.live == 0 && self.tail != Some(slot.segment) {
            drop(self.take(slot.segment));
        }
    }

    /// Whether more than half of a segment is dead, so that the rest should be pushed again.
    pub(in crate::storage) fn is_mostly_dead(&self, at: u32) -> bool {
        let segment = &self.segments[at as usize];
        segment.live > 0 && self.tail != Some(at) && (segment.live as usize) < segment.records.len() / 2
    }

    /// Takes a segment out, so that its living records can be pushed again.
    pub(in crate::storage) fn take(&mut self, at: u32) -> SpanBatch {
        let records = std::mem::take(&mut self.segments[at as usize].records);
        self.bytes -= records.memory_bytes();
        self.segments[at as usize].live = 0;
        self.free.push(at);
        records
    }

    fn tail_for(&mut self, record_bytes: usize) -> u32 {
        if let Some(tail) = self.tail {
            let records = &mut self.segments[tail as usize].records;
            if records.record_bytes() + record_bytes <= SEGMENT_BYTES {
                return tail;
            }
            self.bytes -= records.memory_bytes();
            records.shrink_to_fit();
            self.bytes += records.memory_bytes();
            if self.segments[tail as usize].live == 0 {
                drop(self.take(tail));
            }
        }
        let records = if record_bytes > SEGMENT_BYTES {
            SpanBatch::with_capacity(1, record_bytes)
        } else {
            SpanBatch::with_capacity(SEGMENT_RECORDS, SEGMENT_BYTES)
        };
        self.bytes += records.memory_bytes();
        let segment = Segment { records, live: 0 };
        let at = match self.free.pop() {
            Some(at) => {
                self.segments[at as usize] = segment;
                at
            }
            None => {
                self.segments.push(segment);
                self.segments.len() as u32 - 1
            }
        };
        self.tail = Some(at);
        at
    }
}
