//! The README's commands do what it says.

use std::process::Command;

use crate::binary::Process;

/// The first block of Bash after a mark.
fn block_after(mark: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once(mark).expect("the README has the mark");
    let (_, rest) = rest.split_once("```bash\n").expect("a block follows");
    rest.split_once("```").expect("the block ends").0
}

#[test]
fn the_commands_of_the_readme_post_a_trace_and_read_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let process = Process::start(directory.path(), &[("SQLITE_PATH", data)]);
    let commands = block_after("<!-- tests/it/readme.rs runs this -->");
    assert_eq!(commands.matches("localhost:9411").count(), 2);
    let commands = commands.replace("localhost:9411", &process.address().to_string());
    let output = Command::new("bash").args(["-euc", &commands]).output().expect("bash and curl are there");
    assert!(output.status.success(), "{output:?}");
    let trace: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(trace[0]["traceId"], "5af7183fb1d4cf5f");
    assert_eq!(trace[0]["localEndpoint"]["serviceName"], "shop");
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}
