//! Removing what is old or too much, a block at a time, and giving its space back; merging on the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::Store;
use super::block::BlockNames;
use super::config::SqliteConfig;
use super::error::{during, unavailable};
use super::live::{Block, Change};
use super::names;
use super::open::beside;
use super::repair;
use super::seal::{Expiry, on_blocking_thread, open_writer};
use super::wal::file_bytes;
use super::writer::{Commit, KINDS_MAX, PAGE_BYTES};
use crate::storage::StorageError;

const OPERATION: &str = "retention";
/// Pages given back in one transaction: what a write may have to wait for.
const PAGES_PER_TURN: i64 = 500;
/// Of the file's pages this part stays free for the next writes instead of being given back.
const FREE_PART: i64 = 32;
/// When the size limit is passed, this part of it is made free.
const ROOM_PART: u64 = 16;

/// What the store tells about its housekeeping.
#[derive(Clone, Debug)]
pub struct SqliteMetrics {
    pub(super) removed_spans: IntCounterVec,
    pub(super) damaged: IntCounter,
    pub(super) names_left_out: IntCounter,
    /// How many of them were those of spans in memory, when they were counted last.
    recent_left_out: Arc<AtomicU64>,
    file_bytes: IntGauge,
    wal_bytes: IntGauge,
    blocks: IntGauge,
    recent_spans: IntGauge,
}

impl Default for SqliteMetrics {
    #[allow(clippy::expect_used, reason = "names and labels are constants and valid")]
    fn default() -> Self {
        let gauge = |name: &str, help: &str| IntGauge::new(name, help).expect("a valid gauge");
        let removed =
            Opts::new("storage_sqlite_removed_spans_total", "spans removed because they were too old or too many");
        Self {
            removed_spans: IntCounterVec::new(removed, &["reason"]).expect("a valid counter"),
            damaged: IntCounter::new(
                "storage_sqlite_damaged_total",
                "places of the database found damaged since the start",
            )
            .expect("a valid counter"),
            names_left_out: IntCounter::new(
                "storage_sqlite_names_left_out_total",
                "times a name was not listed because of a limit",
            )
            .expect("a valid counter"),
            recent_left_out: Arc::default(),
            file_bytes: gauge("storage_sqlite_file_bytes", "size of the database file"),
            wal_bytes: gauge("storage_sqlite_wal_bytes", "size of the write-ahead log"),
            blocks: gauge("storage_sqlite_blocks", "blocks of settled spans"),
            recent_spans: gauge("storage_sqlite_recent_spans", "spans that are not in a block yet"),
        }
    }
}

impl SqliteMetrics {
    /// Adds the metrics to a registry.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.removed_spans.clone()))?;
        registry.register(Box::new(self.damaged.clone()))?;
        registry.register(Box::new(self.names_left_out.clone()))?;
        for gauge in [&self.file_bytes, &self.wal_bytes, &self.blocks, &self.recent_spans] {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(())
    }
}

impl SqliteMetrics {
    /// Counts what came since the last time, of a number that only grows.
    fn count_recent_left_out(&self, total: u64) {
        let before = self.recent_left_out.swap(total, Ordering::Relaxed);
        self.names_left_out.inc_by(total.saturating_sub(before));
    }
}

/// The size limit: as told, else half of what the file may have if it took all free space.
pub(super) fn bytes_max(config: &SqliteConfig) -> Result<u64, StorageError> {
    if let Some(bytes) = config.retention_max_bytes {
        return Ok(bytes);
    }
    let disk = rustix::fs::statvfs(&config.path)
        .map_err(|error| unavailable("open", format!("cannot ask for the free space of {:?}: {error}", config.path)))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok((free + file_bytes(&config.path) + file_bytes(&beside(&config.path, "-wal"))) / 2)
}

/// A block that is in no list any more; its values go when no reader has it.
#[derive(Debug)]
pub(super) struct Garbage {
    block: Weak<Block>,
    id: i64,
}

impl Store {
    /// Limits of age at this moment.
    pub(super) fn expiry(&self) -> Option<Expiry> {
        let max_age = self.config.retention_max_age?;
        let now_ms = self.clock.now_ms();
        let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let stay_ms = ms(self.config.retention_min_stay);
        Some(Expiry { before_ms: now_ms.saturating_sub(ms(max_age)), stayed_ms: now_ms.saturating_sub(stay_ms) })
    }

    pub(super) async fn try_write(&self) -> Result<(), StorageError> {
        let mut writer = self.writer.lock().await;
        open_writer(&mut writer)?.try_write().await.map_err(during("check"))
    }

