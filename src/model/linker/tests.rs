mod reference;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::testing::{spans_from_json, spans_from_value};
use crate::model::{SpanBatch, SpanBuilder, SpanId, TraceId, arrival_order};

fn as_json(links: &[DependencyLink]) -> Value {
    let link = |link: &DependencyLink| match link.error_count {
        0 => json!({"parent": link.parent, "child": link.child, "callCount": link.call_count}),
        errors => {
            json!({"parent": link.parent, "child": link.child, "callCount": link.call_count, "errorCount": errors})
        }
    };
    links.iter().map(link).collect()
}

/// The traces of several posts as a store would hand them out: newest key first, those of the window only.
fn traces(posts: &[SpanBatch], end_ts_ms: i64, lookback_ms: i64) -> Vec<SpanBatch> {
    let window = end_ts_ms - lookback_ms..=end_ts_ms;
    let mut traces: Vec<(i64, u64, SpanBatch)> = Vec::new();
    for span in posts.iter().flat_map(SpanBatch::iter) {
        let low = span.trace_id.low();
        let at = traces.iter().position(|trace| trace.1 == low).unwrap_or_else(|| {
            traces.push((i64::MIN, low, SpanBatch::new()));
            traces.len() - 1
        });
        if window.contains(&span.timestamp_ms()) {
            traces[at].0 = traces[at].0.max(span.timestamp_ms());
        }
        traces[at].2.push_record(span.record());
    }
    traces.retain(|trace| trace.0 > i64::MIN);
    traces.sort_by_key(|trace| std::cmp::Reverse((trace.0, trace.1)));
    traces.into_iter().map(|trace| arrival_order(trace.2)).collect()
}

#[test]
fn links_equal_those_recorded_from_zipkin() {
    let cases: Value = serde_json::from_str(include_str!("../../../tests/golden/dependency_links.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 32);
    for case in cases {
        let posts: Vec<SpanBatch> = case["posts"].as_array().unwrap().iter().map(spans_from_value).collect();
        for ask in case["asks"].as_array().unwrap() {
            let window = (ask["end_ts_ms"].as_i64().unwrap(), ask["lookback_ms"].as_i64().unwrap());
            let mut linker = DependencyLinker::new();
            traces(&posts, window.0, window.1).iter().for_each(|trace| linker.put_trace(trace.iter()));
            assert_eq!(as_json(&linker.into_links()), ask["links"], "{}: {}", case["name"], case["about"]);
        }
    }
}

#[test]
fn a_chain_of_many_levels_is_linked_and_errors_of_split_calls_are_counted() {
    const LEVELS: u64 = 10_000;
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for level in 1..=LEVELS {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, 1).unwrap());
        builder.set_id(SpanId::new(level));
        builder.set_parent_id(SpanId::new(level - 1));
        if level == 1 || level == LEVELS {
            builder.set_kind(Some(SpanKind::Server));
            builder.local_endpoint.set_service_name(if level == 1 { "top" } else { "bottom" });
        }
        builder.finish(&mut batch).unwrap();
    }
    let mut linker = DependencyLinker::new();
    linker.put_trace(batch.iter());
    assert_eq!(as_json(&linker.into_links()), json!([{"parent": "top", "child": "bottom", "callCount": 1}]));
}

#[test]
fn a_trace_of_circles_only_gives_no_link_and_ends() {
    let batch = spans_from_json(
        r#"[{"traceId":"1","id":"1","parentId":"2","kind":"SERVER","localEndpoint":{"serviceName":"a"}},
            {"traceId":"1","id":"2","parentId":"1","kind":"SERVER","localEndpoint":{"serviceName":"b"}}]"#,
    );
    let mut linker = DependencyLinker::new();
    linker.put_trace(batch.iter());
    linker.put_trace(SpanBatch::new().iter());
    assert_eq!(linker.into_links(), []);
}

#[test]
fn counts_from_elsewhere_join_the_link_where_it_was_first_met() {
    let mut linker = DependencyLinker::new();
    linker.add("a", "b", 2, 1);
    linker.add("b", "a", 1, 0);
    linker.add("a", "b", 3, 3);
    assert_eq!(
        as_json(&linker.into_links()),
        json!([{"parent": "a", "child": "b", "callCount": 5, "errorCount": 4},
               {"parent": "b", "child": "a", "callCount": 1}])
    );
}

/// Spans with few ids, endpoints and times, so that every rule meets the others.
fn span_soup() -> impl Strategy<Value = SpanBatch> {
    let endpoint = prop_oneof![
        Just(("", "", 0)),
        Just(("a", "", 0)),
        Just(("b", "", 0)),
        Just(("c", "", 80)),
        Just(("a", "1.1.1.1", 0)),
        Just(("", "1.1.1.1", 80)),
    ];
    let kind = prop_oneof![
        Just(None),
        Just(Some(SpanKind::Client)),
        Just(Some(SpanKind::Server)),
        Just(Some(SpanKind::Server)),
        Just(Some(SpanKind::Producer)),
        Just(Some(SpanKind::Consumer)),
    ];
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.3), prop::bool::weighted(0.1));
    let span = (1..8_u64, 0..8_u64, kind, endpoint.clone(), endpoint, 0..6_i64, flags);
    prop::collection::vec(span, 1..24).prop_map(|spans| {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for (id, parent, kind, local, remote, time, (shared, error, long_id)) in spans {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(u64::from(long_id), 9).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_parent_id(SpanId::new(parent));
            builder.set_kind(kind);
            builder.set_timestamp_us(time * 1_000);
            for (endpoint, (name, ip, port)) in
                [(&mut builder.local_endpoint, local), (&mut builder.remote_endpoint, remote)]
            {
                endpoint.set_service_name(name);
                endpoint.set_ip(ip);
                endpoint.set_port(port);
            }
            if error {
                builder.add_tag("error", "");
            }
            builder.set_shared(shared);
            builder.finish(&mut batch).unwrap();
        }
        batch
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn links_equal_those_of_a_naive_linker(batch in span_soup()) {
        let mut linker = DependencyLinker::new();
        linker.put_trace(batch.iter());
        prop_assert_eq!(linker.into_links(), reference::links(&batch.to_spans()));
    }
}
