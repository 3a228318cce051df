//! Some thousand spans of whole traces, by column.
//!
//! A chunk is two values. *Find* has what searches ask for: dictionaries of endpoints, names, tags and annotation texts, and for
//! each span the numbers of its own. *Rest* has ids, times and flags. Together they give back every record byte by byte.

use hashbrown::HashMap;

use super::bytes::{Cursor, put_bytes, put_signed, put_var};
use super::dictionary::{Codes, Dictionary, NONE, Strings};
use super::frame::{FrameError, pack, unpack};
use crate::model::{CorruptRecord, RecordHead, RecordParts, SpanBatch};

/// Traces of up to so many spans are searched for an id from the front.
const FEW: usize = 48;

/// What a span is found by, as numbers of the chunk's dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Combination {
    pub(super) local: u32,
    pub(super) remote: u32,
    pub(super) name: u32,
}

/// Both values of a chunk.
#[derive(Debug)]
pub(in super::super) struct EncodedChunk {
    pub(in super::super) find: Vec<u8>,
    pub(in super::super) rest: Vec<u8>,
}

/// Puts traces together as a chunk.
#[derive(Debug, Default)]
pub(super) struct ChunkEncoder {
    pub(super) endpoints: Dictionary,
    pub(super) names: Dictionary,
    pub(super) tags: Dictionary,
    pub(super) texts: Dictionary,
    /// Each with its longest duration.
    pub(super) combinations: HashMap<Combination, u64>,
    spans: usize,
    traces: usize,
    lows: Vec<u8>,
    counts: Vec<u8>,
    locals: Vec<u8>,
    remotes: Vec<u8>,
    name_codes: Vec<u8>,
    durations: Vec<u8>,
    tag_codes: Vec<u8>,
    text_codes: Vec<u8>,
    flags: [Vec<u8>; 2],
    ids: Vec<u8>,
    parents: Vec<u8>,
    times: Vec<u8>,
    text_times: Vec<u8>,
    highs: Vec<u8>,
    /// Ids that are nowhere before.
    explicit: Vec<u8>,
    last_base_us: i64,
    last_high: u64,
    seen: Vec<u64>,
    seen_at: HashMap<u64, u32>,
}

impl ChunkEncoder {
    pub(super) fn spans(&self) -> usize {
        self.spans
    }

    pub(super) fn traces(&self) -> usize {
        self.traces
    }

    /// Appends all spans of one trace, in order of arrival.
    pub(super) fn add_trace(&mut self, low: u64, spans: &SpanBatch) -> Result<(), CorruptRecord> {
        self.traces += 1;
        self.spans += spans.len();
        self.lows.extend_from_slice(&low.to_le_bytes());
        put_var(&mut self.counts, spans.len() as u64);
        self.seen.clear();
        self.seen_at.clear();
        let mut base_us = None;
        for record in spans.records() {
            let parts = RecordParts::read(record)?;
            let base_us = *base_us.get_or_insert_with(|| {
                let base_us = if parts.head.timestamp_us > 0 { parts.head.timestamp_us } else { self.last_base_us };
                put_signed(&mut self.times, base_us.wrapping_sub(self.last_base_us));
                self.last_base_us = base_us;
                base_us
            });
            self.add_span(&parts, base_us);
        }
        Ok(())
    }

