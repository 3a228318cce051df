//! Reading all of it, by trace id.

use super::shared::Shared;
use crate::model::group_by_millisecond;
use crate::storage::index::by_id;
use crate::storage::{ScanCursor, ScanPage, ScanRequest, StorageError};

impl Shared {
    pub(super) fn scan(&self, request: &ScanRequest) -> Result<ScanPage, StorageError> {
        let mut page = ScanPage::default();
        let from = match request.after {
            None => Some(0),
            Some(after) => after.low.checked_add(1),
        };
        let Some(from) = from else { return Ok(page) };
        let seen = {
            let index = self.index.read();
            page.spans_about = Some(index.shown_spans() as u64);
            index.seen()
        };
        let mut spans = 0;
        let next = by_id(&self.index, from, seen, |low| {
            if request.is_full(spans) {
                return Ok::<_, StorageError>(false);
            }
            let index = self.index.read();
            // What was evicted meanwhile is gone.
            let Some(found) = index.find_seen(low, self.hashes.low(low), seen) else { return Ok(true) };
            let copy = index.copy(&index.traces[found as usize], seen);
            drop(index);
            let trace = group_by_millisecond(copy);
            if request.wants(&trace) {
                spans += trace.len();
                page.traces.push(trace);
            }
            Ok(true)
        })?;
        page.next = next.and_then(|next| next.checked_sub(1)).map(|low| ScanCursor { part: 0, low });
        Ok(page)
    }
}
