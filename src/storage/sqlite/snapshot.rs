//! One state of the tables, held for the length of one answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::{Row, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::error::{NAME, corrupt, during, unavailable};
use super::fragment;
use super::log::Snapshots;
use crate::model::{SpanBatch, arrival_order};
use crate::storage::{ErrorKind, QueryBudget, StorageError};

/// A read transaction. Every answer sees each batch whole or not at all, so its statements share one snapshot; that is
/// held for a bounded time, because an old snapshot keeps the write-ahead log from being emptied.
#[derive(Debug)]
pub(super) struct Snapshot {
    transaction: Transaction<'static, Sqlite>,
    limits: Limits,
}

/// What ends an answer before it is whole.
#[derive(Clone, Debug)]
struct Limits {
    budget: QueryBudget,
    began: Instant,
    held_max: Duration,
    snapshots: Arc<Snapshots>,
    number: u64,
}

impl Limits {
    fn spend(&self, spans: usize) -> Result<(), StorageError> {
        if self.began.elapsed() > self.held_max {
            let reason = format!("the query takes longer than {:?}", self.held_max);
            return Err(StorageError::new(ErrorKind::Deadline, NAME, "query", reason));
        }
        if self.snapshots.is_ended(self.number) {
            return Err(unavailable("query", "ended, because the write-ahead log has to be emptied"));
        }
        self.budget.spend(NAME, spans)
    }
}

impl Snapshot {
    pub(super) async fn begin(
        pool: &SqlitePool,
        budget: &QueryBudget,
        held_max: Duration,
        snapshots: &Arc<Snapshots>,
    ) -> Result<Self, StorageError> {
        budget.spend(NAME, 0)?;
        let transaction = pool.begin().await.map_err(during("query"))?;
        let (snapshots, number) = (Arc::clone(snapshots), snapshots.begin());
        let limits = Limits { budget: budget.clone(), began: Instant::now(), held_max, snapshots, number };
        Ok(Self { transaction, limits })
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Counts spans that were read, and ends a query whose time is over.
    pub(super) fn spend(&self, spans: usize) -> Result<(), StorageError> {
        self.limits.spend(spans)
    }

    /// The spans of each trace (by the low half of its id) in zipkin's order. Traces that do not exist are left out.
    pub(super) async fn load(&mut self, lows: &[u64]) -> Result<HashMap<u64, SpanBatch>, StorageError> {
        let mut fragments = self.load_fragments(lows).await?;
        fragments.sort_unstable_by_key(|fragment| (fragment.low, fragment.id));
        let mut traces = HashMap::with_capacity(lows.len());
        for group in fragments.chunk_by_mut(|left, right| left.low == right.low) {
            let mut spans = std::mem::take(&mut group[0].spans);
            group[1..].iter().for_each(|fragment| spans.append(&fragment.spans));
            traces.insert(group[0].low, arrival_order(spans));
        }
        Ok(traces)
    }

    async fn load_fragments(&mut self, lows: &[u64]) -> Result<Vec<Fragment>, StorageError> {
        let operation = "read spans";
        let limits = self.limits.clone();
        let mut rows = sqlx::query(
            "SELECT f.trace_low, f.id, f.spans FROM json_each(?1) AS wanted \
             CROSS JOIN fragment AS f ON f.trace_low = wanted.value",
        )
        .bind(json_list(lows))
        .fetch(&mut *self.transaction);
        let mut fragments = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(during(operation))? {
            let read = |error: sqlx::Error| during(operation)(error);
            let id: i64 = row.try_get(1).map_err(read)?;
            let mut spans = SpanBatch::new();
            let count = fragment::decode(row.try_get(2).map_err(read)?, &mut spans)
                .map_err(|error| corrupt(operation, format!("fragment {id} {error}")))?;
            limits.spend(count)?;
            fragments.push(Fragment { low: row.try_get::<i64, _>(0).map_err(read)? as u64, id, spans });
        }
        Ok(fragments)
    }
}

struct Fragment {
    low: u64,
    id: i64,
    spans: SpanBatch,
}

/// Numbers as a JSON list: one bound value carries hundreds of them.
fn json_list(lows: &[u64]) -> String {
    let mut text = String::with_capacity(2 + lows.len() * 21);
    text.push('[');
    for (index, low) in lows.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&(*low as i64).to_string());
    }
    text.push(']');
    text
}

/// Newest key (millisecond of a span, 0 without timestamp) of a trace inside a window.
pub(super) fn newest_key_ms(spans: &SpanBatch, start_ms: i64, end_ms: i64) -> Option<i64> {
    spans.iter().map(|span| span.timestamp_ms()).filter(|ms| (start_ms..=end_ms).contains(ms)).max()
}
