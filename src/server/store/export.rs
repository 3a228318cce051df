//! All spans of a store as JSON lines.

use std::io::Write;

use super::open::{Source, chosen};
use super::pages::Pages;
use super::progress::Progress;
use crate::codec::json_v2;
use crate::config::{ExportArguments, StorageConfig};
use crate::telemetry::{Clock, SystemClock};

/// Spans of a line, at most: what a server takes as one message.
const LINE_SPANS_MAX: usize = 10_000;

/// Writes a line for each trace, several for one that is too large.
pub(super) async fn export(
    base: &StorageConfig,
    arguments: &ExportArguments,
    output: &mut impl Write,
) -> anyhow::Result<bool> {
    let source = Source::open(&chosen(base, arguments.from.as_ref())?).await?;
    let window_ms = arguments.window.window_ms(SystemClock.now_ms());
    let mut pages = Pages::read(source, None, window_ms);
    let mut progress = Progress::new("exported", 0);
    let (mut line, mut damaged) = (Vec::new(), 0);
    while let Some(page) = pages.next().await? {
        damaged += page.damaged;
        for trace in &page.traces {
            for from in (0..trace.len()).step_by(LINE_SPANS_MAX) {
                line.clear();
                if trace.len() <= LINE_SPANS_MAX {
                    json_v2::write_spans(trace, &mut line);
                } else {
                    json_v2::write_spans(&trace.slice(from, from + LINE_SPANS_MAX), &mut line);
                }
                line.push(b'\n');
                output.write_all(&line)?;
            }
        }
        progress.page(&page, page.spans());
    }
    output.flush()?;
    progress.end();
    if damaged > 0 {
        progress.note(&format!("{damaged} traces or parts of the store are damaged and were left out"));
    }
    Ok(damaged == 0)
}
