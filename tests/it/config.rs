//! What people see of the configuration: statuses, `--check-config`, the lines at start.

use std::process::Output;

use crate::binary::{Process, zipkind};
use crate::support::http::Request;
use crate::support::server::{Server, Store};

fn run(variables: &[(&str, &str)], arguments: &[&str], files: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    zipkind(directory.path(), variables).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_wrong_configuration_lists_every_problem_and_ends_with_1() {
    let output = run(&[("STORAGE_TYPE", "oracle"), ("QUERY_PORT", "http")], &["--zipkin.query.timeout=never"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    let [head, port, storage, timeout] = lines[..] else { panic!("{stderr}") };
    assert_eq!(head, "the configuration is wrong:");
    assert_eq!(port, "QUERY_PORT: \"http\" is not a number from 0 to 65535 (environment)");
    assert!(storage.starts_with("STORAGE_TYPE: \"oracle\" is none of sqlite, mem, none, postgres"), "{storage}");
    assert!(storage.ends_with("(environment)"), "{storage}");
    assert_eq!(timeout, "QUERY_TIMEOUT: \"never\" is not a time like 11s or 100ms (argument)");
}

#[test]
fn check_config_prints_effective_values_where_they_come_from_and_no_secret() {
    let output = run(
        &[("MYSQL_PASS", "hunter2"), ("QUERY_PORT", "9999"), ("SCRIBE_CATEGORY", "x")],
        &["--check-config", "--zipkin.storage.type=mem"],
        &[("zipkin-server.yml", "zipkin:\n  query:\n    timeout: 3s\n")],
    );
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    for line in [
        "QUERY_PORT=9999  # environment",
        "STORAGE_TYPE=mem  # argument",
        "QUERY_TIMEOUT=3s  # zipkin-server.yml",
        "COLLECTOR_QUEUE_WAIT=2s",
        "note: SCRIBE_CATEGORY has no effect: this version has no Scribe collector (environment)",
        "the configuration is right",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}\nis missing in\n{printed}");
    }
    assert!(!printed.contains("hunter2"));
}

#[test]
fn check_config_prints_problems_beside_values_and_ends_with_1() {
    let output = run(&[("COLLECTOR_ACK", "maybe")], &["--check-config"], &[("zipkind.toml", "a = ")]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.contains("COLLECTOR_ACK=maybe  # environment\n"), "{printed}");
    assert!(
        printed.contains("problem: COLLECTOR_ACK: \"maybe\" is none of stored, accepted (environment)\n"),
        "{printed}"
    );
    assert!(printed.contains("problem: zipkind.toml: "), "{printed}");
}

#[test]
fn version_and_help_end_with_0_and_an_unknown_option_with_1() {
    let version = run(&[], &["--version"], &[]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(text(&version.stdout), format!("zipkind {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&[], &["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("--check-config"));
    assert_eq!(run(&[], &["--unknown"], &[]).status.code(), Some(1));
}

#[test]
fn the_start_logs_what_is_set_and_what_has_no_effect_once() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STORAGE_TYPE", "mem"), ("SCRIBE_CATEGORY", "x"), ("ES_PASSWORD", "hunter2")];
    let (status, log) = Process::start(directory.path(), &variables).terminate();
    assert_eq!(status.code(), Some(0));
    let lines = |needle: &str| log.lines().filter(|line| line.contains(needle)).count();
    assert_eq!(lines("STORAGE_TYPE=mem"), 1, "{log}");
    assert_eq!(lines("SCRIBE_CATEGORY has no effect: this version has no Scribe collector (environment)"), 1, "{log}");
    assert_eq!(lines("ES_PASSWORD has no effect"), 1, "{log}");
    assert_eq!(lines("hunter2"), 0, "{log}");
}

#[test]
fn text_logs_hold_the_message_and_its_fields() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("QUERY_PORT", "1"), ("SERVER_ADDRESS", "203.0.113.1"), ("STORAGE_TYPE", "mem")];
    let output = zipkind(directory.path(), &variables).output().unwrap();
    assert!(text(&output.stdout).contains(" INFO zipkind::server: configuration"), "{output:?}");
    let quiet = zipkind(directory.path(), &variables).env("LOG_LEVEL", "error").output().unwrap();
    assert_eq!(text(&quiet.stdout), "");
}

/// What was only understood once: each has its effect now, by variable and by argument.
#[test]
fn settings_of_answers_and_of_the_ui_have_their_effect() {
    let answers = |variables: &[(&str, &str)]| {
        let server = Server::start(Store::Memory, variables);
        let spans: Vec<String> =
            (1..=40).map(|id| format!(r#"{{"traceId":"1","id":"{id:x}","name":"a rather long name"}}"#)).collect();
        server.post_spans(format!("[{}]", spans.join(",")));
        let accept = |path: &str| Request::new("GET", path).header("Accept-Encoding", "gzip");
        let trace = server.send(&accept("/api/v2/trace/1"));
        let settings = server.get("/zipkin/config.json").json();
        (trace.header("content-encoding") == Some("gzip"), settings["searchEnabled"].as_bool())
    };
    assert_eq!(answers(&[]), (true, Some(true)));
    assert_eq!(answers(&[("SEARCH_ENABLED", "false")]), (true, Some(false)));
    assert_eq!(
        answers(&[("ZIPKIN_UI_SEARCH_ENABLED", "false"), ("SERVER_COMPRESSION_ENABLED", "false")]),
        (false, Some(false))
    );
    assert_eq!(answers(&[("SERVER_COMPRESSION_MIME_TYPES", "text/css")]), (false, Some(true)));
    assert_eq!(answers(&[("SERVER_COMPRESSION_MIN_RESPONSE_SIZE", "1MiB")]), (false, Some(true)));
}

/// Of zipkin's actuator only what does not change the server is there.
#[test]
fn no_address_changes_the_level_of_logs() {
    let server = Server::start(Store::Memory, &[]);
    for path in ["/actuator/loggers", "/actuator/loggers/zipkin2", "/actuator/shutdown", "/actuator/env"] {
        let body = r#"{"configuredLevel":"TRACE"}"#;
        let response = server.send(&Request::new("POST", path).header("Content-Type", "application/json").body(body));
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}
