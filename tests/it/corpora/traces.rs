//! Whole traces: a mesh of twelve services, and special shapes (skew, lost parents, split spans, depth, width, size).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{on_each_store, start, stored_trace};
use crate::support::json::as_set;
use crate::support::server::{Server, Store};
use crate::support::{json_files, read, read_json};

/// After the last span of all corpora; the window reaches back to the first.
const END_TS_MS: u64 = 1_795_300_000_000;
const WINDOW: &str = "endTs=1795300000000&lookback=864000000";

on_each_store!(
    the_mesh_is_read_back_and_linked_as_by_the_peer,
    special_traces_are_answered_as_by_the_peer,
    links_of_all_special_traces_equal_the_peers,
    traces_of_the_peers_ui_are_read_back_whole,
);

/// The files whose answers and links were recorded.
const SPECIAL: [&str; 8] = [
    "clock-skew.json",
    "deep-300.json",
    "duplicated-ids.json",
    "large-10000.json.gz",
    "messaging.json",
    "missing-parents.json",
    "odd-values.json",
    "wide-3000.json.gz",
];

fn links(server: &Server) -> Value {
    let response = server.get(&format!("/api/v2/dependencies?{WINDOW}"));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

fn the_mesh_is_read_back_and_linked_as_by_the_peer(store: Store) {
    let text = String::from_utf8(read("corpora/traces/mesh.jsonl.gz")).unwrap();
    let traces: Vec<&str> = text.lines().collect();
    let server = start(store);
    for some in traces.chunks(50) {
        let lists: Vec<_> = some.iter().map(|trace| &trace[1..trace.len() - 1]).collect();
        server.post_spans(format!("[{}]", lists.join(",")));
    }
    assert_eq!(as_set(&links(&server)), as_set(&read_json("corpora/traces/mesh.dependencies.json")));
    // The file holds the peer's answers, so a trace posted in that order comes back to the byte.
    for trace in traces.iter().step_by(20) {
        let id = &trace[r#"[{"traceId":""#.len()..].split('"').next().unwrap();
        assert_eq!(server.get(&format!("/api/v2/trace/{id}")).text(), *trace);
    }
    let found = server.get(&format!("/api/v2/traces?{WINDOW}&limit=10000")).json();
    let sorted = |spans: &Value| as_set(spans).concat();
    let mut found: Vec<_> = found.as_array().unwrap().iter().map(sorted).collect();
    let mut posted: Vec<_> = traces.iter().map(|trace| sorted(&serde_json::from_str(trace).unwrap())).collect();
    found.sort();
    posted.sort();
    assert_eq!(found.len(), posted.len());
    assert!(found == posted, "a trace of the mesh reads back changed");
}

fn special_traces_are_answered_as_by_the_peer(store: Store) {
    let server = start(store);
    for name in json_files("corpora/traces").iter().filter_map(|name| name.strip_suffix(".answer")) {
        server.post_spans(read(&format!("corpora/traces/{name}.json")));
        let answer = read_json(&format!("corpora/traces/{name}.answer.json"));
        let stored = stored_trace(&server, answer[0]["traceId"].as_str().unwrap());
        assert_eq!(stored, answer, "{name}");
    }
}

fn links_of_all_special_traces_equal_the_peers(store: Store) {
    let server = start(store);
    for file in SPECIAL {
        server.post_spans(read(&format!("corpora/traces/{file}")));
    }
    let (got, expected) = (links(&server), read_json("corpora/traces/special.dependencies.json"));
    let differ = differences(&as_set(&expected), &as_set(&got));
    assert!(differ.is_empty(), "{differ:#?}");
    let large = stored_trace(&server, read_trace_id("corpora/traces/large-10000.json.gz").as_str());
    assert_eq!(large.as_array().unwrap().len(), 10_000);
}

/// Elements of one list only, with the list they are in; the first few.
fn differences(expected: &[String], got: &[String]) -> BTreeMap<String, &'static str> {
    let missing = expected.iter().filter(|link| !got.contains(link)).map(|link| (link.clone(), "missing"));
    let extra = got.iter().filter(|link| !expected.contains(link)).map(|link| (link.clone(), "not expected"));
    missing.chain(extra).take(10).collect()
}

fn read_trace_id(path: &str) -> String {
    let spans: Value = serde_json::from_slice(&read(path)).unwrap();
    spans[0]["traceId"].as_str().unwrap().to_owned()
}

fn traces_of_the_peers_ui_are_read_back_whole(store: Store) {
    let server = start(store);
    let mut posted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in json_files("corpora/lens") {
        let file = read_json(&format!("corpora/lens/{name}.json"));
        // Two files are a single span, not a list.
        let spans = if file.is_array() { file } else { Value::Array(vec![file]) };
        server.post_spans(spans.to_string());
        for (trace_id, id) in ids(&spans) {
            posted.entry(trace_id).or_default().push(id);
        }
    }
    let wide = format!("/api/v2/traces?endTs={END_TS_MS}&lookback={END_TS_MS}&limit=1000");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trace_id, id) in server.get(&wide).json().as_array().unwrap().iter().flat_map(ids) {
        found.entry(trace_id).or_default().push(id);
    }
    posted.values_mut().chain(found.values_mut()).for_each(|ids| ids.sort());
    assert_eq!(found, posted);
}

/// Trace id and id of each span.
fn ids(spans: &Value) -> Vec<(String, String)> {
    let text = |span: &Value, name: &str| span[name].as_str().unwrap().to_owned();
    spans.as_array().unwrap().iter().map(|span| (text(span, "traceId"), text(span, "id"))).collect()
}
