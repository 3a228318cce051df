//! Loss of power. kill -9 does not test it, because the page cache outlives a process: what counts is what was synced
//! before the 202, so the calls to the kernel are looked at, and the files are cut where the last sync ended.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::oracle::{Fate, Oracle, post};
use super::syscalls::{Call, calls, traced};
use crate::binary::{Process, zipkind};
use crate::support::http::{Request, send};

const MESSAGES: u64 = 20;
/// Bytes of the header of SQLite's write-ahead log.
const LOG_HEADER: u64 = 32;

/// A run under strace: the files as they were right after the last 202, the calls, the oracle.
struct Run {
    folder: tempfile::TempDir,
    calls: Vec<Call>,
    oracle: Oracle,
}

impl Run {
    /// Posts one message after the other, then kills the server before it can tidy up.
    fn new(synchronous: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (trace, path) = (folder.path().join("trace"), folder.path().join("zipkind.db"));
        let variables = [
            ("SERVER_ADDRESS", "127.0.0.1"),
            ("QUERY_PORT", "0"),
            ("LOG_FORMAT", "json"),
            ("STORAGE_TYPE", "sqlite"),
            ("SQLITE_PATH", path.to_str().unwrap()),
            ("SQLITE_SYNCHRONOUS", synchronous),
        ];
        let child = traced(&trace, &zipkind(folder.path(), &variables)).stdout(Stdio::piped()).spawn();
        let process = Process::from_child(child.expect("strace is installed (apt-get install strace)"));
        let mut oracle = Oracle::default();
        for number in 0..MESSAGES {
            assert_eq!(post(process.address(), number), Some(202));
            oracle.note(number, Fate::Acknowledged);
        }
        // The kill may swallow the line of the last call, so the last call is one of no interest.
        send(process.address(), &Request::new("GET", "/info")).unwrap();
        process.kill_tracee();
        Self { calls: calls(&trace), oracle, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// For each 202: did a sync of the log end between the last bytes of the request and the answer?
    fn acknowledged_after_sync(&self) -> Vec<bool> {
        let (mut verdicts, mut synced) = (Vec::new(), false);
        for call in &self.calls {
            match call {
                Call::Received(_) => synced = false,
                Call::Synced { path } if path.ends_with("-wal") => synced = true,
                Call::Sent(text) if text.starts_with("HTTP/1.1 202") => verdicts.push(synced),
                _ => {}
            }
        }
        verdicts
    }

    /// Where the log ended at its syncs, in their order, since it began anew last: what was in it before is in the database.
    fn synced_ends(&self) -> Vec<u64> {
        let (mut ends, mut written) = (Vec::new(), 0);
        for call in &self.calls {
            match call {
                Call::Written { path, end: LOG_HEADER } if path.ends_with("-wal") => {
                    written = LOG_HEADER;
                    ends.clear();
                }
                Call::Written { path, end } if path.ends_with("-wal") => written = written.max(*end),
                Call::Synced { path } if path.ends_with("-wal") => ends.push(written),
                _ => {}
            }
        }
        ends
    }

    /// A copy of the files, the log cut at `end`.
    fn cut_copy(&self, end: u64) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["zipkind.db", "zipkind.db-wal"] {
            std::fs::copy(self.path(name), copy.path().join(name)).unwrap();
        }
        let log = std::fs::OpenOptions::new().write(true).open(copy.path().join("zipkind.db-wal")).unwrap();
        log.set_len(end).unwrap();
        copy
    }
}

fn faults_of(oracle: &Oracle, folder: &Path) -> Vec<String> {
    let path = folder.join("zipkind.db");
    let variables = [("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path.to_str().unwrap())];
    let process = Process::start(folder, &variables);
    oracle.faults(process.address())
}

#[test]
fn each_202_comes_after_a_sync_of_the_log() {
    let run = Run::new("FULL");
    assert_eq!(run.acknowledged_after_sync(), vec![true; MESSAGES as usize]);
}

#[test]
fn with_lowered_durability_the_same_check_fails() {
    let run = Run::new("NORMAL");
    let verdicts = run.acknowledged_after_sync();
    assert_eq!(verdicts.len(), MESSAGES as usize);
    assert!(verdicts.contains(&false), "every 202 waited for a sync although nobody asked for it");
}

#[test]
fn files_cut_at_the_last_synced_byte_hold_everything_acknowledged() {
    let run = Run::new("FULL");
    let ends = run.synced_ends();
    let last = *ends.last().expect("the log was synced");
    assert_eq!(faults_of(&run.oracle, run.cut_copy(last).path()), Vec::<String>::new());
    // A cut in the middle must show, or this test could not fail.
    assert!(!faults_of(&run.oracle, run.cut_copy(last / 2).path()).is_empty());
}
