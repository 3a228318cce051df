//! The `zipkind` binary: reads the configuration, starts the server, ends it on a signal.

use std::io::Write;
use std::process::ExitCode;

use zipkind::config::{CommandLine, Config, ProcessEnv, StoreCommand};
use zipkind::server;
use zipkind::transport::kafka::tasks::KafkaTask;

/// What stops a start: a wrong configuration, a store that does not open, a port that is taken.
const EXIT_NOT_STARTED: u8 = 1;

fn main() -> ExitCode {
    let command_line = match CommandLine::parse(std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version come here too, for standard output; nobody may be reading.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_NOT_STARTED) } else { ExitCode::SUCCESS };
        }
    };
    let directory = std::env::current_dir().unwrap_or_default();
    let examined = Config::examine(&command_line.properties, &ProcessEnv, &directory);
    if command_line.check_config {
        let _ = write!(std::io::stdout(), "{examined}");
        return if examined.outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_STARTED) };
    }
    let config = match examined.outcome {
        Ok(config) => config,
        Err(errors) => {
            let _ = writeln!(std::io::stderr(), "the configuration is wrong:\n{errors}");
            return ExitCode::from(EXIT_NOT_STARTED);
        }
    };
    if let Some(task) = &command_line.kafka {
        return do_kafka_task(&config, task);
    }
    if let Some(command) = &command_line.store {
        return do_store_command(&config, command);
    }
    if command_line.health { ask_for_health(&config) } else { start(config) }
}

fn do_kafka_task(config: &Config, task: &KafkaTask) -> ExitCode {
    match server::run_kafka_task(config, task) {
        Ok(answer) => {
            let _ = write!(std::io::stdout(), "{answer}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason:#}");
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

fn do_store_command(config: &Config, command: &StoreCommand) -> ExitCode {
    match server::run_store_command(config, command, std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_NOT_STARTED),
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason:#}");
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

fn ask_for_health(config: &Config) -> ExitCode {
    match server::ask_for_health(&config.server) {
        Ok(answer) => {
            let _ = writeln!(std::io::stdout(), "{answer}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason:#}");
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

fn start(config: Config) -> ExitCode {
    match server::run_until_signal(config) {
        Ok(ending) => ending.exit_code(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "zipkind did not start: {error:#}");
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}
