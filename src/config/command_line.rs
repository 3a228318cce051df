//! The command line: a few options, and any property as `--zipkin.x.y=value`.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use super::store_command::StoreCommand;
use crate::transport::kafka::tasks::KafkaTask;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Print the effective configuration and every problem, and end.
    pub check_config: bool,
    /// Ask the server that runs with this configuration for its health, and end.
    pub health: bool,
    /// Do something with Kafka, and end.
    pub kafka: Option<KafkaTask>,
    /// Do something with stores, and end.
    pub store: Option<StoreCommand>,
    /// Properties given as arguments, the last of a name wins.
    pub properties: Vec<(String, String)>,
}

/// Distributed-tracing collector, store and UI: a drop-in for zipkin-server in one binary.
///
/// Settings come from arguments (--zipkin.storage.type=mem), environment variables (STORAGE_TYPE=mem), and the files
/// zipkin-server.properties, zipkin-server.yml and zipkind.toml in the working directory. README.md lists them all.
#[derive(Debug, Parser)]
#[command(name = "zipkind", version, verbatim_doc_comment)]
struct Options {
    /// Print the effective configuration without secrets and every problem at once; status 1 when there is one.
    #[arg(long)]
    check_config: bool,
    /// Ask the server that runs with this configuration for its health; status 1 when it is not up.
    #[arg(long, conflicts_with = "check_config")]
    health: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Looks at what the Kafka collector reads, and changes it.
    #[command(subcommand)]
    Kafka(KafkaTask),
    /// Looks at stores, moves spans between them and files, makes tables.
    #[command(subcommand)]
    Store(StoreCommand),
}

impl CommandLine {
    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// What to print instead of starting: help, version, or what is wrong. `exit_code` of the error tells which.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut properties = Vec::new();
        let mut others = Vec::new();
        for argument in arguments {
            match argument.to_str().and_then(property) {
                Some(property) => properties.push(property),
                None => others.push(argument),
            }
        }
        let options = Options::try_parse_from(others)?;
        let (kafka, store) = match options.command {
            Some(Command::Kafka(task)) => (Some(task), None),
            Some(Command::Store(command)) => (None, Some(command)),
            None => (None, None),
        };
        Ok(Self { check_config: options.check_config, health: options.health, kafka, store, properties })
    }
}

/// `--a.b=value`; without a value it is a flag that is switched on.
fn property(argument: &str) -> Option<(String, String)> {
    let (name, value) = match argument.strip_prefix("--")?.split_once('=') {
        Some((name, value)) => (name, value),
        None => (argument.strip_prefix("--")?, "true"),
    };
    name.contains('.').then(|| (name.to_owned(), value.to_owned()))
}
