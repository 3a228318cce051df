//! What client libraries really send over HTTP: headers and body as captured, and the traces the peer answered for them.

use base64::Engine as _;
use serde_json::Value;

use super::{on_each_store, start, stored_trace};
use crate::support::http::Request;
use crate::support::json::as_set;
use crate::support::server::{Server, Store};
use crate::support::{json_files, read_json};

on_each_store!(messages_of_client_libraries_give_the_traces_the_peer_gave);

/// Formats that the server does not read yet.
const NOT_YET: &[(&str, &str)] = &[];

fn messages_of_client_libraries_give_the_traces_the_peer_gave(store: Store) {
    let server = start(store);
    let mut problems = Vec::new();
    for name in json_files("corpora/clients") {
        let found = play(&server, &read_json(&format!("corpora/clients/{name}.json")));
        match (NOT_YET.iter().find(|(listed, _)| *listed == name), found) {
            (None, Err(problem)) => problems.push(format!("{name}: {problem}")),
            (Some((_, reason)), Ok(())) => problems.push(format!("{name} passes: take it off the list ({reason})")),
            _ => {}
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn play(server: &Server, capture: &Value) -> Result<(), String> {
    for captured in list(&capture["requests"]) {
        let response = server.send(&request(captured));
        if u64::from(response.status) != captured["status"].as_u64().unwrap() {
            return Err(format!("expected {}, got {}: {}", captured["status"], response.status, response.text()));
        }
    }
    for trace in list(&capture["traces"]) {
        let stored = stored_trace(server, trace["trace_id"].as_str().unwrap());
        // The order inside a trace is the peer's own affair.
        if as_set(&stored) != as_set(&trace["expected"]) {
            return Err(format!("expected {}\n got {stored}", trace["expected"]));
        }
    }
    Ok(())
}

fn request(captured: &Value) -> Request {
    let mut request = Request::new(captured["method"].as_str().unwrap(), captured["path"].as_str().unwrap());
    for header in list(&captured["headers"]) {
        request = request.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    let body = base64::engine::general_purpose::STANDARD.decode(captured["body_base64"].as_str().unwrap());
    request.chunked = captured["chunked"] == true;
    request.body(body.unwrap())
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}
