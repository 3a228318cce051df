//! `zipkind store ...`: the embedded database looked at from outside.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::bail;

use crate::codec::json_v2;
use crate::config::{StorageConfig, StorageKind, StoreCommand};
use crate::storage::SqliteInspector;

/// Does what was asked, and writes what there is to tell; whether all is well.
///
/// # Errors
/// When the storage is another one, or the file cannot be read.
pub fn inspect_store(config: &StorageConfig, command: &StoreCommand, output: impl Write) -> anyhow::Result<bool> {
    if config.kind != StorageKind::Sqlite {
        bail!("STORAGE_TYPE is {:?}: there is no file to look at", config.kind.name());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&config.sqlite.path, command, BufWriter::new(output)))
}

async fn run(path: &Path, command: &StoreCommand, mut output: impl Write) -> anyhow::Result<bool> {
    if let StoreCommand::Backup { file } = command {
        SqliteInspector::backup(path, file).await?;
        return Ok(true);
    }
    let inspector = SqliteInspector::open(path).await?;
    let mut is_well = true;
    match command {
        StoreCommand::Stats | StoreCommand::Backup { .. } => {
            for (name, value) in inspector.figures().await? {
                writeln!(output, "{name} {value}")?;
            }
        }
        StoreCommand::Check => {
            let problems = inspector.check().await?;
            is_well = problems.is_empty();
            problems.iter().try_for_each(|problem| writeln!(output, "{problem}"))?;
            writeln!(output, "{} problems", problems.len())?;
        }
        StoreCommand::Export => {
            let mut line = Vec::new();
            let mut written = Ok(());
            let emit = |spans: &crate::model::SpanBatch| {
                line.clear();
                json_v2::write_spans(spans, &mut line);
                line.push(b'\n');
                if written.is_ok() {
                    written = output.write_all(&line);
                }
            };
            inspector.export(emit).await?;
            written?;
        }
    }
    output.flush()?;
    Ok(is_well)
}
