//! Everything that can be set, from all sources, as plain structs that the parts own.
//!
//! Only this module reads the environment. Each variable is one row of [`variables`]; all problems are found at once.

mod command_line;
mod files;
mod parts;
mod placeholder;
mod reader;
mod secret;
mod sources;
mod store_address;
mod store_command;
mod text;
pub mod variables;

use std::fmt;
use std::path::Path;

pub use command_line::CommandLine;
pub use parts::{ServerConfig, StorageConfig, StorageKind};
pub use secret::Secret;
pub use sources::{EnvSource, ProcessEnv};
pub use store_address::StoreAddress;
pub use store_command::{
    CopyArguments, ExportArguments, ImportArguments, MigrateArguments, StoreCommand, TimeBound, WindowArguments,
};

use crate::api::ApiConfig;
use crate::ingest::IngestConfig;
use crate::query::QueryConfig;
use crate::telemetry::log::LogConfig;
use crate::telemetry::self_tracing::SelfTracingConfig;
use crate::transport::grpc::GrpcCollectorConfig;
use crate::transport::http::HttpCollectorConfig;
use crate::transport::kafka::KafkaConfig;
use crate::transport::otlp::OtlpConfig;
use crate::web::edge::EdgeConfig;
use crate::web::limits::{BodyLimits, ServerLimits};
use reader::Reader;
use variables::{Effect, Preset};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listening, ending.
    pub server: ServerConfig,
    /// Logs.
    pub log: LogConfig,
    /// Spans of own calls.
    pub self_tracing: SelfTracingConfig,
    /// Where spans rest.
    pub storage: StorageConfig,
    /// The buffer.
    pub ingest: IngestConfig,
    /// Most bytes of all messages under way.
    pub ingest_memory_bytes: usize,
    /// What a connection may cost.
    pub limits: ServerLimits,
    /// What a request body may cost.
    pub body: BodyLimits,
    /// The HTTP collector.
    pub http_collector: HttpCollectorConfig,
    /// Zipkin's gRPC collector.
    pub grpc_collector: GrpcCollectorConfig,
    /// The OTLP collectors.
    pub otlp: OtlpConfig,
    /// The Kafka collector.
    pub kafka: KafkaConfig,
    /// The read side.
    pub query: QueryConfig,
    /// What is served, and what the UI is told.
    pub api: ApiConfig,
    /// The layers all routes share.
    pub edge: EdgeConfig,
    /// Effective values, to be logged.
    pub settings: Vec<Setting>,
    /// What is set and has no effect, and other things someone should know: a line each.
    pub notes: Vec<String>,
}

/// An effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Variable or property.
    pub name: String,
    /// Its value without secrets; empty when not set.
    pub value: String,
    /// What set it.
    pub source: String,
}

impl Setting {
    fn new(name: String, value: String, source: String) -> Self {
        Self { name, value, source }
    }

    /// True when nobody set it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.source == reader::DEFAULT
    }
}

/// Something that must be put right before the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    name: String,
    reason: String,
}

impl Problem {
    fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl fmt::Display for Examined {
    /// A line for each value, with what set it where that is not the default; then notes, then problems.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Setting { name, value, source } in &self.settings {
            writeln!(
                f,
                "{name}={value}{}",
                if source == reader::DEFAULT { String::new() } else { format!("  # {source}") }
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        match &self.outcome {
            Ok(_) => writeln!(f, "the configuration is right"),
            Err(errors) => {
                for problem in &errors.0 {
                    writeln!(f, "problem: {problem}")?;
                }
                Ok(())
            }
        }
    }
}

/// All problems of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// What `--check-config` prints: effective values, notes, and the configuration or what is wrong with it.
#[derive(Debug)]
pub struct Examined {
    /// Effective values, in the order of the reference.
    pub settings: Vec<Setting>,
    /// As in [`Config::notes`].
    pub notes: Vec<String>,
    /// The configuration, if there is no problem.
    pub outcome: Result<Config, ConfigErrors>,
}

impl Config {
    /// Reads arguments (as properties), the environment and files of the working directory.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(properties: &[(String, String)], env: &dyn EnvSource, directory: &Path) -> Result<Self, ConfigErrors> {
        Self::examine(properties, env, directory).outcome
    }

    /// As [`Config::load`], and tells the effective values even when there are problems.
    pub fn examine(properties: &[(String, String)], env: &dyn EnvSource, directory: &Path) -> Examined {
        let gathered = sources::gather(properties, env, directory);
        let mut notes = without_effect(&gathered);
        let mut reader = Reader::new(gathered.values, gathered.problems);
        let parts = parts::read(&mut reader, env, &mut notes);
        let (settings, problems) = reader.finish();
        let outcome = if problems.is_empty() {
            Ok(Self { settings: settings.clone(), notes: notes.clone(), ..parts })
        } else {
            Err(ConfigErrors(problems))
        };
        Examined { settings, notes, outcome }
    }
}

/// A line for each value that is set and does nothing.
fn without_effect(gathered: &sources::Gathered) -> Vec<String> {
    let mut notes = Vec::new();
    for variable in variables::all() {
        let Effect::Nothing(reason) = variable.effect else { continue };
        let is_set = |name: &str| match variable.prefix() {
            Some(prefix) => name.starts_with(prefix),
            None => name == sources::key(variable),
        };
        // A value that says what holds anyway asks for nothing.
        let asks = |text: &str| variable.default != Preset::Text("false") || text != "false";
        for (name, found) in gathered.values.iter().filter(|(name, found)| is_set(name) && asks(&found.text)) {
            notes.push(format!("{name} has no effect: {reason} ({})", found.source));
        }
    }
    for (source, names) in &gathered.unknown {
        notes.push(format!("unknown names have no effect: {} ({source})", names.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests;
