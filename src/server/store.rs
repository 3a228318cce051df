//! `zipkind store ...`: stores looked at from outside, copied, written to files and read from them.

mod copy;
mod export;
mod import;
mod migrate;
mod open;
mod pages;
mod progress;
mod state;
mod verify;
mod write;

use std::io::{BufWriter, Write};

use anyhow::{Context, bail};

use crate::config::{Config, StorageConfig, StorageKind, StoreCommand};
use crate::storage::SqliteInspector;

/// Does what was asked, and writes what there is to tell; whether all is well. Progress goes to standard error.
///
/// # Errors
/// When a store cannot be opened, read or written.
pub fn run_store_command(config: &Config, command: &StoreCommand, output: impl Write) -> anyhow::Result<bool> {
    let mut output = BufWriter::new(output);
    let is_well = to_its_end(async {
        match command {
            StoreCommand::Stats | StoreCommand::Check | StoreCommand::Backup { .. } => {
                inspect(&config.storage, command, &mut output).await
            }
            StoreCommand::Export(arguments) => export::export(&config.storage, arguments, &mut output).await,
            StoreCommand::Import(arguments) => import::import(config, arguments, &mut output).await,
            StoreCommand::Copy(arguments) => copy::copy(&config.storage, arguments, &mut output).await,
            StoreCommand::Migrate(arguments) => migrate::migrate(&config.storage, arguments, &mut output).await,
        }
    })?;
    output.flush()?;
    Ok(is_well)
}

/// Runs something on a runtime of its own, and waits for nothing else: who reads the standard input cannot be told to end.
fn to_its_end<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// What only the embedded database offers.
async fn inspect(config: &StorageConfig, command: &StoreCommand, output: &mut impl Write) -> anyhow::Result<bool> {
    if config.kind != StorageKind::Sqlite {
        bail!("STORAGE_TYPE is {:?}: there is no file to look at", config.kind.name());
    }
    let path = &config.sqlite.path;
    if let StoreCommand::Backup { file } = command {
        SqliteInspector::backup(path, file).await?;
        return Ok(true);
    }
    let inspector = SqliteInspector::open(path).await?;
    if *command == StoreCommand::Check {
        let problems = inspector.check().await?;
        problems.iter().try_for_each(|problem| writeln!(output, "{problem}"))?;
        writeln!(output, "{} problems", problems.len())?;
        return Ok(problems.is_empty());
    }
    for (name, value) in inspector.figures().await? {
        writeln!(output, "{name} {value}")?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
