//! What a block knows of each of its traces: where it lies, its times, the calls it links.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::bytes::{Cursor, put_bytes, put_signed, put_var};
use super::frame::{FrameError, pack, unpack};
use crate::model::{self, SpanBatch};

/// A trace of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct TraceEntry {
    pub(in super::super) low: u64,
    /// Number of its chunk, and its place there.
    pub(in super::super) chunk: u32,
    pub(in super::super) place: u32,
    pub(in super::super) spans: u32,
    /// Oldest and newest key: milliseconds of a span, 0 without timestamp.
    pub(in super::super) min_ms: i64,
    pub(in super::super) max_ms: i64,
    /// What a search's window looks at: start of the root, else of the earliest span; -1: none has a timestamp.
    pub(in super::super) start_us: i64,
    /// End of its calls in the table's list.
    calls_end: u32,
}

/// A call between two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Call {
    /// Index of [`Traces::pairs`].
    pub(in super::super) pair: u32,
    pub(in super::super) is_error: bool,
}

/// All traces of a block, by low trace id.
#[derive(Debug, Default)]
pub(in super::super) struct Traces {
    pub(in super::super) entries: Vec<TraceEntry>,
    /// Services that call or are called.
    services: Vec<Box<str>>,
    /// Who calls whom, by number.
    pairs: Vec<(u32, u32)>,
    /// Number of the pair, twice, and one more for an error.
    calls: Vec<u32>,
}

/// Takes traces by ascending low id.
#[derive(Debug, Default)]
pub(super) struct TracesBuilder {
    pub(super) traces: Traces,
    services: HashMap<Box<str>, u32, RandomState>,
    pairs: HashMap<(u32, u32), u32, RandomState>,
}

impl TracesBuilder {
    /// Appends a trace with a higher id than all before, its spans in zipkin's order. Its calls come next.
    pub(super) fn push(&mut self, low: u64, spans: &SpanBatch, chunk: u32, place: u32) {
        let mut entry =
            TraceEntry { low, chunk, place, spans: spans.len() as u32, min_ms: i64::MAX, ..TraceEntry::default() };
        let (mut root_us, mut first_us) = (None, None::<i64>);
        for span in spans.iter() {
            entry.min_ms = entry.min_ms.min(span.timestamp_ms());
            entry.max_ms = entry.max_ms.max(span.timestamp_ms());
            first_us =
                span.timestamp_us.map(|time_us| first_us.map_or(time_us, |first| first.min(time_us))).or(first_us);
        }
        for span in spans.iter() {
            if root_us.is_none() && span.parent_id.is_none() {
                root_us = span.timestamp_us;
            }
        }
        entry.start_us = root_us.or(first_us).unwrap_or(-1);
        entry.calls_end = self.traces.calls.len() as u32;
        self.traces.entries.push(entry);
    }

    /// Appends a call of the trace that came last.
    pub(super) fn push_call(&mut self, call: &model::Call<'_>) {
        let Self { traces, services, pairs } = self;
        let mut service = |name: &str| match services.get(name) {
            Some(&at) => at,
            None => {
                let at = traces.services.len() as u32;
                traces.services.push(name.into());
                services.insert(name.into(), at);
                at
            }
        };
        let pair = (service(call.parent), service(call.child));
        let next = traces.pairs.len() as u32;
        let number = *pairs.entry(pair).or_insert(next);
        if number == next {
            traces.pairs.push(pair);
        }
        traces.calls.push(number << 1 | u32::from(call.is_error));
        if let Some(entry) = traces.entries.last_mut() {
            entry.calls_end = traces.calls.len() as u32;
        }
    }
}

