//! What one write puts into the tables, worked out before a connection is asked for: pure, no I/O.

use crate::model::{SpanBatch, SpanRef};

use super::fragment;
use super::names::{NameCache, NewNames};

/// Spans of one fragment start in the same stretch of this many milliseconds. A day is a whole number of them.
pub(in crate::storage) const EXTENT_MS: i64 = 2_000;
/// A day, by which rows are partitioned.
pub(in crate::storage) const DAY_MS: i64 = 86_400_000;
/// Records of one fragment, about: below what engines keep outside of a row's page.
const FRAGMENT_BYTES: usize = 6_000;

/// A row of `fragment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct FragmentRow {
    /// Low half of the trace id, as a signed number.
    pub(in crate::storage) trace_low: i64,
    /// Key of the content: the same fragment is not stored twice.
    pub(in crate::storage) content: i64,
    /// Start of its oldest and newest span; 0 without timestamp.
    pub(in crate::storage) min_ms: i64,
    pub(in crate::storage) max_ms: i64,
    /// A bit for each local service: traces of a service are picked without reading spans.
    pub(in crate::storage) service_bits: i64,
    pub(in crate::storage) spans: Vec<u8>,
}

impl FragmentRow {
    /// Days since the epoch, the same for all spans of the fragment.
    pub(in crate::storage) fn day(&self) -> i32 {
        (self.max_ms / DAY_MS) as i32
    }
}

/// The service has spans in the trace on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) struct PostingRow {
    pub(in crate::storage) service: i32,
    pub(in crate::storage) day: i32,
    pub(in crate::storage) trace_low: i64,
}

/// Traces of one list: it stays in its row's page.
const LIST_TRACES: usize = 500;

/// A row of the table of services: traces in which it has spans on that day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct ServiceTraces {
    pub(in crate::storage) service: i32,
    pub(in crate::storage) day: i32,
    /// Low halves of trace ids, 8 bytes each, high byte first.
    pub(in crate::storage) traces: Vec<u8>,
}

impl ServiceTraces {
    /// Sorted rows as lists.
    pub(in crate::storage) fn of(postings: &[PostingRow]) -> Vec<Self> {
        let services = postings.chunk_by(|left, right| (left.service, left.day) == (right.service, right.day));
        services.flat_map(|rows| rows.chunks(LIST_TRACES)).map(Self::of_one).collect()
    }

    fn of_one(rows: &[PostingRow]) -> Self {
        let traces = rows.iter().flat_map(|row| row.trace_low.to_be_bytes()).collect();
        let (service, day) = rows.first().map_or((0, 0), |row| (row.service, row.day));
        Self { service, day, traces }
    }

    /// The traces of a stored list.
    pub(super) fn read(traces: &[u8]) -> impl Iterator<Item = i64> {
        traces.as_chunks::<8>().0.iter().map(|low| i64::from_be_bytes(*low))
    }
}

/// How many lists are asked for until there are that many traces of a service: lists are long where services are common.
pub(super) fn list_steps(traces: usize) -> impl Iterator<Item = usize> {
    [32, 512].into_iter().filter(move |step| *step < traces).chain([traces])
}

/// Everything one transaction stores besides source positions.
#[derive(Debug, Default)]
pub(in crate::storage) struct Rows {
    /// Sorted by trace and content: writers that meet wait for each other in one order.
    pub(in crate::storage) fragments: Vec<FragmentRow>,
    /// Sorted, unique; stored as [`ServiceTraces`]. Empty when search is switched off.
    pub(in crate::storage) postings: Vec<PostingRow>,
    pub(in crate::storage) names: NewNames,
}

/// Number of a service: a checksum, so that no row has to be looked up. Two services that share one cost a candidate that
/// does not match, never a wrong answer.
pub(in crate::storage) fn service_number(name: &str) -> i32 {
    crc32fast::hash(name.as_bytes()) as i32
}

/// The service's bit in [`FragmentRow::service_bits`].
pub(in crate::storage) fn service_bit(number: i32) -> i64 {
    1 << (number & 63)
}

