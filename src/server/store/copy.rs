//! Spans from one store into another.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::open::{Source, chosen, identity, shown, target};
use super::pages::Pages;
use super::progress::Progress;
use super::state::State;
use super::{verify, write};
use crate::config::{CopyArguments, StorageConfig};
use crate::model::SpanBatch;
use crate::storage::{ErrorKind, ScanPage, StorageBackend, StorageError};
use crate::telemetry::{Clock, SystemClock};

/// Spans that are named because something is wrong with them.
const NAMED_MAX: u64 = 20;
/// How often a copy looks where the one before it ended.
const TRIES_MAX: usize = 3;

/// What there is to tell at the end.
#[derive(Debug, Default)]
struct Totals {
    refused: u64,
    damaged: u64,
    checked: u64,
    missing: u64,
    /// Spans that the written store's server will remove because they are too old.
    old: u64,
}

/// Copies; true when nothing was left out and everything is there.
pub(super) async fn copy(
    base: &StorageConfig,
    arguments: &CopyArguments,
    output: &mut impl Write,
) -> anyhow::Result<bool> {
    let (from, to) = (chosen(base, arguments.from.as_ref())?, chosen(base, arguments.to.as_ref())?);
    if identity(&from) == identity(&to) && from.mysql.layout == to.mysql.layout {
        bail!("both stores are {}", shown(&from));
    }
    let target = target(&to).await.with_context(|| shown(&to))?;
    let mut tries = 0;
    loop {
        let source = Source::open(&from).await.with_context(|| shown(&from))?;
        let copied = Copy::begin(&from, &to, arguments, Arc::clone(&target)).await?.run(source, output).await;
        tries += 1;
        if tries == TRIES_MAX || !copied.as_ref().is_err_and(|error| error.is::<Overtaken>()) {
            return copied.with_context(|| format!("{} to {}", shown(&from), shown(&to)));
        }
    }
}

/// The place was moved after it was read and before the first write: by a copy that was killed while its last page was being
/// committed, or by one that is under way.
#[derive(Debug, thiserror::Error)]
#[error("another copy of the same into this store is under way")]
pub(super) struct Overtaken;

/// A copy under way.
pub(super) struct Copy {
    target: Arc<dyn StorageBackend>,
    state: State,
    progress: Progress,
    totals: Totals,
    window_ms: Option<(i64, i64)>,
    is_checked: bool,
    /// Spans that began before are too old for the written store.
    kept_from_ms: i64,
    before: u64,
}

impl Copy {
    pub(super) async fn begin(
        from: &StorageConfig,
        to: &StorageConfig,
        arguments: &CopyArguments,
        target: Arc<dyn StorageBackend>,
    ) -> anyhow::Result<Self> {
        if !target.capabilities().source_positions {
            bail!("the store {} keeps no positions", target.name());
        }
        let now_ms = SystemClock.now_ms();
        let window = format!("{:?} {:?}", arguments.window.since, arguments.window.until);
        let source = format!("{} {:?}", identity(from), from.mysql.layout);
        let mut state = State::load(&*target, &source, &window).await?;
        if arguments.restart {
            state.restart();
        }
        let before = state.spans_before();
        // Zipkin's tables are left alone unless somebody asked for it.
        let is_emptied = target.capabilities().exact_duplicates || to.mysql.retention_of_zipkin;
        let max_age = to.sqlite.retention_max_age.filter(|_| is_emptied);
        let age_ms = max_age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let copy = Self {
            progress: Progress::new("copied", before),
            target,
            totals: Totals::default(),
            window_ms: arguments.window.window_ms(now_ms),
            is_checked: !arguments.no_check,
            kept_from_ms: age_ms.map_or(i64::MIN, |age_ms| now_ms.saturating_sub(age_ms)),
            state,
            before,
        };
        if copy.state.after.is_some() {
            copy.progress.note(&format!("an interrupted copy goes on behind {before} spans"));
        }
        Ok(copy)
    }

    /// Copies, and tells what was done: also when it ends early.
    pub(super) async fn run(mut self, source: Source, output: &mut impl Write) -> anyhow::Result<bool> {
        let done = self.copy_pages(source).await;
        self.progress.end();
        match done {
            Err(error) if error.is::<Overtaken>() => Err(error),
            Err(error) => {
                self.tell(output)?;
                output.flush()?;
                Err(error)
            }
            Ok(()) => {
                self.target.close().await;
                self.tell(output)
            }
        }
    }

