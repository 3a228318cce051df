use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::model::merge;
use crate::model::testing::{spans_from_json, spans_from_value};

fn shares(json: &str) -> BTreeMap<String, f64> {
    let batch = spans_from_json(json);
    let trace = merge(batch.iter());
    let rounded = |share: f64| (share * 1e9).round() / 1e9;
    critical_shares(&trace).into_iter().map(|(service, share)| (service.to_owned(), rounded(share))).collect()
}

fn expected<const N: usize>(shares: [(&str, f64); N]) -> BTreeMap<String, f64> {
    shares.map(|(service, share)| (service.to_owned(), share)).into()
}

#[test]
fn the_last_child_to_end_is_what_its_parent_waited_for() {
    let found = shares(
        r#"[{"traceId":"1","id":"1","timestamp":1000,"duration":100,"localEndpoint":{"serviceName":"web"}},
            {"traceId":"1","id":"2","parentId":"1","timestamp":1010,"duration":40,"localEndpoint":{"serviceName":"a"}},
            {"traceId":"1","id":"3","parentId":"1","timestamp":1020,"duration":70,"localEndpoint":{"serviceName":"b"}}]"#,
    );
    // `a` ran beside `b` and ended before it.
    assert_eq!(found, expected([("b", 0.7), ("web", 0.3)]));
}

#[test]
fn what_is_taken_later_or_starts_after_its_parent_is_not_waited_for() {
    let found = shares(
        r#"[{"traceId":"1","id":"1","timestamp":1000,"duration":100,"localEndpoint":{"serviceName":"web"}},
            {"traceId":"1","id":"2","parentId":"1","kind":"CONSUMER","timestamp":1010,"duration":40,"localEndpoint":{"serviceName":"mail"}},
            {"traceId":"1","id":"3","parentId":"1","timestamp":1100,"duration":70,"localEndpoint":{"serviceName":"b"}}]"#,
    );
    assert_eq!(found, expected([("web", 1.0)]));
}

#[test]
fn the_halves_of_a_call_count_for_the_server_with_its_clock_put_right() {
    let found = shares(
        r#"[{"traceId":"1","id":"1","timestamp":1000000,"duration":100,"localEndpoint":{"serviceName":"web","ipv4":"1.1.1.1"}},
            {"traceId":"1","id":"2","parentId":"1","kind":"CLIENT","timestamp":1000020,"duration":60,"localEndpoint":{"serviceName":"web","ipv4":"1.1.1.1"}},
            {"traceId":"1","id":"2","parentId":"1","kind":"SERVER","shared":true,"timestamp":400000,"duration":40,"localEndpoint":{"serviceName":"cart","ipv4":"2.2.2.2"}},
            {"traceId":"1","id":"3","parentId":"2","timestamp":400010,"duration":20,"localEndpoint":{"serviceName":"cart","ipv4":"2.2.2.2"}},
            {"traceId":"1","id":"4","parentId":"3","timestamp":400015,"duration":10,"localEndpoint":{"serviceName":"db","ipv4":"2.2.2.2"}}]"#,
    );
    assert_eq!(found, expected([("cart", 0.5), ("db", 0.1), ("web", 0.4)]));
}

#[test]
fn a_trace_without_times_has_no_path() {
    assert_eq!(shares(r#"[{"traceId":"1","id":"1","localEndpoint":{"serviceName":"web"}}]"#), expected([]));
    assert_eq!(shares("[]"), expected([]));
}

#[test]
fn a_ring_of_spans_and_a_lone_servers_half_are_read() {
    let ring = r#"[{"traceId":"1","id":"1","parentId":"2","timestamp":5,"duration":10,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"1","id":"2","parentId":"1","timestamp":7,"duration":4,"localEndpoint":{"serviceName":"b"}}]"#;
    assert_eq!(shares(ring), expected([("a", 0.6), ("b", 0.4)]));
    let lone = r#"[{"traceId":"1","id":"1","shared":true,"kind":"SERVER","timestamp":5,"duration":10,"localEndpoint":{"serviceName":"a"}}]"#;
    assert_eq!(shares(lone), expected([("a", 1.0)]));
}

#[test]
fn a_chain_of_many_levels_neither_recurses_nor_loses_time() {
    let levels = 20_000;
    let spans: Vec<_> = (1..=levels)
        .map(|id| {
            let parent = if id > 1 { format!(r#","parentId":"{:x}""#, id - 1) } else { String::new() };
            let (start, duration) = (1_000_000 + id, 2 * (levels - id) + 1);
            format!(
                r#"{{"traceId":"1","id":"{id:x}"{parent},"timestamp":{start},"duration":{duration},"localEndpoint":{{"serviceName":"s{}"}}}}"#,
                id % 7
            )
        })
        .collect();
    let total: f64 = shares(&format!("[{}]", spans.join(","))).values().sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
}

/// The UI computes the path of an open trace itself; what the list says must be the same. Its tests check the same file.
#[test]
fn shares_of_real_traces_are_those_of_the_ui() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/test/fixtures");
    let read = |path: String| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let known = read(format!("{folder}/critical-shares.json"));
    for (name, expected) in known.as_object().unwrap() {
        let batch = spans_from_value(&read(format!("{folder}/traces/{name}.json")));
        let trace = merge(batch.iter());
        let found: BTreeMap<_, _> = critical_shares(&trace).into_iter().collect();
        for (service, share) in expected.as_object().unwrap() {
            let (share, found) = (share.as_f64().unwrap(), found.get(service.as_str()).copied().unwrap_or_default());
            assert!((share - found).abs() < 1e-6, "{name}: {service} has {found} instead of {share}");
        }
    }
}