/// What a span contributes, read once.
struct Item<'a> {
    trace_low: i64,
    timestamp_ms: i64,
    service: Option<i32>,
    record: &'a [u8],
}

impl Item<'_> {
    fn stretch(&self) -> i64 {
        self.timestamp_ms / EXTENT_MS
    }
}

/// Collects the spans of one write.
pub(super) struct RowsBuilder<'a> {
    /// `None`: no postings, no names.
    names: Option<&'a NameCache>,
    items: Vec<Item<'a>>,
    new_names: NewNames,
    last_service: Option<(&'a str, i32)>,
}

impl<'a> RowsBuilder<'a> {
    pub(super) fn new(names: Option<&'a NameCache>, spans: usize) -> Self {
        let new_names = names.map(NameCache::begin).unwrap_or_default();
        Self { names, items: Vec::with_capacity(spans), new_names, last_service: None }
    }

    /// Takes the spans `from..to` of a batch.
    pub(super) fn add(&mut self, batch: &'a SpanBatch, from: usize, to: usize) {
        for span in (from..to).filter_map(|index| batch.get(index)) {
            if let Some(names) = self.names {
                names.observe(&span, &mut self.new_names);
            }
            let item = Item {
                trace_low: span.trace_id.low() as i64,
                timestamp_ms: span.timestamp_ms(),
                service: self.service(&span),
                record: span.record(),
            };
            self.items.push(item);
        }
    }

    /// Spans of a message mostly have the same service: its checksum is kept.
    fn service(&mut self, span: &SpanRef<'a>) -> Option<i32> {
        self.names?;
        let name = span.local_service_name()?;
        match self.last_service {
            Some((last, number)) if last == name => Some(number),
            _ => {
                let number = service_number(name);
                self.last_service = Some((name, number));
                Some(number)
            }
        }
    }

    /// The rows, sorted.
    pub(super) fn finish(self) -> Rows {
        let Self { items, new_names: names, .. } = self;
        let mut order: Vec<(i64, i64, u32)> =
            (0..).zip(&items).map(|(index, item): (u32, &Item<'_>)| (item.trace_low, item.stretch(), index)).collect();
        order.sort_unstable();
        let mut rows = Rows { names, ..Rows::default() };
        for trace in order.chunk_by(|left, right| left.0 == right.0) {
            let first = trace.iter().map(|(_, _, index)| *index).min().unwrap_or(0);
            let from = rows.fragments.len();
            for stretch in trace.chunk_by(|left, right| left.1 == right.1) {
                add_fragments(stretch, first, &items, &mut rows);
            }
            rows.fragments[from..].sort_unstable_by_key(|row| row.content);
        }
        rows.postings.sort_unstable();
        rows.postings.dedup();
        rows
    }
}

/// The spans of one trace in one stretch of time; mostly one fragment. `first` is the first span of the trace.
fn add_fragments(stretch: &[(i64, i64, u32)], first: u32, items: &[Item<'_>], rows: &mut Rows) {
    let mut rest = stretch;
    while !rest.is_empty() {
        let mut bytes = 0;
        let end = rest.iter().position(|(_, _, index)| {
            bytes += items[*index as usize].record.len();
            bytes > FRAGMENT_BYTES
        });
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()).max(1));
        rest = after;
        let members = part.iter().map(|(_, _, index)| &items[*index as usize]);
        let times = members.clone().map(|item| item.timestamp_ms);
        let services = members.clone().filter_map(|item| item.service);
        let (Some(min_ms), Some(max_ms)) = (times.clone().min(), times.max()) else { return };
        let trace_low = part[0].0;
        let spans = fragment::encode(part.iter().map(|(_, _, i)| (i - first, items[*i as usize].record)));
        let row = FragmentRow {
            trace_low,
            content: fragment::content(&spans),
            min_ms,
            max_ms,
            service_bits: services.clone().fold(0, |bits, service| bits | service_bit(service)),
            spans,
        };
        let day = row.day();
        for service in services {
            let posting = PostingRow { service, day, trace_low };
            if rows.postings.last() != Some(&posting) {
                rows.postings.push(posting);
            }
        }
        rows.fragments.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, TraceId};

    fn batch(spans: &[(u64, i64, &str)]) -> SpanBatch {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for (index, (low, timestamp_us, service)) in spans.iter().enumerate() {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(0, *low).unwrap());
            builder.set_id(SpanId::new(index as u64 + 1));
            builder.set_timestamp_us(*timestamp_us);
            builder.local_endpoint.set_service_name(service);
            builder.finish(&mut batch).unwrap();
        }
        batch
    }

