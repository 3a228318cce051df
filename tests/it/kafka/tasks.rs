//! `zipkind kafka ...`, the forwarding role, and the files for dashboards and alerts.

use std::collections::BTreeSet;
use std::path::Path;

use super::broker::{committed, read, send, servers, topic};
use super::{metric, reads, wait_for};
use crate::binary::{Process, zipkind};
use crate::durability::oracle::{Fate, Oracle, body};
use crate::support::http::{Request, send as http};
use crate::support::server::{Server, Store};

fn task(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Result<String, String> {
    let output = zipkind(folder, variables).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn oracle(numbers: std::ops::Range<u64>) -> Oracle {
    let mut oracle = Oracle::default();
    numbers.for_each(|number| oracle.note(number, Fate::Acknowledged));
    oracle
}

fn consumed(process: &Process, topic: &str) -> f64 {
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    super::metric_in(&text, "kafka_collector_consumed_offset", &[topic])
}

#[test]
fn offsets_are_shown_and_set_and_a_window_is_read_again_without_doubles() {
    let topic = topic("tasks", 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let mut variables = reads(servers(), &topic);
    variables.extend([("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path.to_str().unwrap())]);
    send(&topic, 0, (0..10).map(body));
    let process = Process::start(folder.path(), &variables);
    wait_for("all is stored", || (consumed(&process, &topic) == 10.0).then_some(()));
    process.terminate();

    let shown = task(folder.path(), &variables, &["kafka", "offsets", "show"]).unwrap();
    let row = shown.lines().find(|line| line.starts_with(&topic)).unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(row.split_whitespace().skip(1).collect::<Vec<_>>(), ["0", "10", "10", "0", "10", "0"]);

    let replayed = task(folder.path(), &variables, &["kafka", "replay", "--from", "2", "--to", "8"]).unwrap();
    assert!(replayed.starts_with("6 messages read again, 24 spans"), "{replayed}");

    let set = task(folder.path(), &variables, &["kafka", "offsets", "set", "--topic", &topic, "--to", "4"]).unwrap();
    assert!(set.contains("goes on from 4"), "{set}");
    assert_eq!(committed(&topic, &topic, 0), Some(4));
    let process = Process::start(folder.path(), &variables);
    wait_for("the rest is read again", || (consumed(&process, &topic) == 10.0).then_some(()));
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    assert_eq!(super::metric_in(&text, "zipkin_collector_messages_total", &["kafka"]), 6.0);
    assert_eq!(oracle(0..10).faults(process.address()), Vec::<String>::new(), "nothing is doubled");

    let refused = task(folder.path(), &variables, &["kafka", "offsets", "set", "--topic", &topic, "--to", "never"]);
    assert!(refused.unwrap_err().contains("is no offset"));
    process.terminate();
}

#[test]
fn dead_letters_go_back_to_their_topic_once() {
    let (topic, letters) = (topic("back", 1), topic("back-letters", 1));
    let folder = tempfile::tempdir().unwrap();
    let mut variables = reads(servers(), &topic);
    variables.extend([("STORAGE_TYPE", "mem"), ("KAFKA_DEAD_LETTER_TOPIC", letters.as_str())]);
    let process = Process::start(folder.path(), &variables);
    send(&topic, 0, ["poison one", "poison two"]);
    wait_for("both are passed", || (consumed(&process, &topic) == 2.0).then_some(()));
    process.terminate();
    let sent = task(folder.path(), &variables, &["kafka", "replay-dead-letters"]).unwrap();
    assert!(sent.starts_with("2 messages sent back"), "{sent}");
    let again = task(folder.path(), &variables, &["kafka", "replay-dead-letters"]).unwrap();
    assert!(again.starts_with("0 messages sent back"), "{again}");
    let payloads: Vec<_> = read(&topic, 4).into_iter().map(|found| found.payload).collect();
    assert_eq!(payloads[2..], [b"poison one".to_vec(), b"poison two".to_vec()]);
}

#[test]
fn a_forwarder_answers_when_its_topic_has_the_spans_and_a_reader_stores_them() {
    let topic = topic("forwarded", 2);
    let forwarder =
        Server::start(Store::Memory, &[("KAFKA_BOOTSTRAP_SERVERS", servers()), ("KAFKA_FORWARD_TOPIC", &topic)]);
    (0..20).for_each(|number| forwarder.post_spans(body(number)));
    let health = forwarder.get("/health").text();
    assert!(health.contains("KafkaForwarder{") && !health.contains("KafkaCollector{"), "{health}");
    // Every answer was given: no wait for the topic.
    let reader = Server::start(Store::Sqlite, &reads(servers(), &topic));
    wait_for("all is stored", || (metric(&reader, "kafka_collector_spans_total", &[&topic]) == 80.0).then_some(()));
    assert_eq!(oracle(0..20).faults(reader.address()), Vec::<String>::new());
}

#[test]
fn a_forwarder_without_brokers_does_not_say_202() {
    let forwarder = Server::start(
        Store::Memory,
        &[
            ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
            ("KAFKA_FORWARD_TOPIC", "zipkin"),
            ("INGEST_WRITE_TIMEOUT", "2s"),
        ],
    );
    let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(body(1));
    assert_eq!(forwarder.send(&request).status, 503);
    assert_eq!(forwarder.get("/health").status, 503);
}

/// Words that look like metrics.
fn metrics_named_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let prefixes = ["kafka_collector_", "ingest_", "zipkin_collector_", "memory_budget_", "storage_"];
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_dashboard_and_the_alerts_is_there() {
    let topic = topic("dashboard", 1);
    let server = Server::start(Store::Sqlite, &reads(servers(), &topic));
    send(&topic, 0, [body(1)]);
    wait_for("an end is told", || {
        let text = server.get("/prometheus").text();
        text.contains("kafka_collector_end_offset{").then_some(())
    });
    let text = server.get("/prometheus").text();
    for file in ["docker/grafana/kafka.json", "docker/prometheus/kafka.rules.yml"] {
        let content = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let named = metrics_named_in(&content);
        assert!(named.len() >= 7, "{file}: {named:?}");
        for name in named {
            let there = text.lines().any(|line| {
                line.strip_prefix(&name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
            });
            assert!(there, "{file} names {name}, which is not there");
        }
    }
    let dashboard: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/grafana/kafka.json")).unwrap(),
    )
    .unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() >= 10));
}

#[test]
fn a_process_can_read_kafka_and_do_nothing_else() {
    let topic = topic("only", 1);
    let mut variables = reads(servers(), &topic);
    variables.push(("KAFKA_COLLECTOR_ONLY", "true"));
    let server = Server::start(Store::Sqlite, &variables);
    send(&topic, 0, [body(1)]);
    wait_for("it is stored", || (metric(&server, "kafka_collector_spans_total", &[&topic]) == 4.0).then_some(()));
    for target in ["/api/v2/services", "/zipkin/", "/config.json"] {
        assert_eq!(server.get(target).status, 404, "{target}");
    }
    let post = |target: &str| server.send(&Request::new("POST", target).body(body(2))).status;
    assert!(["/api/v2/spans", "/api/v1/spans", "/v1/traces"].iter().all(|target| post(target) >= 400));
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_restarted_server_shows_no_lag_that_is_not_there() {
    let topic = topic("no-lag", 1);
    for store in [Store::Memory, Store::Sqlite] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zipkind.db");
        let kind = if store == Store::Memory { "mem" } else { "sqlite" };
        let mut variables = reads(servers(), &topic);
        variables.extend([("STORAGE_TYPE", kind), ("SQLITE_PATH", path.to_str().unwrap()), ("KAFKA_GROUP_ID", kind)]);
        send(&topic, 0, (0..5).map(body));
        let process = Process::start(folder.path(), &variables);
        wait_for("all is stored", || (consumed(&process, &topic) >= 5.0).then_some(()));
        process.terminate();
        let process = Process::start(folder.path(), &variables);
        wait_for("an end and no lag are told", || {
            let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
            let end = super::metric_in(&text, "kafka_collector_end_offset", &[&topic]);
            (end > 0.0 && super::metric_in(&text, "kafka_collector_lag_messages", &[&topic]) == 0.0).then_some(())
        });
        process.terminate();
    }
}
