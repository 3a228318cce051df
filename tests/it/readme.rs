//! The commands of the documents do what they say.

use std::process::Command;

use crate::binary::Process;

/// The first block of Bash after the mark that this file runs it.
fn block(document: &'static str) -> &'static str {
    let (_, rest) = document.split_once("<!-- tests/it/readme.rs runs this -->").expect("the document has the mark");
    let (_, rest) = rest.split_once("```bash\n").expect("a block follows");
    rest.split_once("```").expect("the block ends").0
}

fn run(commands: &str) -> Vec<u8> {
    let output = Command::new("bash").args(["-euc", commands]).output().expect("bash and curl are there");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn the_commands_of_the_readme_post_a_trace_and_read_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let process = Process::start(directory.path(), &[("SQLITE_PATH", data)]);
    let commands = block(include_str!("../../README.md"));
    assert_eq!(commands.matches("localhost:9411").count(), 2);
    let output = run(&commands.replace("localhost:9411", &process.address().to_string()));
    let trace: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(trace[0]["traceId"], "5af7183fb1d4cf5f");
    assert_eq!(trace[0]["localEndpoint"]["serviceName"], "shop");
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn the_command_of_the_migration_copies_a_trace() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |directory: &tempfile::TempDir| Process::start(directory.path(), &[("STORAGE_TYPE", "mem")]);
    let [old, new] = [start(&directories[0]), start(&directories[1])];
    let url = |process: &Process| format!("{}/api/v2/trace/5af7183fb1d4cf5f", process.address());
    let post = block(include_str!("../../README.md")).split("curl -sS localhost").next().unwrap();
    run(&post.replace("localhost:9411", &old.address().to_string()));
    let copy = block(include_str!("../../docs/MIGRATION.md")).replace("OLD:9411", &old.address().to_string());
    run(&copy.replace("NEW:9411", &new.address().to_string()).replace("ID", "5af7183fb1d4cf5f"));
    let traces = [&old, &new].map(|process| run(&format!("curl -sSf {}", url(process))));
    assert!(traces[0].len() > 2);
    assert_eq!(traces[0], traces[1]);
}
