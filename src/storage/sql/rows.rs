//! What one write puts into the tables, worked out before a connection is asked for: pure, no I/O.

use crate::model::{SpanBatch, SpanRef};

use super::fragment;
use super::lists::{NO_SERVICE, PostingRow};
use super::names::{NameCache, NewNames};
use super::terms;

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

/// Which traces each service has spans in, with what terms: what [`ServiceTraces`](super::lists::ServiceTraces) are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Postings {
    /// Sorted; a trace comes more than once when its spans have terms.
    pub(in crate::storage) rows: Vec<PostingRow>,
    /// Of all rows.
    pub(in crate::storage) terms: Vec<u32>,
}

/// Everything one transaction stores besides source positions.
#[derive(Debug, Default)]
pub(in crate::storage) struct Rows {
    /// Sorted by trace and content: writers that meet wait for each other in one order.
    pub(in crate::storage) fragments: Vec<FragmentRow>,
    /// The traces of all fragments, each once: 8 bytes each, high byte first.
    pub(in crate::storage) traces: Vec<u8>,
    /// Empty when search is switched off.
    pub(in crate::storage) postings: Postings,
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
    /// A range of the builder's terms.
    terms: (u32, u32),
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
    terms: Vec<u32>,
    new_names: NewNames,
    last_service: Option<(&'a str, i32)>,
}

impl<'a> RowsBuilder<'a> {
    pub(super) fn new(names: Option<&'a NameCache>, spans: usize) -> Self {
        let new_names = names.map(NameCache::begin).unwrap_or_default();
        Self { names, items: Vec::with_capacity(spans), terms: Vec::new(), new_names, last_service: None }
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
                terms: self.terms(&span),
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

    /// Those of a span; `(0, 0)` without any.
    fn terms(&mut self, span: &SpanRef<'a>) -> (u32, u32) {
        let from = self.terms.len();
        if self.names.is_some() {
            terms::of_span(span, &mut self.terms);
        }
        if self.terms.len() == from { (0, 0) } else { (from as u32, self.terms.len() as u32) }
    }

    /// The rows, sorted.
    pub(super) fn finish(self) -> Rows {
        let has_postings = self.names.is_some();
        let Self { items, terms, new_names: names, .. } = self;
        let mut order: Vec<(i64, i64, u32)> =
            (0..).zip(&items).map(|(index, item): (u32, &Item<'_>)| (item.trace_low, item.stretch(), index)).collect();
        order.sort_unstable();
        let postings = Postings { rows: Vec::with_capacity(items.len()), terms };
        let mut rows = Rows { names, postings, ..Rows::default() };
        for trace in order.chunk_by(|left, right| left.0 == right.0) {
            let first = trace.iter().map(|(_, _, index)| *index).min().unwrap_or(0);
            rows.traces.extend_from_slice(&trace[0].0.to_be_bytes());
            let from = rows.fragments.len();
            for stretch in trace.chunk_by(|left, right| left.1 == right.1) {
                add_fragments(stretch, first, &items, has_postings, &mut rows);
            }
            rows.fragments[from..].sort_unstable_by_key(|row| row.content);
        }
        rows.postings.rows.sort_unstable();
        rows.postings.rows.dedup();
        rows
    }
}

/// The spans of one trace in one stretch of time; mostly one fragment. `first` is the first span of the trace.
fn add_fragments(stretch: &[(i64, i64, u32)], first: u32, items: &[Item<'_>], has_postings: bool, rows: &mut Rows) {
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
            service_bits: services.fold(0, |bits, service| bits | service_bit(service)),
            spans,
        };
        let day = row.day();
        for item in members.filter(|_| has_postings) {
            let service = item.service.unwrap_or(NO_SERVICE);
            let posting = PostingRow { service, day, trace_low, terms: item.terms };
            if rows.postings.rows.last() != Some(&posting) {
                rows.postings.rows.push(posting);
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
            terms: (0, 0),
        });
        expected.sort_unstable();
        assert_eq!(rows.postings.rows, expected);
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
    fn spans_without_a_service_are_listed_too() {
        assert_eq!(service_number(""), NO_SERVICE);
        let rows = rows(Some(&NameCache::new(&[])), &batch(&[(1, 5_000, ""), (1, 6_000, "a")]));
        let services: Vec<i32> = rows.postings.rows.iter().map(|row| row.service).collect();
        let mut expected = vec![NO_SERVICE, service_number("a")];
        expected.sort_unstable();
        assert_eq!(services, expected);
        assert_eq!(rows.fragments[0].service_bits, service_bit(service_number("a")));
    }

    #[test]
    fn the_same_spans_make_the_same_rows() {
        let spans = batch(&[(1, 5_000, "a"), (1, 9_000_000, "b"), (2, 0, "")]);
        let [one, other] = [0, 1].map(|_| rows(None, &spans).fragments);
        assert_eq!(one, other);
        assert!(rows(None, &spans).postings.rows.is_empty());
    }
}
