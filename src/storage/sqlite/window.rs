//! All traces with a span inside a window, newest key first: what dependency links are computed over.

use std::cmp::Reverse;
use std::collections::HashMap;

use sqlx::Row;

use super::error::during;
use super::rows::NO_TIME;
use super::snapshot::{Snapshot, newest_key_ms};
use super::writer::EXTENT_MAX_MS;
use crate::storage::StorageError;

/// Index rows of one step.
const STEP_ROWS: i64 = 4_096;
/// Traces loaded at once.
pub(super) const LOAD_TRACES: usize = 256;

const FRAGMENTS: &str = "SELECT max_ms, id, trace_low, max_ms - extent_ms FROM fragment INDEXED BY fragment_time \
    WHERE (max_ms, trace_low, id) < (?1, ?2, ?3) AND max_ms >= ?4 \
    ORDER BY max_ms DESC, trace_low DESC, id DESC LIMIT ?5";
const WIDE: &str = "SELECT max_ms, 0, trace_low, min_ms FROM wide_trace INDEXED BY wide_trace_time \
    WHERE (max_ms, trace_low, 0) < (?1, ?2, ?3) AND max_ms >= ?4 \
    ORDER BY max_ms DESC, trace_low DESC LIMIT ?5";

/// Low halves of the traces with a key in `start_ms..=end_ms`, by newest such key and then low half, descending.
pub(super) async fn traces_in(snapshot: &mut Snapshot, start_ms: i64, end_ms: i64) -> Result<Vec<u64>, StorageError> {
    let mut keys = Keys { start_ms, end_ms, newest_ms: HashMap::new(), unsure: HashMap::new() };
    // A window that reaches the epoch holds every span without timestamp, wherever the rest of its fragment is.
    let reaches_zero = start_ms <= 0 && end_ms >= 0;
    let floor_ms = if reaches_zero { NO_TIME } else { start_ms.max(0) };
    let top_ms = if reaches_zero { i64::MAX } else { end_ms.saturating_add(EXTENT_MAX_MS) };
    keys.walk(snapshot, FRAGMENTS, top_ms, floor_ms, reaches_zero).await?;
    if !reaches_zero {
        keys.walk(snapshot, WIDE, i64::MAX, floor_ms, false).await?;
    }
    keys.settle(snapshot).await?;
    let mut order: Vec<(i64, u64)> = keys.newest_ms.into_iter().map(|(low, newest_ms)| (newest_ms, low)).collect();
    order.sort_unstable_by_key(|&key| Reverse(key));
    Ok(order.into_iter().map(|(_, low)| low).collect())
}

struct Keys {
    start_ms: i64,
    end_ms: i64,
    newest_ms: HashMap<u64, i64>,
    /// Reach beyond the window, or have no time: only their spans tell.
    unsure: HashMap<u64, ()>,
}

impl Keys {
    async fn walk(
        &mut self,
        snapshot: &mut Snapshot,
        sql: &'static str,
        top_ms: i64,
        floor_ms: i64,
        all_unsure: bool,
    ) -> Result<(), StorageError> {
        let mut cursor = (top_ms, i64::MAX, i64::MAX);
        loop {
            snapshot.spend(0)?;
            let rows = sqlx::query(sql)
                .bind(cursor.0)
                .bind(cursor.1)
                .bind(cursor.2)
                .bind(floor_ms)
                .bind(STEP_ROWS)
                .fetch_all(snapshot.connection())
                .await
                .map_err(during("read window"))?;
            let is_last = (rows.len() as i64) < STEP_ROWS;
            for row in rows {
                let read = |index: usize| row.try_get::<i64, _>(index).map_err(during("read window"));
                let (max_ms, id, low, min_ms) = (read(0)?, read(1)?, read(2)?, read(3)?);
                cursor = (max_ms, low, id);
                self.meet(low as u64, min_ms, max_ms, all_unsure);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn meet(&mut self, low: u64, min_ms: i64, max_ms: i64, reaches_zero: bool) {
        if max_ms != NO_TIME && max_ms <= self.end_ms {
            // Newest first, so the first is the newest, and wide traces come with the newest of all their fragments.
            let newest_ms = self.newest_ms.entry(low).or_insert(max_ms);
            *newest_ms = max_ms.max(*newest_ms);
        } else if reaches_zero || min_ms <= self.end_ms {
            self.unsure.insert(low, ());
        }
    }

    async fn settle(&mut self, snapshot: &mut Snapshot) -> Result<(), StorageError> {
        let unsure: Vec<u64> = self.unsure.drain().map(|(low, ())| low).collect();
        for lows in unsure.chunks(LOAD_TRACES) {
            for (low, spans) in snapshot.load(lows).await? {
                match newest_key_ms(&spans, self.start_ms, self.end_ms) {
                    Some(newest_ms) => self.newest_ms.insert(low, newest_ms),
                    None => self.newest_ms.remove(&low),
                };
            }
        }
        Ok(())
    }
}
