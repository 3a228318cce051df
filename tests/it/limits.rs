//! Every limit has a variable, an answer and a metric: each is set small, hit, and counted, on the real binary.
//! And `docs/LIMITS.md` names only what is there.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use zipkind::config::variables;
use zipkind::config::variables::Preset;

use crate::binary::PATIENCE;
use crate::support::http::{Request, Response};
use crate::support::server::{Server, Store};

/// All limits of HTTP but those of time, so small that a test reaches them.
const SMALL: [(&str, &str); 12] = [
    ("HTTP_BODY_BYTES_MAX", "2KiB"),
    ("HTTP_INFLATED_BYTES_MAX", "8KiB"),
    ("HTTP_ENCODINGS_MAX", "1"),
    ("HTTP_ZSTD_WINDOW_BYTES_MAX", "64KiB"),
    ("HTTP_HEAD_BYTES_MAX", "8KiB"),
    ("HTTP_CONNECTIONS_MAX", "8"),
    ("GRPC_MESSAGE_BYTES_MAX", "1KiB"),
    ("COLLECTOR_MESSAGE_SPANS_MAX", "3"),
    ("COLLECTOR_OTLP_SPANS_BYTES_MAX", "1KiB"),
    ("STORAGE_SERVICE_NAMES_MAX", "2"),
    ("STORAGE_NAMES_PER_SERVICE_MAX", "2"),
    ("QUERY_RED_SERIES_MAX", "2"),
];

/// Over memory, with small limits and one of time. Requests about anything else must not be late on a busy machine.
fn impatient(name: &str) -> Server {
    Server::start(Store::Memory, &[&SMALL[..], &[(name, "400ms")]].concat())
}

