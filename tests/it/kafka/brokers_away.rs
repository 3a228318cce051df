//! Brokers that are not there at the start, and that go away: the server runs, says so, and goes on by itself.

use super::broker::{Broker, send_to};
use super::{metric, reads, wait_for};
use crate::support::server::{Server, Store};

fn body(id: u64) -> String {
    format!(r#"[{{"traceId":"{id:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}]"#)
}

fn wait_for_trace(server: &Server, id: u64) {
    let target = format!("/api/v2/trace/{id:016x}");
    wait_for("the trace is there", || (server.get(&target).status == 200).then_some(()));
}

#[test]
fn the_server_runs_without_brokers_says_so_and_goes_on_when_they_are_there() {
    let broker = Broker::not_started();
    let servers = broker.servers();
    let mut variables = reads(&servers, "zipkin");
    // The topic is made after the broker is there: it is noticed at once and not after half a minute.
    variables.push(("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000"));
    let server = Server::start(Store::Sqlite, &variables);
    let health = server.get("/health");
    assert_eq!(health.status, 503, "{}", health.text());
    let component = format!("KafkaCollector{{bootstrapServers={servers}, topic=zipkin}}");
    assert_eq!(health.json()["zipkin"]["details"][&component]["status"], "DOWN", "{}", health.text());
    server.post_spans(body(1));
    wait_for_trace(&server, 1);

    broker.start();
    broker.create("zipkin");
    send_to(&servers, "zipkin", 0, [body(2)]);
    wait_for_trace(&server, 2);
    wait_for("all is well", || (server.get("/health").status == 200).then_some(()));

    broker.kill();
    wait_for("the loss is noticed", || (server.get("/health").status == 503).then_some(()));
    server.post_spans(body(3));
    broker.restart();
    send_to(&servers, "zipkin", 0, [body(4)]);
    wait_for_trace(&server, 4);
    wait_for("all is well again", || (server.get("/health").status == 200).then_some(()));
    assert_eq!(metric(&server, "zipkin_collector_messages_total", &["kafka"]), 2.0);
}
