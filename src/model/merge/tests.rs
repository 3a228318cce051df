use proptest::prelude::*;

use super::*;
use crate::model::testing::spans_from_json;
use crate::model::{SpanBatch, SpanBuilder};

fn ids_and_halves(trace: &MergedTrace<'_>) -> Vec<(u64, bool, usize)> {
    trace.spans().iter().map(|span| (span.id.value(), span.shared, trace.parts(span).len())).collect()
}

#[test]
fn reports_of_one_span_are_united_and_the_first_value_wins() {
    let batch = spans_from_json(
        r#"[{"traceId":"1","id":"2","parentId":"1","name":"get","timestamp":5,"localEndpoint":{"serviceName":"a"},
             "tags":{"k":"first","x":"1"},"annotations":[{"timestamp":2,"value":"b"},{"timestamp":1,"value":"z"}]},
            {"traceId":"1","id":"2","kind":"SERVER","name":"late","duration":7,"debug":true,
             "localEndpoint":{"serviceName":"a","ipv4":"1.1.1.1"},"remoteEndpoint":{"serviceName":"r"},
             "tags":{"k":"last"},"annotations":[{"timestamp":2,"value":"b"},{"timestamp":2,"value":"a"}]}]"#,
    );
    let trace = merge(batch.iter());
    let [span] = trace.spans() else { panic!("{:?}", trace.spans()) };
    // The report with more of the endpoint comes first, so it is the one that is filled up.
    assert_eq!((span.name, span.kind, span.parent_id), (Some("late"), Some(SpanKind::Server), Some(SpanId::new(1))));
    assert_eq!((span.timestamp_us, span.duration_us, span.debug), (Some(5), Some(7), true));
    assert_eq!(span.local_endpoint.unwrap().ipv4, Some("1.1.1.1"));
    assert_eq!(span.remote_service_name(), Some("r"));
    assert_eq!(trace.tags(span), [("k", "first"), ("x", "1")]);
    assert_eq!(trace.annotations(span), [(1, "z"), (2, "a"), (2, "b")]);
    assert!(trace.has_tag(span, "x") && !trace.has_tag(span, "y"));
}

#[test]
fn client_and_server_of_one_id_stay_apart_and_the_server_becomes_shared() {
    let batch = spans_from_json(
        r#"[{"traceId":"1","id":"2","kind":"SERVER","localEndpoint":{"serviceName":"b"}},
            {"traceId":"1","id":"2","parentId":"1","kind":"CLIENT","localEndpoint":{"serviceName":"a"}}]"#,
    );
    let trace = merge(batch.iter());
    assert_eq!(ids_and_halves(&trace), [(2, false, 1), (2, true, 1)]);
    assert_eq!(trace.spans()[1].parent_id, Some(SpanId::new(1)));
}

#[test]
fn a_span_without_endpoint_joins_the_first_of_its_id() {
    let batch = spans_from_json(
        r#"[{"traceId":"1","id":"2","localEndpoint":{"serviceName":"b"}},
            {"traceId":"1","id":"2","localEndpoint":{"serviceName":"a"}},
            {"traceId":"1","id":"2","name":"n"}]"#,
    );
    let trace = merge(batch.iter());
    assert_eq!(ids_and_halves(&trace), [(2, false, 2), (2, false, 1)]);
    assert_eq!((trace.spans()[0].local_service_name(), trace.spans()[0].name), (Some("a"), Some("n")));
}

#[test]
fn the_longest_trace_id_is_given_to_spans_with_a_short_one() {
    let batch =
        spans_from_json(r#"[{"traceId":"1","id":"2"},{"traceId":"00000000000000070000000000000001","id":"3"}]"#);
    let trace = merge(batch.iter());
    assert!(trace.spans().iter().all(|span| span.trace_id.to_string() == "00000000000000070000000000000001"));
}

/// Reports of distinct spans, each cut into pieces that do not contradict each other.
fn pieces() -> impl Strategy<Value = (Vec<SpanBatch>, Vec<SpanBatch>)> {
    let pieces = prop::collection::vec((1..6_u64, 0..5_usize, any::<u8>()), 1..30);
    pieces.prop_flat_map(|pieces| {
        let batches: Vec<SpanBatch> = pieces
            .into_iter()
            .map(|(id, field, value)| {
                let mut builder = SpanBuilder::new();
                builder.set_trace_id(TraceId::from_halves(0, 1).unwrap());
                builder.set_id(SpanId::new(id));
                builder.local_endpoint.set_service_name("a");
                match field {
                    0 => builder.set_parent_id(SpanId::new(id + 1)),
                    1 => builder.set_timestamp_us(id as i64 * 10),
                    2 => builder.add_annotation(i64::from(value), "v"),
                    3 => builder.add_tag(&format!("k{value}"), "v"),
                    _ => builder.set_kind(Some(SpanKind::Server)),
                }
                let mut batch = SpanBatch::new();
                builder.finish(&mut batch).unwrap();
                batch
            })
            .collect();
        (Just(batches.clone()), Just(batches).prop_shuffle())
    })
}

fn described(batches: &[SpanBatch]) -> Vec<String> {
    let trace = merge(batches.iter().flat_map(SpanBatch::iter));
    let describe = |span: &MergedSpan<'_>| {
        let scalars = (span.id, span.parent_id, span.timestamp_us, span.kind);
        format!("{scalars:?} {:?} {:?}", trace.tags(span), trace.annotations(span))
    };
    trace.spans().iter().map(describe).collect()
}

proptest! {
    #[test]
    fn pieces_give_the_same_span_in_any_order((sent, shuffled) in pieces()) {
        prop_assert_eq!(described(&sent), described(&shuffled));
    }
}
