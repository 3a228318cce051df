//! A file system that is full: senders are told to come again, nothing acknowledged is lost, and service resumes by itself.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::oracle::{Fate, Oracle, body};
use crate::binary::{PATIENCE, Process, zipkind};
use crate::support::http::{Request, Response, send};

/// Size of the file system, and of the ballast that fills most of it.
const DISK_MIB: usize = 12;
const BALLAST_MIB: usize = 9;
/// More messages than the rest of the disk can hold.
const MESSAGES_MAX: u64 = 20_000;

/// A server whose folder is a file system of its own, seen by it alone.
fn start(folder: &std::path::Path) -> Process {
    let path = folder.join("zipkind.db");
    let variables = [
        ("SERVER_ADDRESS", "127.0.0.1"),
        ("QUERY_PORT", "0"),
        ("LOG_FORMAT", "json"),
        ("STORAGE_TYPE", "sqlite"),
        ("SQLITE_PATH", path.to_str().unwrap()),
        ("RETENTION_MAX_BYTES", "1GiB"),
        ("COLLECTOR_QUEUE_WAIT", "300ms"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
    ];
    let server = zipkind(folder, &variables);
    let script = format!(
        "mount -t tmpfs -o size={DISK_MIB}m tmpfs {0} && head -c {BALLAST_MIB}M /dev/zero >{0}/ballast && cd {0} && exec {1}",
        folder.display(),
        server.get_program().display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).env_clear();
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::from_child(command.stdout(Stdio::piped()).spawn().expect("unshare of util-linux is there"))
}

fn post(address: SocketAddr, number: u64) -> Response {
    let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json");
    send(address, &request.header("Connection", "close").body(body(number))).unwrap()
}

#[test]
fn a_full_disk_is_told_to_senders_and_service_resumes_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let process = start(folder.path());
    let address = process.address();
    let mut oracle = Oracle::default();
    let mut refused = None;
    for number in 0..MESSAGES_MAX {
        let response = post(address, number);
        if response.status != 202 {
            oracle.note(number, Fate::Unknown);
            refused = Some(response);
            break;
        }
        oracle.note(number, Fate::Acknowledged);
    }
    let refused = refused.expect("the disk became full");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert!(oracle.acknowledged() > 50, "only {} messages fitted", oracle.acknowledged());
    assert_eq!(oracle.faults(address), Vec::<String>::new(), "reads go on");

    std::fs::remove_file(process.root().join(folder.path().strip_prefix("/").unwrap()).join("ballast")).unwrap();
    let start = Instant::now();
    let resumed = MESSAGES_MAX + 1;
    while post(address, resumed).status != 202 {
        assert!(start.elapsed() < PATIENCE, "service does not resume");
    }
    oracle.note(resumed, Fate::Acknowledged);
    assert_eq!(oracle.faults(address), Vec::<String>::new());
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}
