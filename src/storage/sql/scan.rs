//! Reading all of it, by trace id as the engine orders it: as a number with a sign.

use super::trace::{LOAD_TRACES_MAX, Reader};
use crate::model::SpanBatch;
use crate::storage::scan::Group;
use crate::storage::{ErrorKind, ScanCursor, ScanPage, ScanRequest, StorageError};

/// The next page behind the cursor.
pub(super) async fn page(reader: &mut Reader, request: &ScanRequest) -> Result<ScanPage, StorageError> {
    let mut page = ScanPage::default();
    let from = match request.after {
        None => Some(i64::MIN),
        Some(after) => (after.low as i64).checked_add(1),
    };
    let Some(from) = from else { return Ok(page) };
    let lows = reader.traces_from(from, request.window_ms, LOAD_TRACES_MAX as i64).await?;
    let (mut rest, mut spans) = (lows.as_slice(), 0);
    let mut group = Group::new(LOAD_TRACES_MAX);
    while !rest.is_empty() && !request.is_full(spans) {
        let (part, after) = rest.split_at(group.size().min(rest.len()));
        rest = after;
        for trace in load(reader, part, &mut page.damaged).await? {
            if request.wants(&trace) {
                spans += trace.len();
                page.traces.push(trace);
            }
        }
    }
    let read = &lows[..lows.len() - rest.len()];
    let is_last = rest.is_empty() && lows.len() < LOAD_TRACES_MAX;
    let last = read.last().filter(|_| !is_last);
    page.next = last.map(|low| ScanCursor { part: 0, low: *low as u64 });
    // Ids are random, so they lie evenly.
    page.share = Some(last.map_or(1.0, |low| (*low as f64 - i64::MIN as f64) / 2_f64.powi(64)));
    Ok(page)
}

/// Some traces in the order of their ids, without those that are damaged.
async fn load(reader: &mut Reader, lows: &[i64], damaged: &mut usize) -> Result<Vec<SpanBatch>, StorageError> {
    match reader.load(lows).await {
        Ok(mut loaded) => return Ok(lows.iter().filter_map(|low| loaded.remove(low)).collect()),
        Err(error) if error.kind == ErrorKind::Corrupt => {}
        Err(error) => return Err(error),
    }
    let mut traces = Vec::new();
    for low in lows {
        match reader.load(&[*low]).await {
            Ok(loaded) => traces.extend(loaded.into_values()),
            Err(error) if error.kind == ErrorKind::Corrupt => *damaged += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(traces)
}
