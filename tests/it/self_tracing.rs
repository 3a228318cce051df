//! The server's spans of its own calls.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::PATIENCE;
use crate::support::http::Request;
use crate::support::server::{Server, Store};

const ON: [(&str, &str); 3] = [
    ("SELF_TRACING_ENABLED", "true"),
    ("SELF_TRACING_TRACES_PER_SECOND", "0"),
    ("SELF_TRACING_FLUSH_INTERVAL", "20ms"),
];
const TRACE_ID: &str = "463ac35c9f6413ad48485a3953bb6124";
const PARENT: &str = "0020000000000001";

fn untraced(target: &str) -> Request {
    Request::new("GET", target).header("b3", "0")
}

/// A request of a trace that its sender has begun.
fn of_trace(request: Request, trace_id: &str) -> Request {
    request.header("b3", &format!("{trace_id}-{PARENT}-1"))
}

/// Waits until the store has a trace of so many spans.
fn trace(server: &Server, trace_id: &str, spans: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let answer = server.send(&untraced(&format!("/api/v2/trace/{trace_id}")));
        if answer.status == 200 && answer.json().as_array().unwrap().len() >= spans {
            return answer.json().as_array().unwrap().clone();
        }
        assert!(start.elapsed() < PATIENCE, "trace {trace_id} has not {spans} spans: {}", answer.text());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no span {name} in {spans:?}"))
}

fn own_spans(server: &Server) -> f64 {
    let metrics = server.get("/metrics").json();
    metrics["counter.zipkin_collector.spans.local"].as_f64().unwrap_or(0.0)
}

