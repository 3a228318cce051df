//! Rates and durations, their metrics, and pinned traces through the whole server, over a kill and a restart.

use nix::sys::signal::Signal;

use crate::binary::Process;
use crate::support::http::{Request, Response, send};

const RED: &str = "/api/ext/v1/red?endTs=1600000079999&lookback=119999";

/// A call of `a` to `b`; the error comes later, in a second report of the server's span.
const CALL: &str = r#"[
  {"traceId":"ab","id":"1","kind":"CLIENT","name":"call","timestamp":1600000000000000,"duration":9000,"localEndpoint":{"serviceName":"a"}},
  {"traceId":"ab","id":"2","parentId":"1","kind":"SERVER","name":"serve","timestamp":1600000001000000,"duration":7000,"localEndpoint":{"serviceName":"b"}}]"#;
const LATE: &str = r#"[
  {"traceId":"ab","id":"2","parentId":"1","kind":"SERVER","localEndpoint":{"serviceName":"b"},"tags":{"error":"late"}},
  {"traceId":"cd","id":"1","kind":"SERVER","name":"serve","timestamp":1600000061000000,"duration":3000,"localEndpoint":{"serviceName":"b"}}]"#;

fn ask(process: &Process, request: &Request) -> Response {
    send(process.address(), request).unwrap_or_else(|error| panic!("{error}: {}", process.log()))
}

fn get(process: &Process, target: &str) -> String {
    let response = ask(process, &Request::new("GET", target));
    assert_eq!(response.status, 200, "{target}: {}", response.text());
    response.text()
}

fn post(process: &Process, spans: &str) {
    let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(spans);
    assert_eq!(ask(process, &request).status, 202);
}

/// Calls, errors and the longest duration of a service, by minute.
fn told(process: &Process, service: &str) -> Vec<(u64, u64, u64)> {
    let answer: serde_json::Value = serde_json::from_str(&get(process, RED)).unwrap();
    let series = answer["series"].as_array().unwrap().iter();
    let of = |series: &&serde_json::Value| series["type"] == "service" && series["serviceName"] == service;
    let points = series.filter(of).flat_map(|series| series["points"].as_array().unwrap());
    let figure = |point: &serde_json::Value, name: &str| point[name].as_u64().unwrap();
    points.map(|point| (figure(point, "calls"), figure(point, "errors"), figure(point, "maxUs"))).collect()
}

#[test]
fn red_and_pins_are_the_same_after_a_kill_and_count_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let environment = [
        ("SQLITE_PATH", path.to_str().unwrap()),
        ("RETENTION_MAX_AGE", "0"),
        ("PIN_ENABLED", "true"),
        ("RED_METRICS_ENABLED", "true"),
    ];
    let process = Process::start(folder.path(), &environment);
    post(&process, CALL);
    assert_eq!(told(&process, "b"), [(1, 0, 7_000)]);
    for spans in [CALL, LATE, LATE, CALL] {
        post(&process, spans);
    }
    assert_eq!(told(&process, "b"), [(1, 1, 7_000), (1, 0, 3_000)]);
    let pin = Request::new("POST", "/api/ext/v1/pin/ab").header("X-Requested-By", "test");
    assert_eq!(ask(&process, &pin).status, 200);
    let (red, pinned) = (get(&process, RED), get(&process, "/api/ext/v1/pin"));
    assert!(pinned.contains(r#""traceId":"00000000000000ab","spanCount":3"#), "{pinned}");
    // The metrics count what came in, repeated reports too.
    let metrics = get(&process, "/prometheus");
    for line in [
        r#"red_requests_total{service="b",span_name="serve"} 5"#,
        r#"red_errors_total{service="b",span_name=""} 2"#,
        r#"red_request_seconds_count{service="b",span_name="serve"} 5"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    process.signal(Signal::SIGKILL);
    process.wait();

    let process = Process::start(folder.path(), &environment);
    assert_eq!((get(&process, RED), get(&process, "/api/ext/v1/pin")), (red.clone(), pinned));
    post(&process, CALL);
    assert_eq!(get(&process, RED), red);
}

#[test]
fn metrics_of_requests_are_off_unless_they_are_switched_on() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[("STORAGE_TYPE", "mem")]);
    post(&process, CALL);
    assert!(!get(&process, "/prometheus").contains("red_requests_total"));
    assert_eq!(told(&process, "b"), [(1, 0, 7_000)]);
}
