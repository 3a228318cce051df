//! Calls of some thousand traces as one value, trace by trace, so that one that changes can be left out.
//!
//! ```text
//! version u8 (1) · crc32 of the rest u32 · services: count, {length, name}… · pairs: count, {parent, child}…
//! traces: count, {low u64, newest ms: what it is before the value's, length in ms, kind and calls: 2 n + is loose, {2 pair + is error}…}…
//! ```
//!
//! A trace is *loose* when what is stored of it may go by other rules than its days, or is too much to read: its calls
//! are not told.

use std::collections::HashMap;

use super::engine::TraceSize;
use super::number::{put_number, take_number};
use super::rows::DAY_MS;
use crate::model::{SpanBatch, link_trace};

const VERSION: u8 = 1;
const HEAD: usize = 5;
/// Traces of one value, and bytes of their calls, about.
const TALLY_TRACES: usize = 4_096;
const TALLY_BYTES: usize = 1 << 20;
/// Of a trace and of each of its calls, about.
const TRACE_BYTES: usize = 16;
const CALL_BYTES: usize = 3;

/// A stored value, and what finds it.
#[derive(Debug)]
pub(in crate::storage) struct TallyRow {
    /// Times of all spans in it: of the oldest and newest with a timestamp.
    pub(in crate::storage) min_ms: i64,
    pub(in crate::storage) max_ms: i64,
    pub(in crate::storage) calls: Vec<u8>,
}

/// What one trace tells of.
#[derive(Debug)]
struct Tallied {
    low: i64,
    min_ms: i64,
    max_ms: i64,
    is_loose: bool,
    /// Numbers of parent and child, and whether it failed.
    calls: Vec<(u32, u32, bool)>,
}

/// Collects traces.
#[derive(Debug, Default)]
pub(super) struct TallyBuilder {
    services: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    traces: Vec<Tallied>,
}

impl TallyBuilder {
    /// Adds a trace, its spans in zipkin's order. One without any timestamp is in no window.
    pub(super) fn push(&mut self, low: i64, spans: &SpanBatch, firm_ms: &std::ops::Range<i64>) {
        let times = spans.iter().map(|span| span.timestamp_ms());
        let known = times.clone().filter(|ms| *ms > 0);
        let (Some(min_ms), Some(max_ms)) = (known.clone().min(), known.max()) else { return };
        let is_loose = !times.clone().all(|ms| firm_ms.contains(&ms));
        let mut calls = Vec::new();
        if !is_loose {
            link_trace(spans.iter(), |call| {
                calls.push((self.services_number(call.parent), self.services_number(call.child), call.is_error));
            });
        }
        self.traces.push(Tallied { low, min_ms, max_ms, is_loose, calls });
    }

    /// Adds a trace that is not read here.
    pub(super) fn push_unread(&mut self, size: &TraceSize) {
        if size.max_ms > 0 {
            let TraceSize { trace_low: low, min_ms, max_ms, .. } = *size;
            self.traces.push(Tallied { low, min_ms, max_ms, is_loose: true, calls: Vec::new() });
        }
    }

    fn services_number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.services.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.services.insert(name.into(), number);
        number
    }

    /// Values of traces that begin on the same day, and end on the same day at about the same time: a value goes with its days, and one
    /// stray trace takes no others along.
    pub(super) fn finish(mut self) -> Vec<TallyRow> {
        let days = |trace: &Tallied| (trace.max_ms / DAY_MS, trace.min_ms / DAY_MS);
        self.traces.sort_unstable_by_key(|trace| (days(trace), trace.max_ms, trace.low));
        let mut rows = Vec::new();
        for mut rest in self.traces.chunk_by(|left, right| days(left) == days(right)) {
            while !rest.is_empty() {
                let (part, after) = rest.split_at(fitting(rest));
                rest = after;
                rows.push(self.encode(part));
            }
        }
        rows
    }

    fn encode(&self, traces: &[Tallied]) -> TallyRow {
        let min_ms = traces.iter().map(|trace| trace.min_ms).min().unwrap_or(0);
        let max_ms = traces.iter().map(|trace| trace.max_ms).max().unwrap_or(0);
        let (mut services, mut pairs) = (Numbers::default(), Numbers::default());
        let mut body = Vec::new();
        for trace in traces {
            body.extend_from_slice(&trace.low.to_le_bytes());
            put_number(&mut body, (max_ms - trace.max_ms) as usize);
            put_number(&mut body, (trace.max_ms - trace.min_ms) as usize);
            put_number(&mut body, trace.calls.len() << 1 | usize::from(trace.is_loose));
            for (parent, child, is_error) in &trace.calls {
                let pair = pairs.of((services.of(*parent), services.of(*child)));
                put_number(&mut body, pair << 1 | usize::from(*is_error));
            }
        }
        let mut calls = vec![VERSION, 0, 0, 0, 0];
        put_number(&mut calls, services.list.len());
        for service in &services.list {
            let name = &self.names[*service as usize];
            put_number(&mut calls, name.len());
            calls.extend_from_slice(name.as_bytes());
        }
        put_number(&mut calls, pairs.list.len());
        for (parent, child) in &pairs.list {
            put_number(&mut calls, *parent);
            put_number(&mut calls, *child);
        }
        put_number(&mut calls, traces.len());
        calls.append(&mut body);
        let checksum = crc32fast::hash(&calls[HEAD..]);
        calls[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
        TallyRow { min_ms, max_ms, calls }
    }
}