impl Traces {
    /// Index of a trace.
    pub(in super::super) fn find(&self, low: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&low, |entry| entry.low).ok()
    }

    /// The first low id of each chunk.
    pub(in super::super) fn first_lows(&self) -> Box<[u64]> {
        self.entries.iter().filter(|entry| entry.place == 0).map(|entry| entry.low).collect()
    }

    /// The calls of the trace at an index.
    pub(in super::super) fn calls_of(&self, at: usize) -> impl Iterator<Item = Call> {
        let start = if at == 0 { 0 } else { self.entries[at - 1].calls_end };
        let calls = &self.calls[start as usize..self.entries[at].calls_end as usize];
        calls.iter().map(|call| Call { pair: call >> 1, is_error: call & 1 != 0 })
    }

    /// Who calls whom.
    pub(in super::super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(parent, child)| (&*self.services[*parent as usize], &*self.services[*child as usize]))
    }

    /// Without room to grow: it is kept for long.
    pub(in super::super) fn shrunk(mut self) -> Self {
        self.entries.shrink_to_fit();
        self.calls.shrink_to_fit();
        self.pairs.shrink_to_fit();
        self
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        self.entries.len() * size_of::<TraceEntry>()
            + self.calls.len() * 4
            + self.services.len() * 40
            + self.pairs.len() * 8
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut soft = Vec::with_capacity(self.entries.len() * 24);
        let mut hard = Vec::with_capacity(self.entries.len() * 8);
        put_var(&mut soft, self.services.len() as u64);
        self.services.iter().for_each(|service| put_bytes(&mut soft, service.as_bytes()));
        put_var(&mut soft, self.entries.len() as u64);
        let (mut last, mut calls_end) = (TraceEntry::default(), 0);
        for entry in &self.entries {
            hard.extend_from_slice(&entry.low.to_le_bytes());
            put_var(&mut soft, u64::from(entry.chunk - last.chunk));
            put_var(&mut soft, u64::from(entry.spans));
            put_signed(&mut soft, entry.max_ms.wrapping_sub(last.max_ms));
            put_var(&mut soft, entry.max_ms.wrapping_sub(entry.min_ms) as u64);
            put_signed(&mut soft, entry.start_us.wrapping_sub(entry.max_ms.wrapping_mul(1000)));
            put_var(&mut soft, u64::from(entry.calls_end - calls_end));
            (last, calls_end) = (*entry, entry.calls_end);
        }
        put_var(&mut soft, self.pairs.len() as u64);
        for (parent, child) in &self.pairs {
            put_var(&mut soft, u64::from(*parent));
            put_var(&mut soft, u64::from(*child));
        }
        self.calls.iter().for_each(|call| put_var(&mut soft, u64::from(*call)));
        pack(&soft, &hard)
    }

    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (soft, hard) = unpack(value)?;
        let (mut cursor, mut lows) = (Cursor::new(&soft), Cursor::new(hard));
        let mut traces = Self::default();
        for _ in 0..cursor.count()? {
            traces.services.push(cursor.text()?.into());
        }
        let count = cursor.count()?;
        traces.entries.reserve_exact(count);
        let mut last = TraceEntry::default();
        for at in 0..count {
            let small = |value: u64| u32::try_from(value).map_err(|_| FrameError::Torn);
            let chunk = last.chunk.checked_add(small(cursor.var()?)?).ok_or(FrameError::Torn)?;
            let place = if at > 0 && chunk == last.chunk { last.place + 1 } else { 0 };
            let spans = small(cursor.var()?)?;
            let max_ms = last.max_ms.wrapping_add(cursor.signed()?);
            let min_ms = max_ms.wrapping_sub(cursor.var()? as i64);
            let start_us = cursor.signed()?.wrapping_add(max_ms.wrapping_mul(1000));
            let calls_end = last.calls_end.checked_add(small(cursor.var()?)?).ok_or(FrameError::Torn)?;
            last = TraceEntry { low: lows.u64()?, chunk, place, spans, min_ms, max_ms, start_us, calls_end };
            traces.entries.push(last);
        }
        let below =
            |value: u64, limit: usize| if value < limit as u64 { Ok(value as u32) } else { Err(FrameError::Torn) };
        for _ in 0..cursor.count()? {
            let pair = (below(cursor.var()?, traces.services.len())?, below(cursor.var()?, traces.services.len())?);
            traces.pairs.push(pair);
        }
        if last.calls_end as usize > cursor.rest().len() {
            return Err(FrameError::Torn);
        }
        for _ in 0..last.calls_end {
            traces.calls.push(below(cursor.var()?, traces.pairs.len() * 2)?);
        }
        Ok(traces)
    }
}
