//! `zipkind kafka ...`, the forwarding role, and the files for dashboards and alerts.

use std::collections::BTreeSet;
use std::path::Path;

use rdkafka::producer::BaseRecord;

use super::broker::{committed, flush, producer, read, send, servers, topic};
use super::formats::otlp_message;
use super::{metric, reads, wait_for};
use crate::binary::{Process, zipkind};
use crate::durability::oracle::{Fate, Oracle, body};
use crate::otlp_captures::call;
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

/// Sends messages, each a second after the one before; the time of the first, to the millisecond.
fn send_a_second_apart(topic: &str, count: u64) -> std::time::SystemTime {
    #[allow(clippy::disallowed_methods, reason = "messages of a time that the broker's retention keeps")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64 - 3_600_000;
    let producer = producer(&[("acks", "all")]);
    for number in 0..count {
        let (message, time_ms) = (body(number), (since + number * 1_000) as i64);
        let record = BaseRecord::<(), str>::to(topic).partition(0).payload(&message).timestamp(time_ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    flush(&producer);
    std::time::UNIX_EPOCH + std::time::Duration::from_millis(since)
}

#[test]
fn windows_and_offsets_are_found_by_time() {
    let topic = topic("times", 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let mut variables = reads(servers(), &topic);
    variables.extend([("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path.to_str().unwrap())]);
    let first = send_a_second_apart(&topic, 10);
    let at = |millis: u64| {
        let time = first + std::time::Duration::from_millis(millis);
        humantime::format_rfc3339_millis(time).to_string()
    };
    // From between messages 2 and 3 to message 7, which is not included.
    let replay = ["kafka", "replay", "--from", &at(2_500), "--to", &at(7_000)];
    let replayed = task(folder.path(), &variables, &replay).unwrap();
    assert!(replayed.starts_with("4 messages read again, 16 spans"), "{replayed}");
    let beyond = ["kafka", "replay", "--from", &at(60_000)];
    assert!(task(folder.path(), &variables, &beyond).unwrap().starts_with("0 messages read again"));

    let set = ["kafka", "offsets", "set", "--topic", &topic, "--to", &at(8_000)];
    assert!(task(folder.path(), &variables, &set).unwrap().contains("goes on from 8"));
    let process = Process::start(folder.path(), &variables);
    wait_for("the last two are read", || (consumed(&process, &topic) == 10.0).then_some(()));
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    assert_eq!(super::metric_in(&text, "zipkin_collector_messages_total", &["kafka"]), 2.0);
    let mut stored = oracle(3..7);
    stored.merge(oracle(8..10));
    assert_eq!(stored.faults(process.address()), Vec::<String>::new());
    for missing in [0, 2, 7] {
        assert!(!oracle(missing..missing + 1).faults(process.address()).is_empty(), "message {missing} was not read");
    }
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

/// `zipkin.proto3.ListOfSpans` of one span, by hand.
fn proto3_message() -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, bytes.len() as u8], bytes].concat();
    let mut span = field(0x0a, &0xa5_u128.to_be_bytes());
    span.extend(field(0x1a, &0xa5_u64.to_be_bytes()));
    span.extend(field(0x2a, b"name"));
    span.extend(field(0x42, &field(0x0a, b"service")));
    field(0x0a, &span)
}

const EXPORT: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
const REPORT: &str = "zipkin.proto3.SpanService/Report";

#[test]
fn a_forwarder_passes_on_what_comes_over_grpc_and_otlp() {
    let topic = topic("forwarded-otherwise", 1);
    let forwarder =
        Server::start(Store::Memory, &[("KAFKA_BOOTSTRAP_SERVERS", servers()), ("KAFKA_FORWARD_TOPIC", &topic)]);
    let reader = Server::start(Store::Memory, &reads(servers(), &topic));
    let is_there = |id: u64, messages: f64| {
        wait_for("the message is read", || {
            (metric(&reader, "kafka_collector_messages_total", &[&topic]) == messages).then_some(())
        });
        wait_for("its span is there", || {
            let answer = reader.get(&format!("/api/v2/trace/{id:032x}"));
            (answer.status == 200).then(|| assert_eq!(answer.json().as_array().unwrap().len(), 1))
        });
    };
    call(&forwarder, REPORT, proto3_message());
    is_there(0xa5, 1.0);
    call(&forwarder, EXPORT, otlp_message());
    is_there(0xa4, 2.0);
    let export = Request::new("POST", "/v1/traces").header("Content-Type", "application/x-protobuf");
    assert_eq!(forwarder.send(&export.body(otlp_message())).status, 200);
    is_there(0xa4, 3.0);
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
    let export = Request::new("POST", "/v1/traces").header("Content-Type", "application/x-protobuf");
    assert_eq!(forwarder.send(&export.body(otlp_message())).status, 503);
    for (method, message) in [(REPORT, proto3_message()), (EXPORT, otlp_message())] {
        let frame = [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat();
        let request = Request::new("POST", &format!("/{method}")).header("Content-Type", "application/grpc-web+proto");
        let answer = forwarder.send(&request.body(frame));
        let status = answer.header("grpc-status").map(str::to_owned).unwrap_or_else(|| answer.text());
        assert!(status.contains("14"), "UNAVAILABLE: {method} {status:?}");
    }
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
    wait_for("all is well", || (server.get("/health").status == 200).then_some(()));
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