/// The sum of the series of a metric that hold `labels`.
fn metric(server: &Server, name: &str, labels: &str) -> f64 {
    let text = server.get("/prometheus").text();
    let of_name = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    of_name.filter(|line| line.contains(labels)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn until(server: &Server, name: &str, labels: &str, least: f64) {
    let began = Instant::now();
    while metric(server, name, labels) < least {
        assert!(began.elapsed() < PATIENCE, "{name}{{{labels}}} is {}", metric(server, name, labels));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn spans(count: usize, service: &str) -> String {
    let span = |id| {
        format!(r#"{{"traceId":"{id:x}","id":"1","name":"n{id}","localEndpoint":{{"serviceName":"{service}{id}"}}}}"#)
    };
    format!("[{}]", (1..=count).map(span).collect::<Vec<_>>().join(","))
}

fn post(server: &Server, encoding: &str, body: impl Into<Vec<u8>>) -> Response {
    let request = Request::new("POST", "/api/v2/spans").header("Connection", "close").body(body);
    server.send(&if encoding.is_empty() { request } else { request.header("Content-Encoding", encoding) })
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_limit_of_a_body_is_hit_answered_and_counted() {
    let server = Server::start(Store::Memory, &SMALL);
    let refused = |reason: &str| metric(&server, "http_request_bodies_refused_total", &format!("\"{reason}\""));
    assert_eq!(post(&server, "", vec![b'['; 2049]).status, 413);
    assert_eq!(refused("too_large"), 1.0);
    assert_eq!(post(&server, "gzip", gzip(&[b'['; 8193])).status, 413);
    assert_eq!(refused("inflated_too_large"), 1.0);
    assert_eq!(post(&server, "gzip, gzip", gzip(&gzip(b"[]"))).status, 415);
    assert_eq!(refused("too_many_encodings"), 1.0);
    let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    wide.window_log(20).unwrap();
    wide.write_all(b"[ ]").unwrap();
    assert_eq!(post(&server, "zstd", wide.finish().unwrap()).status, 400);
    assert_eq!(refused("malformed_encoding"), 1.0);
    assert_eq!(post(&server, "", spans(3, "few")).status, 202);
    let many = post(&server, "", spans(4, "many"));
    assert_eq!(many.status, 400, "{}", many.text());
    assert_eq!(metric(&server, "zipkin_collector_messages_dropped_total", "\"http\""), 5.0, "one is counted twice");
    let server = impatient("HTTP_BODY_TIMEOUT");
    let head = "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[";
    assert!(answer(&server, head.as_bytes()).starts_with("HTTP/1.1 408"));
    assert_eq!(metric(&server, "http_request_bodies_refused_total", "\"timeout\""), 1.0);
}

#[test]
fn the_limit_of_a_grpc_message_is_hit_answered_and_counted() {
    let server = Server::start(Store::Memory, &SMALL);
    let message = [&[0][..], &1500_u32.to_be_bytes(), &[0; 1500]].concat();
    let request = Request::new("POST", "/zipkin.proto3.SpanService/Report");
    let response = server.send(&request.header("Content-Type", "application/grpc-web+proto").body(message));
    let status = response.header("grpc-status").map(str::to_owned).unwrap_or_else(|| response.text());
    assert!(status.contains("11"), "OUT_OF_RANGE: {status:?} {:?}", response.headers);
    assert_eq!(metric(&server, "http_request_bodies_refused_total", "\"inflated_too_large\""), 1.0);
}

#[test]
fn the_limit_of_what_an_otlp_request_becomes_is_hit_answered_and_counted() {
    let server = Server::start(Store::Memory, &SMALL);
    let span = |id: u32| {
        format!(
            r#"{{"traceId":"{id:032x}","spanId":"{id:016x}","startTimeUnixNano":"1","endTimeUnixNano":"2","name":"a"}}"#
        )
    };
    let send = |spans: &[String]| {
        let long = "x".repeat(400);
        let resource = format!(r#"{{"attributes":[{{"key":"long","value":{{"stringValue":"{long}"}}}}]}}"#);
        let scope = format!(r#"{{"spans":[{}]}}"#, spans.join(","));
        let body = format!(r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{scope}]}}]}}"#);
        server.send(&Request::new("POST", "/v1/traces").header("Content-Type", "application/json").body(body))
    };
    assert_eq!(send(&[span(1)]).status, 200);
    let refused = send(&[span(1), span(2), span(3)]);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("spans of more than 1024 bytes in one request"), "{}", refused.text());
    assert_eq!(metric(&server, "zipkin_collector_messages_dropped_total", "\"otlp_http\""), 1.0);
}

/// What the server says until it ends the connection.
fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn each_limit_of_a_connection_is_hit_and_counted() {
    let server = Server::start(Store::Memory, &SMALL);
    let closed = "http_server_connections_closed_total";
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let large = answer(&server, long.as_bytes());
    assert!(large.is_empty() || large.starts_with("HTTP/1.1 431"), "{large}");
    until(&server, closed, "\"large_head\"", 1.0);
    assert_eq!(metric(&server, "http_server_large_heads_total", ""), 1.0);
    assert!(answer(&server, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").starts_with("HTTP/1.1 400"));
    until(&server, closed, "\"protocol\"", 1.0);
    let server = impatient("HTTP_IDLE_TIMEOUT");
    assert!(answer(&server, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200"));
    until(&server, closed, "\"idle\"", 1.0);
    let server = impatient("HTTP_HEAD_TIMEOUT");
    assert_eq!(answer(&server, b"GET / HTTP/1.1\r\nHost: "), "");
    until(&server, closed, "\"slow_head\"", 1.0);
    // Eight places: whoever comes while all are taken is turned away, and the metric is read when they are free again.
    let crowd: Vec<_> = (0..40).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let mut turned_away = 0;
    for mut stream in crowd {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        turned_away += usize::from(stream.read(&mut [0]).is_ok_and(|count| count == 0));
    }
    assert!(turned_away > 0);
    until(&server, "http_server_connections_refused_total", "", 1.0);
}

#[test]
fn names_beyond_their_limits_are_counted_and_their_spans_kept() {
    let server = Server::start(Store::Memory, &SMALL);
    server.post_spans(spans(3, "service"));
    assert_eq!(server.get("/api/v2/services").json().as_array().unwrap().len(), 2);
    assert_eq!(server.get("/api/v2/trace/3").status, 200);
    assert!(metric(&server, "storage_memory_names_left_out_total", "") > 0.0);
}

#[test]
fn series_of_rates_beyond_the_limit_are_left_out_and_counted() {
    let server = Server::start(Store::Memory, &SMALL);
    let root = |id: u32| {
        format!(
            r#"{{"traceId":"{id:x}","id":"1","timestamp":60000000,"localEndpoint":{{"serviceName":"service{id}"}}}}"#
        )
    };
    server.post_spans(format!("[{},{},{}]", root(1), root(2), root(3)));
    let answer = server.get("/api/ext/v1/red?endTs=120000").json();
    assert_eq!(answer["series"].as_array().map(Vec::len), Some(2), "{answer}");
    assert_eq!(answer["complete"], false, "{answer}");
    assert_eq!(metric(&server, "storage_red_left_out_total", ""), 1.0);
    assert_eq!(server.get("/api/v2/trace/3").status, 200);
}

/// `| what | default | variable | metric | test |`, of which the test must be somewhere in the sources.
#[test]
fn the_list_of_limits_names_variables_metrics_and_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/LIMITS.md")).unwrap();
    let defaults: HashMap<String, Preset> = variables::all().map(|row| (row.label(), row.default)).collect();
    let metrics_of = |store| Server::start(store, &[("RED_METRICS_ENABLED", "true")]).get("/prometheus").text();
    let exposed = metrics_of(Store::Memory) + &metrics_of(Store::Sqlite);
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        read_sources(&root.join(folder), &mut sources);
    }
    let rows: Vec<Vec<String>> = list.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
    assert!(rows.len() > 15, "{}", rows.len());
    for row in &rows[1..] {
        let [what, default, variable, metric, tests] = &row[..] else { panic!("{row:?}") };
        if variable != "-" {
            let preset = defaults.get(variable).unwrap_or_else(|| panic!("{what}: there is no {variable}"));
            match preset {
                Preset::Text(text) => assert_eq!(default, *text, "{what}"),
                other => assert!(matches!(other, Preset::Computed(_)), "{what}: {other:?}"),
            }
        }
        for metric in metric.split(", ").filter(|metric| *metric != "-") {
            let (name, label) = metric.split_once('{').unwrap_or((metric, ""));
            let label = label.trim_end_matches('}');
            let is_exposed = exposed.lines().any(|line| line.starts_with(name) && line.contains(label));
            assert!(is_exposed, "{what}: /prometheus has no {metric}");
        }
        for test in tests.split(", ") {
            assert!(sources.contains(&format!("fn {test}(")), "{what}: there is no test {test}");
        }
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches(['|', ' ']).split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

fn read_sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
