//! The commands of the documents do what they say.

use std::ffi::OsString;
use std::process::Command;

use clap::error::ErrorKind;
use zipkind::config::CommandLine;
use zipkind::storage::database_servers::{mysql_database, postgres_database};

use crate::binary::Process;

const README: &str = include_str!("../../README.md");
const MIGRATION: &str = include_str!("../../docs/MIGRATION.md");

/// The blocks of Bash that are marked as run by this file.
fn blocks(document: &'static str) -> Vec<&'static str> {
    let marked = document.split("<!-- tests/it/readme.rs runs this -->").skip(1);
    let block = |rest: &'static str| {
        let (_, rest) = rest.split_once("```bash\n").expect("a block follows");
        rest.split_once("```").expect("the block ends").0
    };
    marked.map(block).collect()
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
    let commands = blocks(README)[0];
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
    let post = blocks(README)[0].split("curl -sS localhost").next().unwrap();
    run(&post.replace("localhost:9411", &old.address().to_string()));
    let copy = blocks(MIGRATION)[0].replace("OLD:9411", &old.address().to_string());
    run(&copy.replace("NEW:9411", &new.address().to_string()).replace("ID", "5af7183fb1d4cf5f"));
    let traces = [&old, &new].map(|process| run(&format!("curl -sSf {}", url(process))));
    assert!(traces[0].len() > 2);
    assert_eq!(traces[0], traces[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_migration_copy_a_database_and_move_it_by_way_of_a_file() {
    let tables = crate::support::zipkin_tables();
    let from = mysql_database(&tables);
    let row = "INSERT INTO zipkin_spans (trace_id, id, name, start_ts) VALUES (7, 1, 'get', 1700000000000000)";
    let mut connection = <sqlx::MySqlConnection as sqlx::Connection>::connect(&from).await.unwrap();
    sqlx::raw_sql(row).execute(&mut connection).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zipkind.db");
    let commands = |block: &str| {
        let block = block.replace("mysql://zipkin:zipkin@db/zipkin", &from);
        let block = block.replace("/var/lib/zipkind/zipkind.db", file.to_str().unwrap());
        let block = block.replace("postgres://zipkind@db2/zipkind", &postgres_database());
        let start =
            format!("cd {}\nzipkind() {{ {} \"$@\"; }}\n", folder.path().display(), env!("CARGO_BIN_EXE_zipkind"));
        start + &block
    };
    let [_, copy, by_file] = blocks(MIGRATION)[..] else { panic!("three blocks are run") };
    for block in [copy, by_file] {
        let said = String::from_utf8(run(&commands(block))).unwrap();
        assert!(said.contains("1 spans"), "{said}");
    }
}

/// Commands between backticks, and those of blocks.
fn commands_of(document: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for (at, part) in document.split("```").enumerate() {
        let found: Vec<&str> = match at % 2 {
            0 => part.split('`').skip(1).step_by(2).collect(),
            _ => part.lines().map(|line| line.split(" | ").next().unwrap_or_default()).collect(),
        };
        commands.extend(found.into_iter().filter(|text| text.starts_with("zipkind ")).map(str::to_owned));
    }
    commands
}

#[test]
fn every_command_that_a_document_names_is_understood() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut commands = commands_of(README);
    commands.extend(texts.flat_map(|path| commands_of(&std::fs::read_to_string(path).unwrap())));
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words = command.replace("ADDRESS", "sqlite:x.db").replace("FILE", "x").replace(" ..", " earliest");
        let words = words.split_whitespace().map(|word| OsString::from(word.trim_matches('\'')));
        let refused = CommandLine::parse(words).err().map(|error| error.kind());
        // A document may name a command without all that it needs.
        let shown = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
        assert!(refused.is_none_or(|kind| shown.contains(&kind)), "{command}: {refused:?}");
    }
}

/// Whoever adds a block says here how it is tested.
#[test]
fn every_block_of_the_readme_is_run_or_is_how_the_tests_themselves_are_run() {
    let shown: Vec<&str> =
        README.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default().trim()).collect();
    let run = blocks(README)[0].trim();
    let others = ["cargo run --release", "SQLITE_PATH=~/.local/share/zipkind cargo run --release", "scripts/test"];
    let known: Vec<&str> = others.into_iter().chain([run]).collect();
    let unknown: Vec<&&str> = shown.iter().filter(|block| !known.contains(block)).collect();
    assert!(unknown.is_empty() && shown.len() == known.len(), "{unknown:?}");
}
