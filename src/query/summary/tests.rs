use super::*;
use crate::codec::{self, DecodeLimits, Format};

fn trace(json: &str) -> SpanBatch {
    codec::decode(Format::JsonV2, json.as_bytes(), &DecodeLimits::default()).unwrap()
}

fn summary(json: &str) -> TraceSummary {
    TraceSummary::of(&trace(json)).unwrap()
}

#[test]
fn a_trace_is_told_by_its_root_and_its_services() {
    let told = summary(
        r#"[{"traceId":"1","id":"2","parentId":"1","timestamp":150,"duration":80,"localEndpoint":{"serviceName":"b"},"tags":{"error":""}},
            {"traceId":"1","id":"1","name":"Get","timestamp":100,"duration":90,"localEndpoint":{"serviceName":"a"}},
            {"traceId":"1","id":"3","parentId":"1","timestamp":110,"duration":20,"localEndpoint":{"serviceName":"b"}}]"#,
    );
    assert_eq!((told.start_us, told.duration_us, told.span_count, told.error_count), (100, 90, 3, 1));
    assert_eq!(told.root, Some(RootSummary { service_name: "a".to_owned(), name: "get".to_owned() }));
    let services: Vec<_> = told
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.span_count, service.error_count, service.max_duration_us))
        .collect();
    assert_eq!(services, [("b", 2, 1, 80), ("a", 1, 0, 90)]);
}

#[test]
fn without_a_root_the_duration_is_from_first_start_to_last_end() {
    let told = summary(
        r#"[{"traceId":"1","id":"2","parentId":"1","timestamp":150,"duration":80},
            {"traceId":"1","id":"3","parentId":"1","timestamp":100}]"#,
    );
    assert_eq!((told.root, told.start_us, told.duration_us), (None, 100, 130));
}

#[test]
fn the_servers_half_of_a_shared_root_names_it() {
    let told = summary(
        r#"[{"traceId":"1","id":"1","kind":"CLIENT","name":"call","timestamp":100,"localEndpoint":{"serviceName":"app"}},
            {"traceId":"1","id":"1","kind":"SERVER","shared":true,"name":"get /","timestamp":100,"localEndpoint":{"serviceName":"web"}}]"#,
    );
    assert_eq!(told.root.unwrap().service_name, "web");
}

#[test]
fn a_trace_without_any_time_or_service_is_still_told() {
    let told = summary(r#"[{"traceId":"1","id":"1"}]"#);
    assert_eq!((told.start_us, told.duration_us, told.root), (0, 0, Some(RootSummary::default())));
    assert!(told.services.is_empty());
    assert_eq!(TraceSummary::of(&SpanBatch::new()), None);
}

/// Traces 1, 2 and 3, newest first: of 10, 30 and 20 microseconds.
fn three() -> Vec<SpanBatch> {
    [(1, 10), (2, 30), (3, 20)]
        .map(|(id, duration)| trace(&format!(r#"[{{"traceId":"{id}","id":"1","timestamp":9,"duration":{duration}}}]"#)))
        .to_vec()
}

fn shown(order: SummaryOrder, offset: usize, end: usize) -> (Vec<u64>, bool) {
    let page = page(&three(), order, offset, end);
    (page.summaries.iter().map(|summary| summary.trace_id.low()).collect(), page.has_more)
}

#[test]
fn pages_follow_each_other_in_every_order() {
    assert_eq!(shown(SummaryOrder::Newest, 0, 2), (vec![1, 2], true));
    assert_eq!(shown(SummaryOrder::Newest, 2, 4), (vec![3], false));
    assert_eq!(shown(SummaryOrder::Longest, 0, 2), (vec![2, 3], true));
    assert_eq!(shown(SummaryOrder::Longest, 2, 4), (vec![1], false));
    assert_eq!(shown(SummaryOrder::MostSpans, 0, 3), (vec![1, 2, 3], false));
    assert_eq!(shown(SummaryOrder::Newest, 9, 12), (vec![], false));
}
