//! Structured logs on standard output: text for people, JSON for collectors of logs.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What is logged, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Least severe level that is logged.
    pub level: LogLevel,
    /// Levels of single modules, by path (`zipkind::storage`), which win over `level`.
    pub targets: Vec<(String, LogLevel)>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel(LevelFilter::INFO), targets: Vec::new() }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of time, level, module, message and fields.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("is neither \"text\" nor \"json\"".to_owned()),
        }
    }
}

/// A level of severity, in the spelling of either world (`FATAL` is error, `FALSE` is off).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(LevelFilter);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text.to_ascii_lowercase().as_str() {
            "trace" | "all" => LevelFilter::TRACE,
            "debug" => LevelFilter::DEBUG,
            "info" => LevelFilter::INFO,
            "warn" | "warning" => LevelFilter::WARN,
            "error" | "fatal" => LevelFilter::ERROR,
            "off" | "false" => LevelFilter::OFF,
            _ => return Err("is none of trace, debug, info, warn, error, off".to_owned()),
        };
        Ok(Self(level))
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// When logging was started before.
pub fn init(config: &LogConfig) -> Result<(), TryInitError> {
    let filter = filter(config);
    let registry = tracing_subscriber::registry();
    match config.format {
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stdout());
            registry.with(tracing_subscriber::fmt::layer().with_ansi(ansi).with_filter(filter)).try_init()
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
            registry.with(layer.with_filter(filter)).try_init()
        }
    }
}

fn filter(config: &LogConfig) -> Targets {
    let targets = config.targets.iter().map(|(target, level)| (target.clone(), level.0));
    Targets::new().with_default(config.level.0).with_targets(targets)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_module_may_be_louder_than_the_rest() {
        let targets = vec![("zipkind::storage".to_owned(), "DEBUG".parse().unwrap())];
        let filter = filter(&LogConfig { targets, level: "warn".parse().unwrap(), ..LogConfig::default() });
        assert!(filter.would_enable("zipkind::storage::sqlite", &Level::DEBUG));
        assert!(!filter.would_enable("zipkind::server", &Level::INFO));
        assert!(filter.would_enable("hyper", &Level::WARN));
    }

    #[test]
    fn levels_of_either_world_are_understood() {
        assert_eq!("FATAL".parse::<LogLevel>().unwrap().0, LevelFilter::ERROR);
        assert_eq!("Off".parse::<LogLevel>().unwrap().0, LevelFilter::OFF);
        assert_eq!("loud".parse::<LogLevel>().unwrap_err(), "is none of trace, debug, info, warn, error, off");
    }
}
