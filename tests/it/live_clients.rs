//! Real client libraries (`tests/clients`): each sends one trace to a server, and the API must answer it whole.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::server::{Server, Store};

/// Has the client send its trace; the trace's id.
fn send(language: &str, protocol: &str, server: SocketAddr) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/live-clients");
    let output = Command::new(script).args(["send", language, protocol, &format!("http://{server}")]).output().unwrap();
    let told = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the client for {language} over {protocol} failed:\n{told}");
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{told}");
    id
}

/// The two spans of the trace that every client sends.
fn trace(language: &str, protocol: &str) -> (Value, Value) {
    let server = Server::start(Store::Memory, &[]);
    let id = send(language, protocol, server.address());
    let answer = server.get(&format!("/api/v2/trace/{id}"));
    assert_eq!(answer.status, 200, "{language} over {protocol}: {}", answer.text());
    let spans = answer.json();
    let spans = spans.as_array().unwrap();
    assert_eq!(spans.len(), 2, "{language} over {protocol}: {spans:?}");
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap().clone();
    (named("checkout"), named("query"))
}

/// What an SDK of OpenTelemetry sends must read like that, whichever way it came. Tags of the SDK itself may be there too.
fn assert_whole(language: &str, protocol: &str) {
    let (root, child) = trace(language, protocol);
    let about = format!("{language} over {protocol}: {root}\n{child}");
    let service = json!({"serviceName": format!("live-{language}")});
    assert_eq!((&root["kind"], &root["localEndpoint"]), (&"SERVER".into(), &service), "{about}");
    assert_eq!(
        (&root["timestamp"], &root["duration"]),
        (&json!(1_700_000_000_000_000_i64), &json!(250_000)),
        "{about}"
    );
    let links =
        r#"[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","attributes":{"why":"batch"}}]"#;
    let tags = json!({
        "text": "Grüße, \"日本\" 🎉", "empty": "", "flag": "true", "count": "9007199254740991", "negative": "-7",
        "ratio": "0.25", "texts": "a,b", "flags": "true,false", "counts": "1,2", "ratios": "0.5,1.5",
        "deployment": "test", "error": "card refused", "otel.status_code": "ERROR", "otel.links": links,
        "otel.scope.name": "live", "otel.scope.version": "1.2.3",
    });
    for (key, value) in tags.as_object().unwrap() {
        assert_eq!(&root["tags"][key], value, "tag {key}: {about}");
    }
    let annotations = json!([
        {"timestamp": 1_700_000_000_100_000_i64, "value": r#""retry":{"attempt":2}"#},
        {"timestamp": 1_700_000_000_150_000_i64, "value": "plain"},
    ]);
    assert_eq!(root["annotations"], annotations, "{about}");
    assert_eq!((&child["parentId"], &child["kind"]), (&root["id"], &"CLIENT".into()), "{about}");
    assert_eq!(child["remoteEndpoint"], json!({"serviceName": "db.example", "port": 5432}), "{about}");
    assert_eq!((&child["duration"], &child["tags"]["otel.status_code"]), (&json!(40_000), &"OK".into()), "{about}");
}

#[test]
fn opentelemetry_for_js() {
    for protocol in ["http/protobuf", "http/json", "http/json+gzip", "grpc"] {
        assert_whole("js", protocol);
    }
}

#[test]
fn opentelemetry_for_python() {
    for protocol in ["http/protobuf", "http/protobuf+gzip", "http/json", "grpc"] {
        assert_whole("python", protocol);
    }
}

#[test]
fn opentelemetry_for_go() {
    for protocol in ["http/protobuf", "http/protobuf+gzip", "grpc"] {
        assert_whole("go", protocol);
    }
}

#[test]
fn zipkins_reporter_for_the_jvm() {
    for protocol in ["urlconnection/json", "urlconnection/proto3", "okhttp/json", "okhttp/proto3", "grpc"] {
        let (root, child) = trace("jvm", protocol);
        let local = json!({"serviceName": "live-jvm", "ipv4": "10.0.0.1", "port": 8080});
        let root_expected = json!({
            "traceId": "0af7651916cd43dd8448eb211c80319d", "id": "b7ad6b7169203331", "kind": "SERVER", "name": "checkout",
            "timestamp": 1_700_000_000_000_000_i64, "duration": 250_000, "localEndpoint": local, "shared": true,
            "remoteEndpoint": {"ipv6": "2001:db8::1"},
            "annotations": [{"timestamp": 1_700_000_000_100_000_i64, "value": "retry"}],
            "tags": {"text": "Grüße, \"日本\" 🎉", "empty": "", "error": "card refused"},
        });
        assert_eq!(root, root_expected, "{protocol}");
        let child_expected = json!({
            "traceId": "0af7651916cd43dd8448eb211c80319d", "parentId": "b7ad6b7169203331", "id": "00f067aa0ba902b7",
            "kind": "CLIENT", "name": "query", "timestamp": 1_700_000_000_050_000_i64, "duration": 40_000,
            "localEndpoint": local, "remoteEndpoint": {"serviceName": "db", "port": 5432}, "debug": true,
        });
        assert_eq!(child, child_expected, "{protocol}");
    }
}
