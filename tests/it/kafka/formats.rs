//! What real clients put into topics, in every format and compression.

use base64::Engine as _;
use serde_json::Value;

use super::broker::{producer, send, send_with, servers, topic};
use super::{PATIENCE, reads, wait_for};
use crate::support::json::as_set;
use crate::support::server::{Server, Store};
use crate::support::{json_files, read, read_json};

/// The stored spans of a trace, once there are as many as expected.
fn trace(server: &Server, id: &str, spans: usize) -> Value {
    wait_for(&format!("{spans} spans of {id}"), || {
        let response = server.get(&format!("/api/v2/trace/{id}"));
        let found = (response.status == 200).then(|| response.json())?;
        (found.as_array()?.len() >= spans).then_some(found)
    })
}

fn play_captures(store: Store) {
    let captures: Vec<_> =
        json_files("corpora/kafka").iter().map(|name| read_json(&format!("corpora/kafka/{name}.json"))).collect();
    assert!(captures.len() >= 6, "{} captures", captures.len());
    let topic = topic("captures", 1);
    let server = Server::start(store, &reads(servers(), &topic));
    for capture in &captures {
        let requests = capture["requests"].as_array().unwrap();
        let decode = |request: &Value| {
            base64::engine::general_purpose::STANDARD.decode(request["value_base64"].as_str().unwrap()).unwrap()
        };
        send(&topic, 0, requests.iter().map(decode));
    }
    for capture in &captures {
        for expected in capture["traces"].as_array().unwrap() {
            let spans = expected["expected"].as_array().unwrap().len();
            let found = trace(&server, expected["trace_id"].as_str().unwrap(), spans);
            assert_eq!(as_set(&found), as_set(&expected["expected"]), "{}", capture["client"]);
        }
    }
}

#[test]
fn messages_of_kafka_reporters_give_the_traces_the_peer_gave_in_memory() {
    play_captures(Store::Memory);
}

#[test]
fn messages_of_kafka_reporters_give_the_traces_the_peer_gave_in_sqlite() {
    play_captures(Store::Sqlite);
}

fn span(id: &str) -> String {
    format!(r#"[{{"traceId":"{id}","id":"{id}","name":"n","timestamp":1,"localEndpoint":{{"serviceName":"s"}}}}]"#)
}

#[test]
fn every_compression_is_read() {
    let topic = topic("compressions", 1);
    let server = Server::start(Store::Memory, &reads(servers(), &topic));
    let kinds = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (index, kind) in (1..).zip(kinds) {
        let producer = producer(&[("compression.type", kind)]);
        // Alike, or a compression would not be worth it and not be used.
        send_with(&producer, &topic, 0, (0..50).map(|_| span(&format!("{index:016x}"))));
    }
    for index in 1..=kinds.len() {
        trace(&server, &format!("{index:016x}"), 1);
    }
}

#[test]
fn several_topics_are_read_and_one_of_them_is_otlp() {
    let (first, second, otlp) = (topic("zipkin", 2), topic("more", 1), topic("otlp", 1));
    let topics = format!("{first},{second}");
    let mut variables = reads(servers(), &topics);
    variables.extend([("KAFKA_GROUP_ID", first.as_str()), ("KAFKA_OTLP_TOPIC", otlp.as_str()), ("KAFKA_STREAMS", "2")]);
    let server = Server::start(Store::Memory, &variables);
    send(&first, 0, [span("00000000000000a1")]);
    send(&first, 1, [span("00000000000000a2")]);
    send(&second, 0, [span("00000000000000a3")]);
    send(&otlp, 0, [otlp_message()]);
    for id in ["00000000000000a1", "00000000000000a2", "00000000000000a3", "000000000000000000000000000000a4"] {
        trace(&server, id, 1);
    }
    let health = server.get("/health").text();
    assert!(health.contains(&format!("topic={first},{second},{otlp}}}")), "{health}");
}

/// `ExportTraceServiceRequest` of one span, by hand: field 1 of each message around it is the next.
pub(crate) fn otlp_message() -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, bytes.len() as u8], bytes].concat();
    let mut span = field(0x0a, &0xa4_u128.to_be_bytes());
    span.extend(field(0x12, &0xa4_u64.to_be_bytes()));
    span.extend(field(0x2a, b"name"));
    let scope = field(0x12, &span);
    field(0x0a, &field(0x12, &scope))
}

#[test]
fn a_bare_thrift_span_and_a_list_of_them_are_read() {
    let topic = topic("thrift", 1);
    let server = Server::start(Store::Memory, &reads(servers(), &topic));
    let list = read("golden/thrift/brave-urlconnection-thrift/in.1.thrift");
    let bare = read("golden/thrift/zipkin-js-kafka-thrift/in.1.thrift");
    assert_eq!((list[0], bare[0]), (12, 10), "one list, one struct");
    send(&topic, 0, [list, bare]);
    let start = std::time::Instant::now();
    while super::metric(&server, "kafka_collector_consumed_offset", &[&topic]) < 2.0 {
        assert!(start.elapsed() < PATIENCE, "{}", server.get("/prometheus").text());
    }
    assert_eq!(super::metric(&server, "kafka_collector_poison_messages_total", &[]), 0.0);
    assert!(super::metric(&server, "zipkin_collector_spans_total", &["kafka"]) > 1.0);
}
