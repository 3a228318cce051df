//! Every captured OTLP request, HTTP and gRPC, sent to a running server as it was sent, and the trace it must give.

use std::collections::HashMap;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;

use crate::support::http::Request;
use crate::support::server::{Server, Store};
use crate::support::{json_files, read_json};

fn bytes(text: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}

fn play(server: &Server, captured: &Value) {
    if captured["transport"] == "grpc" {
        call(server, captured["method"].as_str().unwrap(), bytes(&captured["message_base64"]));
        return;
    }
    let mut request = Request::new(captured["method"].as_str().unwrap(), captured["path"].as_str().unwrap());
    for header in captured["headers"].as_array().unwrap() {
        request = request.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    request.chunked = captured["chunked"] == true;
    let answer = server.send(&request.body(bytes(&captured["body_base64"])));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A unary call; a refusal would have its status in the head.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn call(server: &Server, method: &str, message: Vec<u8>) {
    let frame = [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat();
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/{}", server.address(), method.trim_start_matches('/'));
    let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers");
    let answer = request.body(frame).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("grpc-status")), (200, None), "{method}");
    assert_eq!(answer.bytes().await.unwrap(), Bytes::from_static(&[0; 5]), "{method}: no partial success");
}

/// By id. The recorded answers have no trace of a span's links; ours keep them in a tag.
fn spans(trace: &Value) -> Vec<Value> {
    let mut spans = trace.as_array().unwrap().clone();
    for span in &mut spans {
        if let Some(tags) = span["tags"].as_object_mut() {
            tags.remove("otel.links");
        }
    }
    spans.sort_by_key(|span| span["id"].to_string());
    spans
}

/// How many spans of each trace were sent.
fn sent_as_json(capture: &Value) -> HashMap<String, usize> {
    let mut sent = HashMap::new();
    for captured in capture["requests"].as_array().unwrap() {
        let message: Value = serde_json::from_slice(&bytes(&captured["body_base64"])).unwrap();
        let resources = message["resourceSpans"].as_array().unwrap().iter();
        let scopes = resources.flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
        for span in scopes.flat_map(|scope| scope["spans"].as_array().unwrap()) {
            *sent.entry(span["traceId"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    sent
}

#[test]
fn captured_requests_give_the_traces_that_were_recorded_for_them() {
    let (mut traces, mut calls) = (0, 0);
    let stored = |server: &Server, trace_id: &str| {
        let answer = server.get(&format!("/api/v2/trace/{trace_id}"));
        assert_eq!(answer.status, 200, "{trace_id}: {}", answer.text());
        answer.json()
    };
    for store in [Store::Memory, Store::Sqlite] {
        let server = Server::start(store, &[]);
        for name in json_files("golden/otlp") {
            let capture = read_json(&format!("golden/otlp/{name}.json"));
            for captured in capture["requests"].as_array().unwrap() {
                play(&server, captured);
                calls += usize::from(captured["transport"] == "grpc");
            }
            for trace in capture["traces"].as_array().unwrap() {
                let found = stored(&server, trace["trace_id"].as_str().unwrap());
                assert_eq!(spans(&found), spans(&trace["expected"]), "{name}");
                traces += 1;
            }
            if capture["traces"].as_array().unwrap().is_empty() {
                // The reference reads no JSON, so it recorded none: every span that was sent must be there.
                for (trace_id, sent) in sent_as_json(&capture) {
                    assert_eq!(stored(&server, &trace_id).as_array().unwrap().len(), sent, "{name}");
                    traces += 1;
                }
            }
        }
    }
    assert!(traces >= 18 && calls >= 12, "{traces} traces, {calls} calls");
}
