//! The order of the spans inside a trace.

use hashbrown::{HashMap, HashSet};

use super::{SpanBatch, SpanRef};

/// Zipkin's order inside a trace: spans of one millisecond stand together, milliseconds in the order in which they were
/// first seen, spans of one millisecond as they arrived. Spans with equal records are kept once.
///
/// `spans` are those of one low 64-bit trace id in order of arrival, of *all* its full ids: splitting by full id comes
/// afterwards ([`search::split_strict`](super::search::split_strict)), because their milliseconds are shared.
#[must_use]
pub fn arrival_order(spans: SpanBatch) -> SpanBatch {
    group_by_millisecond(without_duplicates(spans))
}

/// As [`arrival_order`], for spans that are known to be different.
#[must_use]
pub fn group_by_millisecond(spans: SpanBatch) -> SpanBatch {
    let times = || spans.records().map(SpanRef::peek_timestamp_ms);
    let Some(first) = times().next() else { return spans };
    if times().all(|time_ms| time_ms == first) {
        return spans;
    }
    let mut group_of_ms: HashMap<i64, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    for (index, time_ms) in times().enumerate() {
        let next = group_of_ms.len();
        order.push((*group_of_ms.entry(time_ms).or_insert(next), index));
    }
    if order.is_sorted() {
        return spans;
    }
    order.sort_unstable();
    let mut ordered = SpanBatch::with_capacity(order.len(), spans.record_bytes());
    order.iter().for_each(|&(_, index)| ordered.push_record(spans.record(index)));
    ordered
}

/// Spans with equal records kept once, the first of them.
#[must_use]
pub fn without_duplicates(spans: SpanBatch) -> SpanBatch {
    let mut seen: HashSet<&[u8]> = HashSet::with_capacity(spans.len());
    let is_new: Vec<bool> = spans.records().map(|record| seen.insert(record)).collect();
    drop(seen);
    if is_new.iter().all(|is_new| *is_new) {
        return spans;
    }
    let mut kept = SpanBatch::with_capacity(spans.len(), spans.record_bytes());
    spans.records().zip(is_new).filter(|(_, is_new)| *is_new).for_each(|(record, _)| kept.push_record(record));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, TraceId};

    fn batch(spans: &[(u64, i64)]) -> SpanBatch {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for &(id, timestamp_us) in spans {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(0, 1).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_timestamp_us(timestamp_us);
            builder.finish(&mut batch).unwrap();
        }
        batch
    }

    fn ids(batch: &SpanBatch) -> Vec<u64> {
        batch.iter().map(|span| span.id.value()).collect()
    }

    #[test]
    fn spans_of_a_millisecond_stand_where_the_first_of_them_came() {
        let ordered = arrival_order(batch(&[(1, 5_000), (2, 3_000), (3, 5_999), (4, 0), (5, 3_001), (6, 999)]));
        assert_eq!(ids(&ordered), [1, 3, 2, 5, 4, 6]);
    }

    #[test]
    fn equal_records_are_kept_once_and_others_with_the_same_id_stay() {
        let ordered = arrival_order(batch(&[(1, 5_000), (1, 5_000), (1, 5_001), (2, 9_000), (1, 5_000)]));
        assert_eq!(ids(&ordered), [1, 1, 2]);
    }

    #[test]
    fn spans_in_order_stay_as_they_are() {
        let spans = batch(&[(1, 1_000), (2, 1_500), (3, 0)]);
        assert_eq!(arrival_order(spans.clone()), spans);
    }
}