    fn add_span(&mut self, parts: &RecordParts<'_>, base_us: i64) {
        let head = &parts.head;
        let [low_flags, high_flags] = head.flags.to_le_bytes();
        self.flags[0].push(low_flags);
        self.flags[1].push(high_flags);
        let local = self.endpoints.put(&mut self.locals, parts.local_endpoint);
        let remote = self.endpoints.put(&mut self.remotes, parts.remote_endpoint);
        let name = self.names.put(&mut self.name_codes, parts.name);
        put_var(&mut self.durations, head.duration_us);
        let longest = self.combinations.entry(Combination { local, remote, name }).or_default();
        *longest = head.duration_us.max(*longest);
        put_var(&mut self.tag_codes, parts.tag_count() as u64);
        for tag in parts.tags() {
            self.tags.put(&mut self.tag_codes, Some(tag));
        }
        put_var(&mut self.text_codes, parts.annotation_count() as u64);
        let start_us = if head.has(RecordHead::TIMESTAMP) { head.timestamp_us } else { base_us };
        for (timestamp_us, text) in parts.annotations() {
            self.texts.put(&mut self.text_codes, Some(text));
            put_signed(&mut self.text_times, timestamp_us.wrapping_sub(start_us));
        }
        if head.has(RecordHead::TIMESTAMP) {
            put_signed(&mut self.times, head.timestamp_us.wrapping_sub(base_us));
        }
        self.add_ids(head);
    }

    fn add_ids(&mut self, head: &RecordHead) {
        if head.has(RecordHead::HIGH) {
            let is_same = head.high == self.last_high;
            self.highs.push(u8::from(!is_same));
            if !is_same {
                self.explicit.extend_from_slice(&head.high.to_le_bytes());
                self.last_high = head.high;
            }
        }
        let known = self.place_of(head.id);
        put_var(&mut self.ids, known.map_or(0, |place| u64::from(place) + 1));
        if known.is_none() {
            self.explicit.extend_from_slice(&head.id.to_le_bytes());
            self.note_id(head.id);
        }
        if head.has(RecordHead::PARENT) {
            let known = self.place_of(head.parent_id);
            put_var(&mut self.parents, known.map_or(0, |place| u64::from(place) + 1));
            if known.is_none() {
                // Its own span mostly comes later, and refers to this.
                self.explicit.extend_from_slice(&head.parent_id.to_le_bytes());
                self.note_id(head.parent_id);
            }
        }
    }

    fn place_of(&self, id: u64) -> Option<u32> {
        if self.seen.len() <= FEW {
            return self.seen.iter().position(|seen| *seen == id).map(|place| place as u32);
        }
        self.seen_at.get(&id).copied()
    }

    fn note_id(&mut self, id: u64) {
        let place = self.seen.len() as u32;
        self.seen.push(id);
        if self.seen.len() == FEW + 1 {
            self.seen_at.extend(self.seen.iter().zip(0..).map(|(id, place)| (*id, place)));
        } else if self.seen.len() > FEW {
            self.seen_at.insert(id, place);
        }
    }

    /// The chunk; the encoder is empty again.
    pub(super) fn finish(&mut self) -> Result<EncodedChunk, FrameError> {
        let mut find = Vec::with_capacity(self.spans * 40);
        for dictionary in [&self.endpoints, &self.names, &self.tags, &self.texts] {
            dictionary.strings.put(&mut find);
        }
        put_var(&mut find, self.traces as u64);
        let columns = [
            &self.counts,
            &self.locals,
            &self.remotes,
            &self.name_codes,
            &self.durations,
            &self.tag_codes,
            &self.text_codes,
        ];
        columns.into_iter().for_each(|column| put_bytes(&mut find, column));
        let mut rest = Vec::with_capacity(self.spans * 12);
        let [low_flags, high_flags] = &self.flags;
        [low_flags, high_flags, &self.highs, &self.ids, &self.parents, &self.times, &self.text_times]
            .into_iter()
            .for_each(|column| put_bytes(&mut rest, column));
        let chunk = EncodedChunk { find: pack(&find, &self.lows)?, rest: pack(&rest, &self.explicit)? };
        self.clear();
        Ok(chunk)
    }

    fn clear(&mut self) {
        for dictionary in [&mut self.endpoints, &mut self.names, &mut self.tags, &mut self.texts] {
            dictionary.clear();
        }
        let [low_flags, high_flags] = &mut self.flags;
        let columns = [
            &mut self.lows,
            &mut self.counts,
            &mut self.locals,
            &mut self.remotes,
            &mut self.name_codes,
            &mut self.durations,
            &mut self.tag_codes,
            &mut self.text_codes,
            low_flags,
            high_flags,
            &mut self.highs,
            &mut self.ids,
            &mut self.parents,
            &mut self.times,
            &mut self.text_times,
            &mut self.explicit,
        ];
        columns.into_iter().for_each(Vec::clear);
        self.combinations.clear();
        (self.spans, self.traces, self.last_base_us, self.last_high) = (0, 0, 0, 0);
    }
}