/// How many traces go into one value; one at least.
fn fitting(traces: &[Tallied]) -> usize {
    let mut bytes = 0;
    let fits = traces.iter().take(TALLY_TRACES).take_while(|trace| {
        bytes += TRACE_BYTES + CALL_BYTES * trace.calls.len();
        bytes <= TALLY_BYTES
    });
    fits.count().max(1)
}

/// Numbers what comes, by its first coming.
#[derive(Debug)]
struct Numbers<T> {
    list: Vec<T>,
    known: HashMap<T, usize>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { list: Vec::new(), known: HashMap::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Numbers<T> {
    fn of(&mut self, value: T) -> usize {
        let Self { list, known } = self;
        *known.entry(value).or_insert_with(|| {
            list.push(value);
            list.len() - 1
        })
    }
}

/// A trace as a value tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TraceCalls<'a> {
    pub(in crate::storage) low: i64,
    pub(in crate::storage) min_ms: i64,
    pub(in crate::storage) max_ms: i64,
    /// Only its spans tell.
    pub(in crate::storage) is_loose: bool,
    calls: usize,
    bytes: &'a [u8],
}

impl TraceCalls<'_> {
    /// Each call: the pair's number, and whether it failed.
    pub(super) fn calls(&self) -> impl Iterator<Item = (usize, bool)> {
        let mut rest = self.bytes;
        (0..self.calls).map_while(move |_| {
            let (number, after) = take_number(rest)?;
            rest = after;
            Some((number >> 1, number & 1 != 0))
        })
    }
}

/// A value that was read.
#[derive(Debug, Default)]
pub(in crate::storage) struct Tally<'a> {
    pub(super) pairs: Vec<(&'a str, &'a str)>,
    pub(in crate::storage) traces: Vec<TraceCalls<'a>>,
}

