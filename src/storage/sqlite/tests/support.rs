//! Stores and spans for the tests of this store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::{SpanBatch, SpanBuilder, SpanId, TraceId};
use crate::storage::{Batch, SqliteConfig, SqliteStorage, StorageOptions};
use crate::telemetry::Clock;

/// A clock that stands until a test moves it.
#[derive(Debug)]
pub(super) struct HandClock(AtomicI64);

/// 2026-01-01.
pub(super) const NOW_MS: i64 = 1_767_225_600_000;

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW_MS)))
    }

    pub(super) fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) fn config(directory: &Path) -> SqliteConfig {
    SqliteConfig { path: directory.join("zipkind.db"), ..SqliteConfig::default() }
}

/// A store whose spans are in blocks before long, several of them, merged now and then.
pub(super) fn sealing_often(directory: &Path) -> SqliteConfig {
    SqliteConfig { recent_spans_max: 60, retention_max_age: None, ..config(directory) }
}

pub(super) async fn open(directory: &Path) -> SqliteStorage {
    SqliteStorage::open(config(directory), StorageOptions::default(), HandClock::new()).await.unwrap()
}

pub(super) fn batch(spans: SpanBatch) -> Batch {
    Batch { spans, position: None }
}

/// A server span of one service at a time in microseconds (0: none).
pub(super) fn span(low: u64, id: u64, service: &str, timestamp_us: i64) -> SpanBatch {
    let mut batch = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    builder.set_trace_id(TraceId::from_halves(0, low).unwrap());
    builder.set_id(SpanId::new(id));
    builder.set_name("get");
    builder.set_timestamp_us(timestamp_us);
    builder.local_endpoint.set_service_name(service);
    builder.finish(&mut batch).unwrap();
    batch
}

/// Numbers that are the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 0 up to, not including, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    pub(super) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}