/// The first value of a chunk, read.
#[derive(Debug, Default)]
pub(in super::super) struct Find {
    pub(super) endpoints: Strings,
    pub(super) names: Strings,
    pub(super) tags: Strings,
    pub(super) texts: Strings,
    pub(super) lows: Vec<u64>,
    /// Number of the span after the last of each trace.
    pub(super) ends: Vec<u32>,
    pub(super) locals: Vec<u32>,
    pub(super) remotes: Vec<u32>,
    pub(super) span_names: Vec<u32>,
    pub(super) durations: Vec<u64>,
    tag_ends: Vec<u32>,
    span_tags: Vec<u32>,
    text_ends: Vec<u32>,
    span_texts: Vec<u32>,
}

impl Find {
    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (soft, hard) = unpack(value)?;
        let mut cursor = Cursor::new(&soft);
        let mut take = || Strings::take(&mut cursor);
        let mut find = Self { endpoints: take()?, names: take()?, tags: take()?, texts: take()?, ..Self::default() };
        let traces = cursor.count()?;
        let mut counts = Cursor::new(cursor.bytes()?);
        let mut lows = Cursor::new(hard);
        let mut end = 0_u32;
        for _ in 0..traces {
            let count = u32::try_from(counts.var()?).map_err(|_| FrameError::Torn)?;
            end = end.checked_add(count).ok_or(FrameError::Torn)?;
            find.lows.push(lows.u64()?);
            find.ends.push(end);
        }
        find.read_columns(&mut cursor, end as usize)?;
        Ok(find)
    }

    fn read_columns(&mut self, cursor: &mut Cursor<'_>, spans: usize) -> Result<(), FrameError> {
        let mut column = || cursor.bytes().map(Cursor::new);
        let (mut locals, mut remotes, mut names) = (column()?, column()?, column()?);
        let (mut durations, mut tags, mut texts) = (column()?, column()?, column()?);
        if spans > locals.rest().len() {
            return Err(FrameError::Torn);
        }
        let (mut endpoint_codes, mut name_codes) = (Codes::new(&self.endpoints), Codes::new(&self.names));
        let (mut tag_codes, mut text_codes) = (Codes::new(&self.tags), Codes::new(&self.texts));
        for list in [&mut self.locals, &mut self.remotes, &mut self.span_names, &mut self.tag_ends, &mut self.text_ends]
        {
            list.reserve_exact(spans);
        }
        self.durations.reserve_exact(spans);
        for _ in 0..spans {
            self.locals.push(endpoint_codes.take(&mut locals)?);
            self.remotes.push(endpoint_codes.take(&mut remotes)?);
            self.span_names.push(name_codes.take(&mut names)?);
            self.durations.push(durations.var()?);
            for _ in 0..tags.count()? {
                self.span_tags.push(tag_codes.take(&mut tags)?);
            }
            self.tag_ends.push(self.span_tags.len() as u32);
            for _ in 0..texts.count()? {
                self.span_texts.push(text_codes.take(&mut texts)?);
            }
            self.text_ends.push(self.span_texts.len() as u32);
        }
        Ok(())
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        let strings = [&self.endpoints, &self.names, &self.tags, &self.texts].map(Strings::memory_bytes);
        strings.iter().sum::<usize>()
            + self.lows.len() * 12
            + self.locals.len() * 28
            + (self.span_tags.len() + self.span_texts.len()) * 4
    }

    /// Low trace ids, ascending.
    pub(in super::super) fn lows(&self) -> &[u64] {
        &self.lows
    }

    /// The spans of the trace at an index of [`Self::lows`].
    pub(in super::super) fn spans_of(&self, trace: usize) -> std::ops::Range<usize> {
        let start = if trace == 0 { 0 } else { self.ends[trace - 1] };
        start as usize..self.ends[trace] as usize
    }

    pub(super) fn tags_of(&self, span: usize) -> &[u32] {
        slice(&self.span_tags, &self.tag_ends, span)
    }

    pub(super) fn texts_of(&self, span: usize) -> &[u32] {
        slice(&self.span_texts, &self.text_ends, span)
    }

    /// Every record of the chunk, with the chunk's second value.
    pub(in super::super) fn records(&self, rest: &[u8]) -> Result<SpanBatch, FrameError> {
        let (soft, hard) = unpack(rest)?;
        let mut cursor = Cursor::new(&soft);
        let mut column = || cursor.bytes();
        let (low_flags, high_flags) = (column()?, column()?);
        let mut highs = column()?.iter();
        let (mut ids, mut parents) = (Cursor::new(column()?), Cursor::new(column()?));
        let (mut times, mut text_times) = (Cursor::new(column()?), Cursor::new(column()?));
        let mut explicit = Cursor::new(hard);
        let mut batch = SpanBatch::with_capacity(self.locals.len(), self.locals.len() * 200);
        let (mut base_us, mut high, mut seen) = (0_i64, 0, Vec::new());
        let mut from = 0;
        for (low, end) in self.lows.iter().zip(&self.ends) {
            let end = *end as usize;
            if from < end {
                base_us = base_us.wrapping_add(times.signed()?);
            }
            seen.clear();
            for span in from..end {
                let (Some(f0), Some(f1)) = (low_flags.get(span), high_flags.get(span)) else {
                    return Err(FrameError::Torn);
                };
                let mut head = RecordHead { flags: u16::from_le_bytes([*f0, *f1]), low: *low, ..RecordHead::default() };
                if head.has(RecordHead::HIGH) {
                    if *highs.next().ok_or(FrameError::Torn)? != 0 {
                        high = explicit.u64()?;
                    }
                    head.high = high;
                }
                head.id = id(&mut ids, &mut explicit, &mut seen)?;
                if head.has(RecordHead::PARENT) {
                    head.parent_id = id(&mut parents, &mut explicit, &mut seen)?;
                }
                if head.has(RecordHead::TIMESTAMP) {
                    head.timestamp_us = base_us.wrapping_add(times.signed()?);
                }
                head.duration_us = self.durations[span];
                let start_us = if head.has(RecordHead::TIMESTAMP) { head.timestamp_us } else { base_us };
                let texts: Vec<(i64, &[u8])> = self
                    .texts_of(span)
                    .iter()
                    .map(|text| Ok((start_us.wrapping_add(text_times.signed()?), self.texts.get(*text))))
                    .collect::<Result<_, FrameError>>()?;
                let tags = self.tags_of(span).iter().map(|tag| self.tags.get(*tag));
                let ends = [self.endpoints.get(self.locals[span]), self.endpoints.get(self.remotes[span])];
                batch.push_joined(&head, self.names.get(self.span_names[span]), ends, texts.into_iter(), tags);
            }
            from = end;
        }
        Ok(batch)
    }
}

fn slice<'a>(values: &'a [u32], ends: &[u32], span: usize) -> &'a [u32] {
    let start = if span == 0 { 0 } else { ends[span - 1] };
    &values[start as usize..ends[span] as usize]
}

fn id(column: &mut Cursor<'_>, explicit: &mut Cursor<'_>, seen: &mut Vec<u64>) -> Result<u64, FrameError> {
    match column.var()? {
        0 => {
            let id = explicit.u64()?;
            seen.push(id);
            Ok(id)
        }
        place => seen.get(place as usize - 1).copied().ok_or(FrameError::Torn),
    }
}

/// Whether a number stands for something.
pub(super) fn is_some(number: u32) -> bool {
    number != NONE
}
