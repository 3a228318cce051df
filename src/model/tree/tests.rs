use super::*;
use crate::model::merge::merge;
use crate::model::testing::spans_from_json;
use crate::model::{SpanBatch, SpanBuilder, TraceId};

/// Spans as (parent, id, time), id 0 for no parent.
fn tree_of(spans: &[(u64, u64, i64)]) -> Vec<(Option<u64>, u64)> {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for &(parent, id, time) in spans {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, 1).unwrap());
        builder.set_id(SpanId::new(id));
        builder.set_parent_id(SpanId::new(parent));
        builder.set_timestamp_us(time);
        builder.finish(&mut batch).unwrap();
    }
    edges(&batch)
}

fn edges(batch: &SpanBatch) -> Vec<(Option<u64>, u64)> {
    let trace = merge(batch.iter());
    let tree = TraceTree::build(&trace);
    let id = |at: usize| trace.spans()[at].id.value();
    tree.breadth_first().into_iter().map(|at| (tree.parent(at).map(id), id(at))).collect()
}

#[test]
fn children_come_by_time_level_by_level() {
    let spans = [(0, 1, 1), (1, 2, 30), (1, 3, 20), (2, 4, 5), (3, 5, 9), (3, 6, 0)];
    assert_eq!(tree_of(&spans), [(None, 1), (Some(1), 3), (Some(1), 2), (Some(3), 6), (Some(3), 5), (Some(2), 4)]);
}

#[test]
fn spans_with_an_unknown_parent_and_later_roots_hang_under_the_first_root() {
    assert_eq!(tree_of(&[(0, 1, 1), (9, 2, 3), (0, 3, 2)]), [(None, 1), (Some(1), 3), (Some(1), 2)]);
}

#[test]
fn a_headless_trace_has_tops_and_no_root() {
    assert_eq!(tree_of(&[(9, 1, 2), (9, 2, 1), (1, 3, 0)]), [(None, 2), (None, 1), (Some(1), 3)]);
    assert_eq!(tree_of(&[]), []);
}

#[test]
fn circles_stay_outside() {
    assert_eq!(tree_of(&[(0, 1, 1), (3, 2, 0), (2, 3, 0), (1, 4, 0)]), [(None, 1), (Some(1), 4)]);
}

#[test]
fn a_span_under_a_shared_one_belongs_to_the_server_with_its_endpoint() {
    let batch = spans_from_json(
        r#"[{"traceId":"1","id":"1","kind":"CLIENT","localEndpoint":{"serviceName":"web"}},
            {"traceId":"1","id":"1","kind":"SERVER","shared":true,"localEndpoint":{"serviceName":"a"}},
            {"traceId":"1","id":"1","kind":"SERVER","shared":true,"localEndpoint":{"serviceName":"b"}},
            {"traceId":"1","id":"2","parentId":"1","localEndpoint":{"serviceName":"b"}},
            {"traceId":"1","id":"3","parentId":"1","localEndpoint":{"serviceName":"c"}}]"#,
    );
    let trace = merge(batch.iter());
    let tree = TraceTree::build(&trace);
    let name = |at: usize| trace.spans()[at].local_service_name().unwrap();
    let parent_of = |id: u64| {
        let at = trace.spans().iter().position(|span| span.id.value() == id).unwrap();
        tree.parent(at).map(name)
    };
    assert_eq!((parent_of(2), parent_of(3)), (Some("b"), Some("web")));
}