    /// One round of housekeeping. What fails keeps nothing else from being done: removing is what helps when the disk is full.
    ///
    /// # Errors
    /// The first of what failed; the others are logged.
    pub(super) async fn keep_house(self: &Arc<Self>) -> Result<(), StorageError> {
        let sealed = self.seal_while_due().await;
        let ends = Instant::now() + self.config.retention_turn;
        // The lock is for one piece of work at a time: sealing that is due must not wait for all of them.
        let done = [
            sealed,
            self.seal_old().await,
            self.remove_by_age().await,
            self.merge_until(ends).await,
            self.remove_by_size(ends).await,
            self.collect_hidden(ends).await,
            self.give_space_back(ends).await,
            self.repair_views().await,
            self.checkpoint_rest().await,
        ];
        self.metrics.file_bytes.set(file_bytes(&self.config.path) as i64);
        self.metrics.wal_bytes.set(file_bytes(&beside(&self.config.path, "-wal")) as i64);
        self.metrics.blocks.set(self.live.blocks().len() as i64);
        self.metrics.recent_spans.set(self.live.held().0 as i64);
        self.metrics.count_recent_left_out(self.live.index.read().names.left_out());
        let mut failures = done.into_iter().filter_map(Result::err);
        let first = failures.next();
        failures.for_each(|error| tracing::warn!(%error, "a part of housekeeping failed; it is tried again"));
        first.map_or(Ok(()), Err)
    }

    async fn merge_until(self: &Arc<Self>, ends: Instant) -> Result<(), StorageError> {
        while Instant::now() < ends {
            let _alone = self.housekeeping.lock().await;
            if !self.merge_once().await? {
                break;
            }
        }
        Ok(())
    }

    async fn collect_hidden(&self, ends: Instant) -> Result<(), StorageError> {
        self.live.forget_hidden();
        self.collect_garbage(ends).await
    }

    /// Seals what has been in memory for long, so that it can expire.
    async fn seal_old(self: &Arc<Self>) -> Result<(), StorageError> {
        let _alone = self.housekeeping.lock().await;
        let age_ms = i64::try_from(self.config.recent_age_max.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.clock.now_ms().saturating_sub(age_ms);
        let rows = self.live.rows();
        let old = rows.iter().take_while(|row| row.arrived_ms <= before_ms).last().map(|row| row.id);
        if let Some(sealed_to) = old {
            self.seal(sealed_to).await?;
        }
        Ok(())
    }

    async fn remove_by_age(self: &Arc<Self>) -> Result<(), StorageError> {
        let _alone = self.housekeeping.lock().await;
        let Some(expiry) = self.expiry() else { return Ok(()) };
        let blocks = self.live.blocks();
        let expired = blocks.iter().filter(|known| expiry.has(known.block.figures.max_ms, known.block.arrived_ms));
        let expired: Vec<Arc<Block>> = expired.map(|known| known.block.clone()).collect();
        self.remove(&expired, "age").await
    }

    async fn remove_by_size(self: &Arc<Self>, ends: Instant) -> Result<(), StorageError> {
        let _alone = self.housekeeping.lock().await;
        if self.used_bytes().await? <= self.bytes_max {
            return Ok(());
        }
        let wanted = self.bytes_max - self.bytes_max / ROOM_PART;
        while Instant::now() < ends {
            let used = self.used_bytes().await?;
            let Some(mut surplus) = used.checked_sub(wanted).filter(|surplus| *surplus > 0) else { break };
            let mut blocks: Vec<Arc<Block>> = self.live.blocks().iter().map(|known| known.block.clone()).collect();
            blocks.sort_by_key(|block| (block.newest_ms(), block.id));
            let mut oldest = Vec::new();
            for block in blocks {
                if surplus == 0 {
                    break;
                }
                surplus = surplus.saturating_sub(block.bytes);
                oldest.push(block);
            }
            if !oldest.is_empty() {
                self.remove(&oldest, "size").await?;
                drop(oldest);
                self.collect_garbage(ends).await?;
            } else if let Some(row) = self.live.rows().back() {
                self.seal(row.id).await?;
                self.live.forget_hidden();
            } else {
                tracing::warn!(bytes_max = self.bytes_max, used, "the size limit is smaller than an empty store");
                break;
            }
        }
        Ok(())
    }

    async fn remove(self: &Arc<Self>, blocks: &[Arc<Block>], reason: &'static str) -> Result<(), StorageError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let removed: Vec<i64> = blocks.iter().map(|block| block.id).collect();
        let spans: u64 = blocks.iter().map(|block| block.figures.spans).sum();
        {
            let mut writer = self.writer.lock().await;
            let commit = Commit { removed: &removed, ..Commit::default() };
            open_writer(&mut writer)?.commit(&commit).await.map_err(during(OPERATION))?;
        }
        self.step("blocks removed");
        self.note_garbage(&removed);
        self.live.change(None, Change { removed, ..Change::default() });
        self.metrics.removed_spans.with_label_values(&[reason]).inc_by(spans);
        tracing::info!(blocks = blocks.len(), spans, reason, "retention removed blocks");
        self.renew_names().await
    }

    /// Lists the names of the blocks there are.
    pub(super) async fn renew_names(self: &Arc<Self>) -> Result<(), StorageError> {
        let store = Arc::clone(self);
        on_blocking_thread(move || {
            let mut all = BlockNames::default();
            for known in store.live.blocks().iter() {
                let of_block =
                    super::read::unless_damaged(repair::names(&store.reader, &known.block, &store.live.options))?;
                names::add(&mut all, &of_block, &store.live.options);
            }
            *store.names.lock() = all;
            Ok(())
        })
        .await
    }

    /// What the database holds: free pages do not count.
    async fn used_bytes(&self) -> Result<u64, StorageError> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(&self.reader.pool)
        .await
        .map_err(during(OPERATION))?;
        Ok(bytes as u64)
    }

