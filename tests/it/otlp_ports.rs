//! The ports of OTLP, beside the main one.

use std::net::TcpListener;

use zipkind::storage::database_servers::free_port;

use crate::binary::zipkind;
use crate::support::http::{Request, send};
use crate::support::server::{Server, Store};

const BODY: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
    {"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0000000000000001","startTimeUnixNano":"1700000000000000000"}]}]}]}"#;

fn export() -> Request {
    Request::new("POST", "/v1/traces").header("Content-Type", "application/json").body(BODY)
}

#[test]
fn spans_sent_to_the_otlp_port_and_to_the_main_port_are_stored() {
    let port = free_port();
    let server = Server::start(Store::Memory, &[("COLLECTOR_OTLP_HTTP_PORT", &port.to_string())]);
    let mut address = server.address();
    assert_eq!(server.send(&export()).status, 200);
    address.set_port(port);
    assert_eq!(send(address, &export()).unwrap().status, 200);
    assert_eq!(send(address, &Request::new("GET", "/api/v2/services")).unwrap().status, 404, "nothing else is there");
    let services = server.get("/api/v2/services");
    assert_eq!(services.text(), r#"["unknown_service"]"#);
}

#[test]
fn a_chosen_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("SERVER_ADDRESS", "127.0.0.1"),
        ("QUERY_PORT", "0"),
        ("STORAGE_TYPE", "mem"),
        ("COLLECTOR_OTLP_GRPC_PORT", port.as_str()),
    ];
    let output = zipkind(folder.path(), &variables).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(told.contains(&format!("cannot listen on 127.0.0.1:{port} for OTLP over grpc")), "{told}");
}

#[test]
fn a_standard_port_that_is_taken_is_a_warning() {
    // Whoever has it, this test or another process: it is taken.
    let _taken = TcpListener::bind("127.0.0.1:4318");
    let server = Server::start(Store::Memory, &[("COLLECTOR_OTLP_HTTP_PORT", "")]);
    assert!(server.log().contains("OTLP is not served on its standard port"), "{}", server.log());
    assert_eq!(server.send(&export()).status, 200, "the main port takes it");
}

#[test]
fn the_grpc_port_takes_calls_and_0_opens_no_port() {
    let port = free_port();
    let server = Server::start(Store::Memory, &[("COLLECTOR_OTLP_GRPC_PORT", &port.to_string())]);
    let mut address = server.address();
    address.set_port(port);
    let call = Request::new("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let call = call.header("Content-Type", "application/grpc-web+proto").body([0; 5]);
    let answer = send(address, &call).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("grpc-status:0"), "{}", answer.text());
    assert_eq!(send(address, &export()).unwrap().status, 404, "only gRPC is there");
    drop(server);
    let server = Server::start(Store::Memory, &[("COLLECTOR_OTLP_GRPC_PORT", "0"), ("COLLECTOR_OTLP_HTTP_PORT", "0")]);
    assert!(!server.log().contains("otlp_address"), "{}", server.log());
    assert!(send(address, &call).is_err(), "nobody listens");
}

#[test]
fn switched_off_otlp_is_on_no_port() {
    let port = free_port();
    let variables = [("COLLECTOR_OTLP_ENABLED", "false"), ("COLLECTOR_OTLP_HTTP_PORT", &port.to_string())];
    let server = Server::start(Store::Memory, &variables);
    assert_eq!(server.send(&export()).status, 404);
    let mut address = server.address();
    address.set_port(port);
    assert!(send(address, &export()).is_err(), "nobody listens");
}
