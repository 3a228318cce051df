//! Zipkin's reporters for Kafka, live (`tests/clients`): each sends one trace through the broker, and every field must be answered.

use std::process::Command;

use serde_json::{Value, json};

use super::broker::{servers, topic};
use super::{reads, wait_for};
use crate::support::server::{Server, Store};

/// Has the client send its trace; the trace's id.
fn send(language: &str, protocol: &str, endpoint: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/live-clients");
    let output = Command::new(script).args(["send", language, protocol, endpoint]).output().unwrap();
    let told = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the client for {language} over {protocol} failed:\n{told}");
    String::from_utf8(output.stdout).unwrap().lines().last().expect("the trace's id").trim().to_owned()
}

/// What both clients send.
fn expected(trace_id: &str, service: &str) -> [Value; 2] {
    let local = json!({"serviceName": service, "ipv4": "10.0.0.1", "port": 8080});
    let root = json!({
        "traceId": trace_id, "id": "b7ad6b7169203331", "kind": "SERVER", "name": "checkout",
        "timestamp": 1_700_000_000_000_000_i64, "duration": 250_000, "localEndpoint": local, "shared": true,
        "remoteEndpoint": {"ipv6": "2001:db8::1"},
        "annotations": [{"timestamp": 1_700_000_000_100_000_i64, "value": "retry"}],
        "tags": {"text": "Grüße, \"日本\" 🎉", "empty": "", "error": "card refused"},
    });
    let child = json!({
        "traceId": trace_id, "parentId": "b7ad6b7169203331", "id": "00f067aa0ba902b7", "kind": "CLIENT", "name": "query",
        "timestamp": 1_700_000_000_050_000_i64, "duration": 40_000, "localEndpoint": local,
        "remoteEndpoint": {"serviceName": "db", "port": 5432}, "debug": true,
    });
    [root, child]
}

fn trace_is_whole(language: &str, service: &str) {
    for protocol in ["kafka/json", "kafka/proto3"] {
        let topic = topic(&format!("live-{language}"), 2);
        let server = Server::start(Store::Memory, &reads(servers(), &topic));
        let id = send(language, protocol, &format!("{}/{topic}", servers()));
        let target = format!("/api/v2/trace/{id}");
        let mut spans = wait_for(&format!("both spans of {language} over {protocol}"), || {
            let answer = server.get(&target);
            let spans = (answer.status == 200).then(|| answer.json().as_array().unwrap().clone())?;
            (spans.len() >= 2).then_some(spans)
        });
        spans.sort_by_key(|span| span["name"].to_string());
        assert_eq!(spans, expected(&id, service), "{language} over {protocol}");
    }
}

#[test]
fn the_reporter_for_the_jvm() {
    trace_is_whole("jvm", "live-jvm");
}

#[test]
fn the_reporter_for_go() {
    trace_is_whole("go", "live-go");
}
