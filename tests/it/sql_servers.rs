//! Several processes on one database server, and a server that is slow, cut off, locked or full.

mod crowd;
mod faults;
mod throttle;

use serde_json::{Value, json};

use crate::support::server::Server;

const T_US: u64 = 1_700_000_000_000_000;
const WINDOW: &str = "endTs=1700000600000&lookback=1200000";

/// One trace of a call from `front` to one of some backends, with work below it: the spans that each of three reporters sends.
fn trace(number: u64) -> [Vec<Value>; 3] {
    let start = T_US + number * 7_000;
    let trace = format!("{:x}", number + 1);
    let back = format!("back{}", number % 5);
    let span = |id: &str, parent: Option<&str>, kind: Option<&str>, service: &str, at: u64, duration: u64| {
        let mut span = json!({"traceId": trace, "id": id, "name": format!("op{}", number % 4), "timestamp": start + at,
            "duration": duration, "localEndpoint": {"serviceName": service}});
        if let Some(parent) = parent {
            span["parentId"] = json!(parent);
        }
        if let Some(kind) = kind {
            span["kind"] = json!(kind);
        }
        span
    };
    let mut call = span("2", Some("1"), Some("CLIENT"), "front", 100, 900 + number);
    call["remoteEndpoint"] = json!({"serviceName": back});
    let mut served = span("2", Some("1"), Some("SERVER"), &back, 150, 700 + number);
    served["shared"] = json!(true);
    if number.is_multiple_of(7) {
        served["tags"] = json!({"error": "late", "env": "prod"});
    }
    [
        vec![span("1", None, Some("SERVER"), "front", 0, 2_000 + number), call],
        vec![served, span("3", Some("2"), None, &back, 200, 50)],
        vec![span("4", Some("3"), Some("PRODUCER"), "worker", 300, 5)],
    ]
}

/// Every answer that adds up what is stored, with lists in one order.
fn answers(server: &Server, traces: u64) -> Vec<(String, Value)> {
    let mut paths = vec![
        "/api/v2/services".to_owned(),
        format!("/api/v2/dependencies?{WINDOW}"),
        format!("/api/ext/v1/red?{WINDOW}"),
        "/api/v2/autocompleteValues?key=env".to_owned(),
    ];
    for service in ["front", "back0", "back3", "worker"] {
        paths.push(format!("/api/v2/spans?serviceName={service}"));
        paths.push(format!("/api/v2/remoteServices?serviceName={service}"));
        paths.push(format!("/api/v2/traces?{WINDOW}&serviceName={service}&limit=1000"));
    }
    paths.push(format!("/api/v2/traces?{WINDOW}&limit=7"));
    paths.push(format!("/api/v2/traces?{WINDOW}&annotationQuery=error&limit=1000"));
    paths.extend((0..traces).step_by(17).map(|number| format!("/api/v2/trace/{:x}", number + 1)));
    let ask = |path: String| {
        let response = server.get(&path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let mut answer = response.json();
        sort_lists(&mut answer);
        (path, answer)
    };
    paths.into_iter().map(ask).collect()
}

/// The order of arrival is not the same for two servers; nothing else may differ.
fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort_lists);
            list.sort_by_cached_key(Value::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort_lists),
        _ => {}
    }
}