    /// Remembers blocks that are about to leave the list.
    pub(super) fn note_garbage(&self, removed: &[i64]) {
        let blocks = self.live.blocks();
        let gone = blocks.iter().filter(|known| removed.contains(&known.block.id));
        let gone = gone.map(|known| Garbage { block: Arc::downgrade(&known.block), id: known.block.id });
        self.garbage.lock().extend(gone);
    }

    /// Remembers a block that was not finished.
    pub(super) fn note_unfinished(&self, id: i64) {
        self.garbage.lock().push(Garbage { block: Weak::new(), id });
    }

    /// Removes the values of blocks that nobody reads any more, in turns with writes.
    pub(super) async fn collect_garbage(&self, ends: Instant) -> Result<(), StorageError> {
        let ready: Vec<i64> = {
            let garbage = self.garbage.lock();
            garbage.iter().filter(|garbage| garbage.block.strong_count() == 0).map(|garbage| garbage.id).collect()
        };
        for id in ready {
            self.reader.cache.forget(id);
            while self.remove_some(CHUNKS_OF, id).await? > 0 {
                if Instant::now() >= ends {
                    return Ok(());
                }
            }
            self.remove_some(VIEWS_OF, id).await?;
            self.garbage.lock().retain(|garbage| garbage.id != id);
        }
        Ok(())
    }

    async fn remove_some(&self, sql: &'static str, block: i64) -> Result<u64, StorageError> {
        let mut writer = self.writer.lock().await;
        let removed = open_writer(&mut writer)?.run(sql, block).await.map_err(during(OPERATION))?;
        self.step("some of a block removed");
        Ok(removed)
    }

    async fn give_space_back(&self, ends: Instant) -> Result<(), StorageError> {
        loop {
            let mut writer = self.writer.lock().await;
            let writer = open_writer(&mut writer)?;
            let (pages, free): (i64, i64) =
                sqlx::query_as("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count")
                    .fetch_one(writer.connection())
                    .await
                    .map_err(during(OPERATION))?;
            let surplus = free - (pages / FREE_PART).max(self.spare_pages());
            if surplus <= 0 || Instant::now() >= ends {
                return Ok(());
            }
            writer.give_back(surplus.min(PAGES_PER_TURN)).await.map_err(during(OPERATION))?;
            self.step("pages given back");
        }
    }

    /// Pages that come and go with each sealing are not given back only to be asked for again.
    fn spare_pages(&self) -> i64 {
        let bytes = (self.config.recent_bytes_max as u64).min(self.bytes_max / ROOM_PART);
        i64::try_from(bytes / PAGE_BYTES as u64).unwrap_or(i64::MAX)
    }
}

/// Chunks removed in one transaction are few: each is some hundred pages.
const CHUNKS_OF: &str = "DELETE FROM chunk WHERE id IN \
    (SELECT id FROM chunk WHERE id >= ?1 * 65536 AND id < (?1 + 1) * 65536 ORDER BY id LIMIT 8) \
    AND NOT EXISTS (SELECT 1 FROM block WHERE block.id = ?1)";
const VIEWS_OF: &str = "DELETE FROM view WHERE id >= ?1 * 256 AND id < (?1 + 1) * 256 \
    AND NOT EXISTS (SELECT 1 FROM block WHERE block.id = ?1)";
const _: () = assert!(KINDS_MAX == 256 && super::writer::CHUNKS_MAX == 65_536, "the statements say so too");
