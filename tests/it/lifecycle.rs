//! Start and end of the process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::binary::{NO_OTLP_PORTS, PATIENCE, Process, server, zipkind};

const SPAN: &str = r#"[{"traceId":"00000000000000ab","id":"00000000000000ab","name":"get /"}]"#;

fn post_head(length: usize) -> String {
    format!(
        "POST /api/v2/spans HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_posted_trace_is_read_back_at_once() {
    let server = server(&[]).await;
    let url = format!("http://{}", server.address());
    let client = reqwest::Client::new();
    let posted = client.post(format!("{url}/api/v2/spans")).body(SPAN).send().await.unwrap();
    assert_eq!(posted.status(), 202);
    let read = client.get(format!("{url}/api/v2/trace/ab")).send().await.unwrap().text().await.unwrap();
    assert_eq!(read, SPAN);
    assert!(server.stop().await.is_clean());
}

#[test]
fn both_signals_end_the_process_with_status_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start(directory.path(), &[("STORAGE_TYPE", "mem")]);
        process.signal(signal);
        let (status, log) = process.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("ended, nothing was lost"), "{log}");
    }
}

#[test]
fn a_request_under_way_is_answered_and_new_connections_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &[("STORAGE_TYPE", "mem"), ("SERVER_DRAIN_TIMEOUT", "60s")]);
    let mut connection = TcpStream::connect(process.address()).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let (first, last) = SPAN.split_at(10);
    connection.write_all(post_head(SPAN.len()).as_bytes()).unwrap();
    connection.write_all(first.as_bytes()).unwrap();
    wait_until_served(&process);
    process.signal(Signal::SIGTERM);
    wait_until_refused(&process);
    connection.write_all(last.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// The server has taken the connections made before this one.
fn wait_until_served(process: &Process) {
    let mut connection = TcpStream::connect(process.address()).unwrap();
    connection.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

fn wait_until_refused(process: &Process) {
    let start = std::time::Instant::now();
    while TcpStream::connect(process.address()).is_ok() {
        assert!(start.elapsed() < PATIENCE, "connections are still taken");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &[("STORAGE_TYPE", "mem"), ("SERVER_DRAIN_TIMEOUT", "200ms")]);
    let mut connection = TcpStream::connect(process.address()).unwrap();
    connection.write_all(post_head(1000).as_bytes()).unwrap();
    wait_until_served(&process);
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "nothing was acknowledged, so nothing is lost: {log}");
    assert!(log.contains("\"connections_cut\":1"), "{log}");
}

#[test]
fn a_second_signal_ends_the_process_at_once_with_status_2() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &[("STORAGE_TYPE", "mem"), ("SERVER_DRAIN_TIMEOUT", "1h")]);
    let mut connection = TcpStream::connect(process.address()).unwrap();
    connection.write_all(post_head(1000).as_bytes()).unwrap();
    wait_until_served(&process);
    process.signal(Signal::SIGTERM);
    wait_until_refused(&process);
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(2), "{log}");
}

#[test]
fn a_taken_port_stops_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let variables = [("QUERY_PORT", port.as_str()), ("SERVER_ADDRESS", "127.0.0.1"), ("STORAGE_TYPE", "mem")];
    let output = zipkind(directory.path(), &variables).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with(&format!("zipkind did not start: cannot listen on 127.0.0.1:{port}: ")), "{message}");
}

#[test]
fn the_binary_asks_a_running_server_for_its_health() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &[("STORAGE_TYPE", "mem")]);
    let port = process.address().port().to_string();
    let ask = || {
        let mut command = zipkind(directory.path(), &[("QUERY_PORT", &port), ("STORAGE_TYPE", "mem")]);
        command.arg("--health").output().unwrap()
    };
    let up = ask();
    assert_eq!(up.status.code(), Some(0));
    assert!(String::from_utf8(up.stdout).unwrap().contains("\"status\" : \"UP\""));
    let _ = process.terminate();
    let gone = ask();
    assert_eq!(gone.status.code(), Some(1));
    let message = String::from_utf8(gone.stderr).unwrap();
    assert!(message.starts_with(&format!("no server answers on 127.0.0.1:{port}: ")), "{message}");
}

#[test]
fn a_directory_that_cannot_be_written_stops_the_start_and_the_message_says_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let variables = [("QUERY_PORT", "0"), ("SERVER_ADDRESS", "127.0.0.1"), ("SQLITE_PATH", below.to_str().unwrap())];
    let output = zipkind(directory.path(), &variables).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with(&format!("zipkind did not start: spans cannot be kept in {}", below.display())));
    assert!(message.contains("SQLITE_PATH or XDG_DATA_HOME can name another directory"), "{message}");
}

#[test]
fn spans_are_there_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("XDG_DATA_HOME", directory.path().to_str().unwrap())];
    let ask = |process: &Process, request: String| {
        let mut connection = TcpStream::connect(process.address()).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    let process = Process::start(directory.path(), &variables);
    let post = post_head(SPAN.len()).replace("host: x", "host: x\r\nconnection: close");
    assert!(ask(&process, post + SPAN).starts_with("HTTP/1.1 202 "));
    assert_eq!(process.terminate().0.code(), Some(0));
    let process = Process::start(directory.path(), &variables);
    let read = ask(&process, "GET /api/v2/trace/ab HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned());
    assert!(read.ends_with(SPAN), "{read}");
    assert!(directory.path().join("zipkind/zipkind.db").is_file());
}

#[test]
fn a_low_limit_of_open_files_is_raised_to_what_connections_need() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new("bash")
        .args(["-c", "ulimit -Sn 128; exec \"$0\"", env!("CARGO_BIN_EXE_zipkind")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs([("SERVER_ADDRESS", "127.0.0.1"), ("QUERY_PORT", "0"), ("STORAGE_TYPE", "mem")])
        .envs(NO_OTLP_PORTS)
        .env("HTTP_CONNECTIONS_MAX", "500")
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let served = BufReader::new(child.stdout.take().unwrap()).lines().any(|line| line.unwrap().contains(" serves"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(served);
    let limits = limits.unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("564"), "{files}");
}