impl<'a> Tally<'a> {
    /// `None` when it is damaged, or of another version. `max_ms` as in its row.
    pub(in crate::storage) fn read(value: &'a [u8], max_ms: i64) -> Option<Self> {
        let (&[version, c0, c1, c2, c3], rest) = value.split_first_chunk::<HEAD>()?;
        if version != VERSION || crc32fast::hash(rest) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return None;
        }
        let mut cursor = Cursor(rest);
        let mut services = Vec::new();
        for _ in 0..cursor.number()? {
            let length = cursor.number()?;
            services.push(std::str::from_utf8(cursor.take(length)?).ok()?);
        }
        let mut tally = Self::default();
        for _ in 0..cursor.number()? {
            let pair = (*services.get(cursor.number()?)?, *services.get(cursor.number()?)?);
            tally.pairs.push(pair);
        }
        for _ in 0..cursor.number()? {
            tally.traces.push(cursor.trace(max_ms, tally.pairs.len())?);
        }
        Some(tally)
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = take_number(self.0)?;
        self.0 = rest;
        Some(number)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn trace(&mut self, newest_ms: i64, pairs: usize) -> Option<TraceCalls<'a>> {
        let low = i64::from_le_bytes(*self.take(8)?.first_chunk()?);
        let max_ms = newest_ms.checked_sub_unsigned(self.number()? as u64)?;
        let min_ms = max_ms.checked_sub_unsigned(self.number()? as u64)?;
        let kind = self.number()?;
        let bytes = self.0;
        for _ in 0..kind >> 1 {
            if self.number()? >> 1 >= pairs {
                return None;
            }
        }
        let bytes = &bytes[..bytes.len() - self.0.len()];
        Some(TraceCalls { low, min_ms, max_ms, is_loose: kind & 1 != 0, calls: kind >> 1, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::spans_from_json;

    const T_MS: i64 = 1_600_000_000_000;

    /// Two spans of a trace: the older one's client calls, and has a child.
    fn spans(low: i64, from_ms: i64, at_ms: i64) -> SpanBatch {
        spans_from_json(&format!(
            r#"[{{"traceId":"{low:x}","id":"1","timestamp":{},"kind":"CLIENT","localEndpoint":{{"serviceName":"a"}},
                  "remoteEndpoint":{{"serviceName":"b"}}}},
                {{"traceId":"{low:x}","id":"2","parentId":"1","timestamp":{},"kind":"PRODUCER",
                  "localEndpoint":{{"serviceName":"a"}},"remoteEndpoint":{{"serviceName":"c"}}}}]"#,
            at_ms * 1000,
            from_ms * 1000,
        ))
    }

    fn tallied() -> TallyRow {
        let mut builder = TallyBuilder::default();
        let firm_ms = T_MS - 1_000..T_MS + 1_000;
        for (low, at_ms) in [(2, T_MS), (1, T_MS - 9), (3, T_MS - 1_000_000)] {
            builder.push(low, &spans(low, at_ms - 5, at_ms), &firm_ms);
        }
        builder.push(4, &spans_from_json(r#"[{"traceId":"4","id":"1"}]"#), &firm_ms);
        builder.finish().remove(0)
    }

    fn shown(row: &TallyRow) -> Vec<(i64, i64, i64, bool, usize)> {
        let tally = Tally::read(&row.calls, row.max_ms).unwrap();
        let shown = |trace: &TraceCalls<'_>| {
            (trace.low, trace.max_ms - T_MS, trace.max_ms - trace.min_ms, trace.is_loose, trace.calls().count())
        };
        tally.traces.iter().map(shown).collect()
    }

    #[test]
    fn a_tally_gives_back_times_and_calls_of_each_trace() {
        let row = tallied();
        assert_eq!((row.min_ms, row.max_ms), (T_MS - 1_000_005, T_MS));
        assert_eq!(shown(&row), [(3, -1_000_000, 5, true, 0), (1, -9, 5, false, 1), (2, 0, 5, false, 1)]);
        let tally = Tally::read(&row.calls, row.max_ms).unwrap();
        assert_eq!(tally.pairs, [("a", "c")], "the client has a child, so that its call is not counted");
    }

    #[test]
    fn traces_of_other_days_are_in_other_tallies() {
        let mut builder = TallyBuilder::default();
        let days = [(0, 0), (0, 2), (1, 1), (0, 0), (1, 2), (0, 2)];
        for (low, (from, to)) in (1..).zip(days) {
            builder.push(low, &spans(low, T_MS + from * DAY_MS, T_MS + to * DAY_MS + 5), &(0..i64::MAX));
        }
        let rows = builder.finish();
        let lows: Vec<Vec<i64>> = rows.iter().map(|row| shown(row).iter().map(|trace| trace.0).collect()).collect();
        assert_eq!(lows, [vec![1, 4], vec![3], vec![2, 6], vec![5]]);
        for row in &rows {
            let times = shown(row).iter().map(|trace| (T_MS + trace.1 - trace.2, T_MS + trace.1)).collect::<Vec<_>>();
            assert!(times.iter().all(|time| *time == (row.min_ms, row.max_ms)));
        }
    }

    #[test]
    fn tallies_of_traces_with_many_calls_have_fewer_traces() {
        let trace = |low, calls| Tallied {
            low,
            min_ms: T_MS,
            max_ms: T_MS,
            is_loose: false,
            calls: vec![(0, 0, false); calls],
        };
        let builder = TallyBuilder {
            names: vec!["a".into()],
            traces: (0..20).map(|low| trace(low, 100_000)).chain([trace(20, 1_000_000), trace(21, 1)]).collect(),
            ..TallyBuilder::default()
        };
        let rows = builder.finish();
        assert_eq!(rows.iter().map(|row| shown(row).len()).collect::<Vec<_>>(), [3, 3, 3, 3, 3, 3, 2, 1, 1]);
    }

    #[test]
    fn any_changed_byte_or_lost_tail_is_noticed() {
        let row = tallied();
        for index in 0..row.calls.len() {
            let mut changed = row.calls.clone();
            changed[index] ^= 0x10;
            assert!(Tally::read(&changed, row.max_ms).is_none(), "byte {index}");
            assert!(Tally::read(&row.calls[..index], row.max_ms).is_none(), "cut at {index}");
        }
    }
}