#[test]
fn a_query_is_a_trace_with_zipkins_names_and_its_storage_call_a_child() {
    let server = Server::start(Store::Memory, &ON);
    let answer = server.send(&of_trace(Request::new("GET", "/api/v2/services"), TRACE_ID));
    assert_eq!(answer.status, 200);
    let spans = trace(&server, TRACE_ID, 2);
    assert_eq!(spans.len(), 2);
    let request = named(&spans, "get /api/v2/services");
    assert_eq!((&request["kind"], &request["parentId"]), (&"SERVER".into(), &PARENT.into()));
    assert_eq!(request["localEndpoint"]["serviceName"], "zipkin-server");
    assert_eq!(request["tags"], serde_json::json!({"http.method": "GET", "http.path": "/api/v2/services"}));
    assert!(request["timestamp"].is_number() && request["duration"].as_i64() >= Some(1));
    let call = named(&spans, "get-service-names");
    assert_eq!((&call["kind"], &call["parentId"]), (&Value::Null, &request["id"]));
    assert_eq!(call["localEndpoint"]["serviceName"], "zipkin-server");
    let services = server.send(&untraced("/api/v2/services"));
    assert_eq!(services.text(), r#"["zipkin-server"]"#);
    assert!(server.get("/health").text().contains("Traced{InMemoryStorage{}}"), "{}", server.get("/health").text());
}

#[test]
fn routes_name_spans_and_statuses_tag_them() {
    let server = Server::start(Store::Memory, &ON);
    let target = "/zipkin/api/v2/trace/00000000000000ee";
    assert_eq!(server.send(&of_trace(Request::new("GET", target), TRACE_ID)).status, 404);
    let spans = trace(&server, TRACE_ID, 2);
    let tags = &named(&spans, "get /zipkin/api/v2/trace/{traceid}")["tags"];
    let expected = serde_json::json!({
        "http.method": "GET", "http.path": target, "http.status_code": "404", "error": "404"});
    assert_eq!(tags, &expected);
    named(&spans, "get-trace");
}

#[test]
fn storing_spans_makes_a_span_for_the_sender_and_none_for_own_reports() {
    let server = Server::start(Store::Memory, &ON);
    let post = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json");
    let post = post.body(r#"[{"traceId":"a","id":"1"}]"#);
    assert_eq!(server.send(&of_trace(post.clone(), TRACE_ID)).status, 202);
    let spans = trace(&server, TRACE_ID, 2);
    let request = named(&spans, "post /api/v2/spans");
    assert_eq!(named(&spans, "accept-spans")["parentId"], request["id"]);
    // Each further trace is stored by a further report. Were a report traced, its spans would be there by then.
    for round in 2..=5 {
        let trace_id = format!("{round:032x}");
        server.send(&of_trace(post.clone(), &trace_id));
        trace(&server, &trace_id, 2);
        assert_eq!(own_spans(&server), f64::from(2 * round));
    }
}

#[test]
fn health_metrics_files_otlp_and_grpc_are_not_traced() {
    let server = Server::start(Store::Memory, &ON);
    for target in ["/health", "/metrics", "/prometheus", "/info", "/zipkin/", "/zipkin/config.json"] {
        server.send(&of_trace(Request::new("GET", target), TRACE_ID));
    }
    let export = Request::new("POST", "/v1/traces").header("Content-Type", "application/json").body("{}");
    assert_eq!(server.send(&of_trace(export, TRACE_ID)).status, 200);
    // What comes after them is reported after them.
    let later = "000000000000000000000000000000ff";
    server.send(&of_trace(Request::new("GET", "/api/v2/services"), later));
    trace(&server, later, 2);
    assert_eq!(own_spans(&server), 2.0);
    assert_eq!(server.send(&untraced(&format!("/api/v2/trace/{TRACE_ID}"))).status, 404);
}

#[test]
fn only_the_share_of_requests_that_is_asked_for_begins_traces() {
    let none = [("SELF_TRACING_ENABLED", "true"), ("SELF_TRACING_SAMPLE_RATE", "0"), ON[2]];
    let server = Server::start(Store::Memory, &none);
    for _ in 0..20 {
        server.get("/api/v2/services");
    }
    server.send(&of_trace(Request::new("GET", "/api/v2/services"), TRACE_ID));
    trace(&server, TRACE_ID, 2);
    assert_eq!(own_spans(&server), 2.0, "only the trace that its sender decided on");
}

#[test]
fn without_the_switch_nothing_is_traced() {
    let server = Server::start(Store::Memory, &[]);
    server.send(&of_trace(Request::new("GET", "/api/v2/services"), TRACE_ID));
    server.post_spans(r#"[{"traceId":"a","id":"1","localEndpoint":{"serviceName":"shop"}}]"#);
    assert_eq!(server.get("/api/v2/services").text(), r#"["shop"]"#);
    assert!(server.get("/metrics").json()["counter.zipkin_collector.spans.local"].is_null());
    assert!(!server.get("/health").text().contains("Traced"));
}

#[test]
fn the_end_of_the_process_reports_what_waits() {
    use crate::binary::Process;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let variables = [("SQLITE_PATH", path), ON[0], ON[1], ("SELF_TRACING_FLUSH_INTERVAL", "1h")];
    let process = Process::start(directory.path(), &variables);
    let request = of_trace(Request::new("GET", "/api/v2/services"), TRACE_ID);
    crate::support::http::send(process.address(), &request).unwrap();
    assert_eq!(process.terminate().0.code(), Some(0));
    let process = Process::start(directory.path(), &[("SQLITE_PATH", path)]);
    let answer = crate::support::http::send(process.address(), &untraced(&format!("/api/v2/trace/{TRACE_ID}")));
    assert_eq!(answer.unwrap().json().as_array().unwrap().len(), 2);
}

#[test]
fn own_spans_go_to_an_otlp_receiver_over_http_and_grpc() {
    let receiver = Server::start(Store::Memory, &[]);
    let endpoint = format!("http://{}", receiver.address());
    for (number, protocol) in [(1, "http/protobuf"), (2, "grpc")] {
        let target = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let server = Server::start(Store::Memory, &[&ON[..], &target].concat());
        let trace_id = format!("{number:032x}");
        assert_eq!(server.send(&of_trace(Request::new("GET", "/api/v2/services"), &trace_id)).status, 200);
        let spans = trace(&receiver, &trace_id, 2);
        let request = named(&spans, "get /api/v2/services");
        assert_eq!((&request["kind"], &request["parentId"]), (&"SERVER".into(), &PARENT.into()), "{protocol}");
        assert_eq!(request["localEndpoint"]["serviceName"], "zipkin-server", "{protocol}");
        assert_eq!(named(&spans, "get-service-names")["parentId"], request["id"], "{protocol}");
        assert_eq!(own_spans(&server), 0.0, "nothing of it in the own store");
    }
}

#[test]
fn two_servers_that_report_to_each_other_are_no_loop() {
    let port = zipkind::storage::database_servers::free_port().to_string();
    let first_address = format!("http://127.0.0.1:{port}");
    let second =
        Server::start(Store::Memory, &[&ON[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", first_address.as_str())]].concat());
    let second_address = format!("http://{}", second.address());
    let target = [("OTEL_EXPORTER_OTLP_ENDPOINT", second_address.as_str()), ("QUERY_PORT", port.as_str())];
    let first = Server::start(Store::Memory, &[&ON[..], &target].concat());
    for round in 1..=3_u32 {
        let trace_id = format!("{round:032x}");
        first.send(&of_trace(Request::new("GET", "/api/v2/services"), &trace_id));
        trace(&second, &trace_id, 2);
        let received = second.get("/metrics").json()["counter.zipkin_collector.spans.otlp_http"].as_f64();
        assert_eq!(received, Some(f64::from(2 * round)));
    }
    assert!(first.get("/metrics").json()["counter.zipkin_collector.spans.otlp_http"].as_f64().unwrap_or(0.0) == 0.0);
}

#[test]
fn an_endpoint_that_cannot_be_used_stops_the_start_only_when_tracing_is_on() {
    use crate::binary::zipkind;
    let folder = tempfile::tempdir().unwrap();
    let check = |variables: &[(&str, &str)]| {
        let output = zipkind(folder.path(), variables).arg("--check-config").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let tls = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");
    let (status, told) = check(&[ON[0], tls]);
    assert_eq!(status, Some(1));
    assert!(
        told.contains("problem: OTEL_EXPORTER_OTLP_ENDPOINT: own spans are sent to http:// addresses only"),
        "{told}"
    );
    let json = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let (status, told) = check(&[ON[0], ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"), json]);
    assert_eq!(status, Some(1));
    assert!(told.contains("\"http/json\" is not http/protobuf or grpc"), "{told}");
    assert_eq!(check(&[tls, json]).0, Some(0), "such variables may be there for other programs");
}
