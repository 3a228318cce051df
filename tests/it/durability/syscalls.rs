//! What a process asks of the kernel, as `strace` writes it down.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// A finished call that matters here, in the order of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Bytes came in over a socket; the first of them.
    Received(String),
    /// Bytes went out over a socket; the first of them.
    Sent(String),
    /// A write to a file: its path, and where the write ended.
    Written { path: String, end: u64 },
    /// A file's data reached the disk.
    Synced { path: String },
}

/// A command that runs `program` under strace, writing to `trace`.
pub(crate) fn traced(trace: &Path, program: &Command) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "32", "-e"]);
    command.arg("trace=recvfrom,read,sendto,write,writev,pwrite64,pwritev,fdatasync,fsync").arg("-o").arg(trace);
    command.arg(program.get_program()).args(program.get_args());
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command.env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // strace itself is found by PATH.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// The calls of a trace.
pub(crate) fn calls(trace: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&std::fs::read(trace).expect("strace wrote its trace")).into_owned();
    // A call that another thread interrupts is written in two parts; both together are one line, at the second's place.
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start);
        } else if let Some((_, end)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let start = begun.remove(thread).unwrap_or_default();
            calls.extend(parse(&format!("{start}{end}")));
        } else {
            calls.extend(parse(call));
        }
    }
    calls
}

/// `pwrite64(15</tmp/zipkind.db-wal>, "..."..., 24, 32) = 24`
fn parse(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let result: i64 = result.split_whitespace().next()?.parse().ok()?;
    if result < 0 {
        return None;
    }
    let (_, rest) = arguments.split_once('<')?;
    let (path, rest) = rest.split_once('>')?;
    // strace writes a socket as <TCP:[here->there]>, so its path ends at the arrow.
    let is_socket = path.starts_with("TCP") || path.starts_with("socket");
    let text = || rest.split_once('"').map(|(_, text)| text.split('"').next().unwrap_or_default().to_owned());
    match name {
        // The end of a stream is nothing that came in: that of the connection before may be noticed at any time.
        "recvfrom" | "read" if is_socket => (result > 0).then(text)?.map(Call::Received),
        "sendto" | "write" | "writev" if is_socket => Some(Call::Sent(text()?)),
        "pwrite64" => {
            let offset: u64 = arguments.rsplit(", ").next()?.parse().ok()?;
            Some(Call::Written { path: path.to_owned(), end: offset + result as u64 })
        }
        "fdatasync" | "fsync" => Some(Call::Synced { path: path.to_owned() }),
        _ => None,
    }
}

#[test]
fn calls_are_read_whole_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let text = concat!(
        "10 recvfrom(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"POST /api\"..., 8192, 0, NULL, NULL) = 300\n",
        "11 pwrite64(15</d/z.db-wal>, \"\\0\\0\"..., 24, 4096) = 24\n",
        "11 fdatasync(15</d/z.db-wal> <unfinished ...>\n",
        "10 recvfrom(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, 0x7f, 8192, 0, NULL, NULL) = -1 EAGAIN (again)\n",
        "12 recvfrom(8<TCP:[127.0.0.1:1->127.0.0.1:3]>, \"\", 8192, 0, NULL, NULL) = 0\n",
        "11 <... fdatasync resumed>)            = 0\n",
        "10 writev(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, [{iov_base=\"HTTP/1.1 202\"..., iov_len=9}], 1) = 9\n",
    );
    std::fs::write(&trace, text).unwrap();
    let expected = [
        Call::Received("POST /api".to_owned()),
        Call::Written { path: "/d/z.db-wal".to_owned(), end: 4120 },
        Call::Synced { path: "/d/z.db-wal".to_owned() },
        Call::Sent("HTTP/1.1 202".to_owned()),
    ];
    assert_eq!(calls(&trace), expected);
}
