//! JSON lines into a store.

mod lines;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;
use tokio::sync::mpsc;

use self::lines::{Item, Lines};
use super::open::{chosen, target};
use super::progress::Progress;
use super::write;
use crate::config::{Config, ImportArguments};
use crate::model::SpanBatch;

/// Spans that are written together.
const WRITE_SPANS: usize = 5_000;
/// Decoded lines that wait, and bad lines that are named.
const LINES_AHEAD: usize = 8;
const NAMED_MAX: u64 = 100;

/// What there is to tell at the end.
#[derive(Debug, Default)]
struct Totals {
    lines: u64,
    bad: u64,
    refused: u64,
}

/// Imports; true when nothing was left out.
pub(super) async fn import(
    config: &Config,
    arguments: &ImportArguments,
    output: &mut impl Write,
) -> anyhow::Result<bool> {
    let store = chosen(&config.storage, arguments.to.as_ref())?;
    let input = open(&arguments.file).with_context(|| arguments.file.display().to_string())?;
    let target = target(&store).await?;
    let (sender, mut items) = mpsc::channel(LINES_AHEAD);
    let limits = config.http_collector.decode;
    let bytes_max = config.body.inflated_bytes_max;
    let reading = tokio::task::spawn_blocking(move || {
        // Ends early when nobody takes the lines any more.
        for item in Lines::new(input, limits, bytes_max) {
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
    let mut totals = Totals::default();
    let mut progress = Progress::new("imported", 0);
    let mut waiting = Waiting::default();
    while let Some(Item { line, spans }) = items.recv().await {
        totals.lines += 1;
        match spans {
            Ok(spans) => waiting.add(line, &spans),
            Err(reason) => {
                totals.bad += 1;
                name(&progress, totals.bad, &format!("line {line}: {reason}"));
            }
        }
        if waiting.spans.len() >= WRITE_SPANS {
            waiting.store(&*target, &mut progress, &mut totals).await?;
        }
    }
    waiting.store(&*target, &mut progress, &mut totals).await?;
    reading.await.context("reading")?;
    progress.end();
    target.close().await;
    writeln!(output, "imported {} spans of {} lines ({})", progress.spans(), totals.lines, progress.pace())?;
    if totals.bad > 0 {
        writeln!(output, "{} lines could not be read and were left out", totals.bad)?;
    }
    if totals.refused > 0 {
        writeln!(output, "{} spans were refused by the store", totals.refused)?;
    }
    Ok(totals.bad == 0 && totals.refused == 0)
}

fn open(file: &Path) -> std::io::Result<Box<dyn Read + Send>> {
    if file == Path::new("-") { Ok(Box::new(std::io::stdin())) } else { Ok(Box::new(File::open(file)?)) }
}

fn name(progress: &Progress, count: u64, text: &str) {
    if count <= NAMED_MAX {
        progress.note(text);
    }
}

/// Spans that are to be written, and the lines they came from.
#[derive(Debug, Default)]
struct Waiting {
    spans: SpanBatch,
    /// Line number, and where its spans end.
    lines: Vec<(u64, usize)>,
}

impl Waiting {
    fn add(&mut self, line: u64, spans: &SpanBatch) {
        self.spans.append(spans);
        self.lines.push((line, self.spans.len()));
    }

    async fn store(
        &mut self,
        target: &dyn crate::storage::StorageBackend,
        progress: &mut Progress,
        totals: &mut Totals,
    ) -> anyhow::Result<()> {
        let Self { spans, lines } = std::mem::take(self);
        if spans.is_empty() {
            return Ok(());
        }
        let refused = write::write(target, &spans, None).await.with_context(|| {
            let first = lines.first().map_or(0, |(line, _)| *line);
            format!("lines before {first} are stored; doing it again doubles nothing")
        })?;
        for (span, reason) in refused.iter().flat_map(|(spans, reason)| spans.iter().map(move |span| (span, reason))) {
            totals.refused += 1;
            let at = spans.records().position(|record| record == span.record()).unwrap_or(0);
            let line = lines.iter().find(|(_, end)| at < *end).map_or(0, |(line, _)| *line);
            name(progress, totals.refused, &format!("line {line}: {}: {reason}", write::name_of(&span)));
        }
        let taken = refused.iter().map(|(spans, _)| spans.len()).sum::<usize>();
        progress.add(lines.len(), spans.len() - taken);
        Ok(())
    }
}