    async fn copy_pages(&mut self, source: Source) -> anyhow::Result<()> {
        let mut pages = Pages::read(source, self.state.after, self.window_ms);
        let mut written: Option<Written> = None;
        while let Some(page) = pages.next().await.context("reading; the same command goes on from here")? {
            // What was written last is read back while this is written.
            let spans = all_spans(&page);
            let check = check(Arc::clone(&self.target), written.take(), self.is_checked);
            let (stored, checked) = tokio::join!(self.write(&page, &spans), check);
            self.note_checked(checked?);
            written = Some(Written { refused: stored?, spans });
        }
        let checked = check(Arc::clone(&self.target), written, self.is_checked).await?;
        self.note_checked(checked);
        Ok(())
    }

    async fn write(&mut self, page: &ScanPage, spans: &SpanBatch) -> anyhow::Result<Vec<(SpanBatch, String)>> {
        self.totals.damaged += page.damaged as u64;
        self.totals.old += spans.iter().filter(|span| is_before(span.timestamp_ms(), self.kept_from_ms)).count() as u64;
        // Nothing to keep, nothing to remember: the next page moves the position.
        if spans.is_empty() && page.next.is_some() {
            self.progress.page(page, 0);
            return Ok(Vec::new());
        }
        let position = self.state.position(spans.len(), page.next);
        let refused = match write::write(&*self.target, spans, Some(position.clone())).await {
            Err(error) if error.kind == ErrorKind::StalePosition && self.progress.spans() == 0 => {
                return Err(Overtaken.into());
            }
            written => written.map_err(explain)?,
        };
        self.state.moved(&position);
        for (span, reason) in &refused {
            self.totals.refused += span.len() as u64;
            if self.totals.refused <= NAMED_MAX {
                span.iter().for_each(|span| self.progress.note(&format!("{}: {reason}", write::name_of(&span))));
            }
        }
        self.progress.page(page, spans.len());
        Ok(refused)
    }

    fn note_checked(&mut self, (checked, missing): (u64, SpanBatch)) {
        self.totals.checked += checked;
        for span in missing.iter() {
            self.totals.missing += 1;
            if self.totals.missing <= NAMED_MAX {
                self.progress.note(&format!("{} is missing", write::name_of(&span)));
            }
        }
    }

    fn tell(&self, output: &mut impl Write) -> anyhow::Result<bool> {
        let Totals { refused, damaged, checked, missing, old } = self.totals;
        let (traces, spans) = (self.progress.traces(), self.progress.spans());
        writeln!(output, "copied {traces} traces, {spans} spans ({})", self.progress.pace())?;
        if self.before > 0 {
            writeln!(output, "before this run {} spans were copied, {} in all", self.before, self.before + spans)?;
        }
        if self.is_checked {
            writeln!(output, "read back {checked} spans, {missing} missing")?;
            if checked < self.before + spans {
                writeln!(
                    output,
                    "{} spans of this copy were not read back by this run",
                    self.before + spans - checked
                )?;
            }
        }
        if refused > 0 {
            writeln!(output, "{refused} spans were refused by the store they were copied to")?;
        }
        if damaged > 0 {
            writeln!(output, "{damaged} traces or parts of the store are damaged and were left out")?;
        }
        if old > 0 {
            writeln!(output, "{old} spans are older than RETENTION_MAX_AGE: a server on that store removes them")?;
        }
        Ok(refused == 0 && damaged == 0 && missing == 0)
    }
}

/// A page that is stored.
struct Written {
    spans: SpanBatch,
    refused: Vec<(SpanBatch, String)>,
}

fn all_spans(page: &ScanPage) -> SpanBatch {
    let bytes = page.traces.iter().map(SpanBatch::record_bytes).sum();
    let mut spans = SpanBatch::with_capacity(page.spans(), bytes);
    page.traces.iter().for_each(|trace| spans.append(trace));
    spans
}

/// How many spans were looked for, and those that were not found.
async fn check(
    target: Arc<dyn StorageBackend>,
    written: Option<Written>,
    is_checked: bool,
) -> anyhow::Result<(u64, SpanBatch)> {
    let Some(Written { spans, refused }) = written.filter(|_| is_checked) else { return Ok((0, SpanBatch::new())) };
    let missing = verify::missing(&*target, &spans, &refused).await.context("reading back")?;
    Ok((spans.len() as u64, missing))
}

fn is_before(timestamp_ms: i64, kept_from_ms: i64) -> bool {
    timestamp_ms > 0 && timestamp_ms < kept_from_ms
}

fn explain(error: StorageError) -> anyhow::Error {
    let advice = match error.kind {
        ErrorKind::StalePosition => "another copy of the same into this store is under way",
        _ => "the same command goes on from here",
    };
    anyhow::Error::new(error).context(format!("writing; {advice}"))
}
