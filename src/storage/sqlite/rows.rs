//! What one write puts into the tables, worked out before the writer is asked for: pure, no I/O.

use crate::model::{SpanBatch, SpanRef};

use super::fragment;
use super::names::{NameCache, NewNames};

/// `max_ms` of a fragment without any timestamp.
pub(super) const NO_TIME: i64 = -1;

/// A row of `fragment`, without its id.
#[derive(Debug)]
pub(super) struct FragmentRow {
    pub(super) trace_low: i64,
    pub(super) max_ms: i64,
    pub(super) extent_ms: i64,
    pub(super) spans: Vec<u8>,
}

/// A row of `posting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PostingRow {
    pub(super) service: i64,
    pub(super) max_ms: i64,
    pub(super) trace_low: i64,
}

/// Everything one transaction stores besides source positions.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Sorted by trace: neighbours in the index are written together.
    pub(super) fragments: Vec<FragmentRow>,
    /// Sorted, unique. Empty when search is switched off.
    pub(super) postings: Vec<PostingRow>,
    pub(super) names: NewNames,
}

/// Number of a service in `posting`: a checksum, so that no row has to be looked up.
pub(super) fn service_number(name: &str) -> i64 {
    i64::from(crc32fast::hash(name.as_bytes()))
}

/// What a span contributes to its fragment, read once.
struct Item<'a> {
    trace_low: i64,
    /// [`NO_TIME`] without timestamp.
    timestamp_ms: i64,
    service: Option<i64>,
    record: &'a [u8],
}

/// Collects the spans of one write.
pub(super) struct RowsBuilder<'a> {
    /// `None`: no postings, no names.
    names: Option<&'a NameCache>,
    items: Vec<Item<'a>>,
    new_names: NewNames,
    last_service: Option<(&'a str, i64)>,
    /// (trace, index of the item) of what is not encoded yet, sorted backwards.
    order: Vec<(i64, u32)>,
    fragments: Vec<FragmentRow>,
    postings: Vec<PostingRow>,
}

impl<'a> RowsBuilder<'a> {
    pub(super) fn new(names: Option<&'a NameCache>, spans: usize) -> Self {
        let new_names = names.map(NameCache::begin).unwrap_or_default();
        Self {
            names,
            items: Vec::with_capacity(spans),
            new_names,
            last_service: None,
            order: Vec::new(),
            fragments: Vec::new(),
            postings: Vec::new(),
        }
    }

    /// Takes the spans `from..to` of a batch.
    pub(super) fn add(&mut self, batch: &'a SpanBatch, from: usize, to: usize) {
        for span in (from..to).filter_map(|index| batch.get(index)) {
            if let Some(names) = self.names {
                names.observe(&span, &mut self.new_names);
            }
            let item = Item {
                trace_low: span.trace_id.low() as i64,
                timestamp_ms: span.timestamp_us.map_or(NO_TIME, |timestamp_us| timestamp_us / 1000),
                service: self.service(&span),
                record: span.record(),
            };
            self.items.push(item);
        }
    }

    /// Spans of a message mostly have the same service: its checksum is kept.
    fn service(&mut self, span: &SpanRef<'a>) -> Option<i64> {
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

    /// Groups the spans by trace; inside a trace they stay in order of arrival.
    pub(super) fn sort(&mut self) {
        self.order = self.items.iter().enumerate().map(|(index, item)| (item.trace_low, index as u32)).collect();
        self.order.sort_unstable_by(|left, right| right.cmp(left));
    }

    /// Encodes whole traces until about `spans` spans are done. False when nothing is left.
    pub(super) fn encode(&mut self, spans: usize) -> bool {
        let until = self.order.len().saturating_sub(spans);
        while let Some(&(trace_low, _)) = self.order.last() {
            if self.order.len() <= until {
                return true;
            }
            let begin = self.order.iter().rposition(|(low, _)| *low != trace_low).map_or(0, |last| last + 1);
            let items = self.order[begin..].iter().rev().map(|(_, index)| &self.items[*index as usize]);
            let times = items.clone().map(|item| item.timestamp_ms).filter(|ms| *ms != NO_TIME);
            let max_ms = times.clone().max().unwrap_or(NO_TIME);
            let extent_ms = max_ms - times.min().unwrap_or(max_ms);
            let first_posting = self.postings.len();
            for service in items.clone().filter_map(|item| item.service) {
                let posting = PostingRow { service, max_ms, trace_low };
                if !self.postings[first_posting..].contains(&posting) {
                    self.postings.push(posting);
                }
            }
            let spans = fragment::encode(items.map(|item| item.record));
            self.fragments.push(FragmentRow { trace_low, max_ms, extent_ms, spans });
            self.order.truncate(begin);
        }
        false
    }

    /// The rows, after everything was encoded.
    pub(super) fn finish(self) -> Rows {
        let Self { fragments, mut postings, new_names: names, .. } = self;
        postings.sort_unstable();
        Rows { fragments, postings, names }
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

    #[test]
    fn spans_of_a_trace_become_one_fragment_in_order_of_arrival() {
        let names = NameCache::new(&[]);
        let first = batch(&[(u64::MAX, 5_000, "a"), (3, 9_000, "b"), (u64::MAX, 2_000, "a")]);
        let second = batch(&[(3, 0, ""), (u64::MAX, 0, "c")]);
        let mut builder = RowsBuilder::new(Some(&names), 5);
        builder.add(&first, 0, 3);
        builder.add(&second, 0, 2);
        builder.sort();
        while builder.encode(1) {}
        let rows = builder.finish();

        let times: Vec<_> = rows.fragments.iter().map(|row| (row.trace_low, row.max_ms, row.extent_ms)).collect();
        assert_eq!(times, [(-1, 5, 3), (3, 9, 0)]);
        let mut spans = SpanBatch::new();
        fragment::decode(&rows.fragments[0].spans, &mut spans).unwrap();
        assert_eq!(spans.iter().map(|span| span.id.value()).collect::<Vec<_>>(), [1, 3, 2]);
        let mut expected: Vec<_> = [("a", 5, -1), ("c", 5, -1), ("b", 9, 3)]
            .map(|(service, max_ms, trace_low)| PostingRow { service: service_number(service), max_ms, trace_low })
            .into();
        expected.sort_unstable();
        assert_eq!(rows.postings, expected);
    }

    #[test]
    fn without_search_there_are_no_postings_and_no_names() {
        let spans = batch(&[(1, 5_000, "a")]);
        let mut builder = RowsBuilder::new(None, 1);
        builder.add(&spans, 0, 1);
        builder.sort();
        while builder.encode(1) {}
        let rows = builder.finish();
        assert_eq!((rows.fragments.len(), rows.postings.len()), (1, 0));
        assert!(rows.names.is_empty());
    }
}