    fn rows(names: Option<&NameCache>, spans: &SpanBatch) -> Rows {
        let mut builder = RowsBuilder::new(names, spans.len());
        builder.add(spans, 0, spans.len());
        builder.finish()
    }

    fn ids(row: &FragmentRow) -> Vec<u64> {
        let mut spans = SpanBatch::new();
        fragment::decode(&row.spans, &mut spans, &mut Vec::new()).unwrap();
        spans.iter().map(|span| span.id.value()).collect()
    }

    #[test]
    fn spans_of_a_trace_in_one_stretch_of_time_become_one_fragment() {
        let names = NameCache::new(&[]);
        let spans =
            batch(&[(u64::MAX, 5_000, "a"), (3, 9_000, "b"), (u64::MAX, 2_000_000, "a"), (u64::MAX, 2_000, "c")]);
        let rows = rows(Some(&names), &spans);
        let mut found: Vec<_> =
            rows.fragments.iter().map(|row| (row.trace_low, row.min_ms, row.max_ms, ids(row))).collect();
        found.sort();
        assert_eq!(found, [(-1, 2, 5, vec![1, 4]), (-1, 2_000, 2_000, vec![3]), (3, 9, 9, vec![2])]);
        let mut expected = [("a", -1), ("c", -1), ("b", 3)].map(|(name, trace_low)| PostingRow {
            service: service_number(name),
            day: 0,
            trace_low,
        });
        expected.sort_unstable();
        assert_eq!(rows.postings, expected);
    }

    #[test]
    fn lists_hold_the_traces_of_one_service_and_day_and_are_bounded() {
        let row = |service, day, trace_low| PostingRow { service, day, trace_low };
        let mut postings: Vec<PostingRow> = (0..LIST_TRACES as i64 + 3).map(|low| row(1, 5, low - 2)).collect();
        postings.extend([row(1, 6, 9), row(2, 6, i64::MIN)]);
        let lists = ServiceTraces::of(&postings);
        let shown: Vec<_> = lists.iter().map(|list| (list.service, list.day, list.traces.len() / 8)).collect();
        assert_eq!(shown, [(1, 5, LIST_TRACES), (1, 5, 3), (1, 6, 1), (2, 6, 1)]);
        let read: Vec<i64> = lists.iter().flat_map(|list| ServiceTraces::read(&list.traces)).collect();
        assert_eq!(read, postings.iter().map(|row| row.trace_low).collect::<Vec<_>>());
    }

    #[test]
    fn no_fragment_spans_two_days_or_grows_without_bound() {
        let day_us = DAY_MS * 1000;
        let spans = batch(&[(1, day_us - 1, "a"), (1, day_us, "a")]);
        assert_eq!(rows(None, &spans).fragments.iter().map(FragmentRow::day).max(), Some(1));
        let service = "s".repeat(200);
        let many: Vec<_> = (0..100).map(|_| (1, 1_000, &*service)).collect();
        let rows = rows(None, &batch(&many));
        assert!(rows.fragments.len() >= 3, "{}", rows.fragments.len());
        assert!(rows.fragments.iter().all(|row| row.spans.len() < FRAGMENT_BYTES + 500));
    }

    #[test]
    fn the_same_spans_make_the_same_rows() {
        let spans = batch(&[(1, 5_000, "a"), (1, 9_000_000, "b"), (2, 0, "")]);
        let [one, other] = [0, 1].map(|_| rows(None, &spans).fragments);
        assert_eq!(one, other);
        assert!(rows(None, &spans).postings.is_empty());
    }
}
