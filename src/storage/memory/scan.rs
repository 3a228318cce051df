//! Reading all of it, by trace id.

use super::shared::Shared;
use crate::model::group_by_millisecond;
use crate::storage::{ScanCursor, ScanPage, ScanRequest};

/// Traces looked up at once.
const TRACES: usize = 256;

impl Shared {
    pub(super) fn scan(&self, request: &ScanRequest) -> ScanPage {
        let mut page = ScanPage::default();
        let from = match request.after {
            None => Some(0),
            Some(after) => after.low.checked_add(1),
        };
        let Some(from) = from else { return page };
        let (lows, seen) = {
            let index = self.index.read();
            page.spans_about = Some(index.shown_spans() as u64);
            (index.lows_from(from, index.seen(), TRACES), index.seen())
        };
        let mut spans = 0;
        for (at, low) in lows.iter().enumerate() {
            if request.is_full(spans) {
                page.next = at.checked_sub(1).map(|before| ScanCursor { part: 0, low: lows[before] });
                return page;
            }
            let index = self.index.read();
            // What was evicted meanwhile is gone.
            let Some(found) = index.find_seen(*low, self.hashes.low(*low), seen) else { continue };
            let copy = index.copy(&index.traces[found as usize], seen);
            drop(index);
            let trace = group_by_millisecond(copy);
            if request.wants(&trace) {
                spans += trace.len();
                page.traces.push(trace);
            }
        }
        let last = lows.last().filter(|_| lows.len() == TRACES);
        page.next = last.map(|low| ScanCursor { part: 0, low: *low });
        page
    }
}
