//! What a long command tells meanwhile: one line that is written anew on a terminal, else a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::storage::ScanPage;

const ON_TERMINAL: Duration = Duration::from_millis(500);
const IN_LOG: Duration = Duration::from_secs(10);
/// Below this nothing is said about the rest.
const SHARE_LEAST: f64 = 0.001;

/// How far it is.
#[derive(Debug)]
pub(super) struct Progress {
    verb: &'static str,
    start: Instant,
    told: Instant,
    is_terminal: bool,
    traces: u64,
    spans: u64,
    /// Spans that earlier runs did.
    before: u64,
    share: Option<f64>,
    /// The share that the first page of this run ended with, and when.
    first: Option<(f64, Instant)>,
}

impl Progress {
    pub(super) fn new(verb: &'static str, before: u64) -> Self {
        let now = Instant::now();
        let is_terminal = std::io::stderr().is_terminal();
        Self { verb, start: now, told: now, is_terminal, traces: 0, spans: 0, before, share: None, first: None }
    }

    /// A page is done.
    pub(super) fn page(&mut self, page: &ScanPage, spans: usize) {
        let read = (self.before + self.spans) as f64 + spans as f64;
        let by_count = page.spans_about.filter(|all| *all > 0).map(|all| (read / all as f64).min(1.0));
        self.share = page.share.or(by_count);
        self.add(page.traces.len(), spans);
    }

    /// So many more.
    pub(super) fn add(&mut self, traces: usize, spans: usize) {
        self.traces += traces as u64;
        self.spans += spans as u64;
        let now = Instant::now();
        if let (None, Some(share)) = (self.first, self.share) {
            self.first = Some((share, now));
        }
        let interval = if self.is_terminal { ON_TERMINAL } else { IN_LOG };
        if now.duration_since(self.told) >= interval {
            self.told = now;
            self.tell(&self.line(now));
        }
    }

    pub(super) fn traces(&self) -> u64 {
        self.traces
    }

    pub(super) fn spans(&self) -> u64 {
        self.spans
    }

    /// `12.3 s, 18000 spans/s`.
    pub(super) fn pace(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        format!("{seconds:.1} s, {:.0} spans/s", self.spans as f64 / seconds.max(0.001))
    }

    /// Something that must be read, above the line that is written anew.
    pub(super) fn note(&self, text: &str) {
        let start = if self.is_terminal { "\r\x1b[K" } else { "" };
        // Nobody may be reading.
        let _ = writeln!(std::io::stderr(), "{start}{text}");
    }

    /// The end: the line goes.
    pub(super) fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn tell(&self, line: &str) {
        let mut output = std::io::stderr();
        let _ = if self.is_terminal {
            write!(output, "\r\x1b[K{line}").and_then(|()| output.flush())
        } else {
            writeln!(output, "{line}")
        };
    }

    fn line(&self, now: Instant) -> String {
        let rate = self.spans as f64 / now.duration_since(self.start).as_secs_f64().max(0.001);
        let share = self.share.map_or_else(String::new, |share| format!(", {:.1} %", share * 100.0));
        let rest = self.rest(now).map_or_else(String::new, |rest| {
            format!(", about {} left", humantime::format_duration(Duration::from_secs(rest.as_secs())))
        });
        format!("{} {} spans, {rate:.0} spans/s{share}{rest}", self.verb, self.before + self.spans)
    }

    /// Time that is left if it goes on like this.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let ((from, since), share) = (self.first?, self.share?);
        let done = share - from;
        let rest = (1.0 - share).max(0.0) / done * now.duration_since(since).as_secs_f64();
        (done > SHARE_LEAST && rest.is_finite()).then(|| Duration::from_secs_f64(rest.min(1e9)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_goes_by_the_share_that_this_run_did() {
        let mut progress = Progress::new("copied", 100);
        let start = progress.start;
        progress.page(&ScanPage { share: Some(0.5), ..ScanPage::default() }, 10);
        assert_eq!(progress.rest(Instant::now()), None);
        progress.first = Some((0.5, start));
        progress.page(&ScanPage { share: Some(0.6), ..ScanPage::default() }, 10);
        let rest = progress.rest(start + Duration::from_secs(10)).unwrap().as_secs_f64();
        assert!((39.9..40.1).contains(&rest), "{rest}");
        let line = progress.line(start + Duration::from_secs(10));
        assert_eq!(line, "copied 120 spans, 2 spans/s, 60.0 %, about 40s left".replace("40s", &shown(rest)));
    }

    fn shown(rest: f64) -> String {
        humantime::format_duration(Duration::from_secs(rest as u64)).to_string()
    }

    #[test]
    fn without_a_share_the_estimate_of_the_store_counts() {
        let mut progress = Progress::new("copied", 20);
        progress.page(&ScanPage { spans_about: Some(100), ..ScanPage::default() }, 30);
        assert_eq!(progress.share, Some(0.5));
        progress.page(&ScanPage { spans_about: Some(40), ..ScanPage::default() }, 10);
        assert_eq!(progress.share, Some(1.0));
        progress.page(&ScanPage { spans_about: Some(0), ..ScanPage::default() }, 0);
        assert_eq!(progress.share, None);
    }
}
