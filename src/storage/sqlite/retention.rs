//! Removing what is old or too much, in small turns between writes, and giving its space back.

use std::collections::HashSet;
use std::time::Instant;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use sqlx::{Row, SqliteConnection};

use super::SqliteStorage;
use super::config::SqliteConfig;
use super::error::{during, unavailable};
use super::log::file_bytes;
use super::names::REFRESH_MS;
use super::open::beside;
use super::rows::{NO_TIME, service_number};
use super::writer::Writer;
use crate::storage::StorageError;

const OPERATION: &str = "retention";
/// Fragments removed in one transaction: what a write may have to wait for.
const FRAGMENTS_PER_TURN: i64 = 1_000;
/// Postings removed in one transaction.
const POSTINGS_PER_TURN: i64 = 5_000;
/// Pages given back in one transaction.
const PAGES_PER_TURN: i64 = 1_000;
/// Of the file's pages this part stays free for the next writes instead of being given back.
const FREE_PART: i64 = 32;
/// When the size limit is passed, this part of it is made free.
const ROOM_PART: u64 = 16;

/// Runs statements between BEGIN and COMMIT; undoes them when one fails.
macro_rules! in_transaction {
    ($connection:ident, $work:expr) => {
        async {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut *$connection).await?;
            let result = match $work.await {
                Ok(value) => sqlx::query("COMMIT").execute(&mut *$connection).await.map(|_| value),
                Err(error) => Err(error),
            };
            if result.is_err() {
                // The engine may have undone it already.
                let _ = sqlx::query("ROLLBACK").execute(&mut *$connection).await;
            }
            result
        }
        .await
    };
}
/// What the store tells about its housekeeping.
#[derive(Clone, Debug)]
pub struct SqliteMetrics {
    removed_fragments: IntCounterVec,
    file_bytes: IntGauge,
    wal_bytes: IntGauge,
}

impl Default for SqliteMetrics {
    #[allow(clippy::expect_used, reason = "names and labels are constants and valid")]
    fn default() -> Self {
        let removed = Opts::new(
            "storage_sqlite_removed_fragments_total",
            "trace fragments removed because they were too old or too many",
        );
        Self {
            removed_fragments: IntCounterVec::new(removed, &["reason"]).expect("a valid counter"),
            file_bytes: IntGauge::new("storage_sqlite_file_bytes", "size of the database file").expect("a valid gauge"),
            wal_bytes: IntGauge::new("storage_sqlite_wal_bytes", "size of the write-ahead log").expect("a valid gauge"),
        }
    }
}

impl SqliteMetrics {
    /// Adds the metrics to a registry.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.removed_fragments.clone()))?;
        registry.register(Box::new(self.file_bytes.clone()))?;
        registry.register(Box::new(self.wal_bytes.clone()))
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

/// Which fragments go.
#[derive(Clone, Copy, Debug)]
enum Select {
    /// Newest span before the first, arrived before the second.
    Older { before_ms: i64, before_id: i64 },
    /// No timestamp, arrived before; so many at most.
    Untimed { before_id: i64, count: i64 },
    /// Timestamps in the future, arrived before.
    Future { after_ms: i64, before_id: i64 },
    /// So many of the oldest there are.
    Oldest { count: i64 },
}

/// What the database holds.
struct Used {
    bytes: u64,
    /// Never too few.
    fragments: i64,
}

/// What was removed in one transaction.
#[derive(Debug, Default)]
struct Removed {
    fragments: i64,
    newest_ms: i64,
}

/// Limits of one call.
struct Turn {
    ends: Instant,
    removed: u64,
    /// Postings up to here may point to nothing any more.
    swept_ms: i64,
    swept_future: bool,
}

impl SqliteStorage {
    pub(super) async fn try_write(&self) -> Result<(), StorageError> {
        let mut writer = self.writer.lock().await;
        open_writer(&mut writer)?.try_write().await.map_err(during("check"))
    }

    pub(super) async fn remove_old(&self) -> Result<(), StorageError> {
        open_writer(&mut *self.writer.lock().await)?.note_arrival().await.map_err(during(OPERATION))?;
        let ends = Instant::now() + self.config.retention_turn;
        let mut turn = Turn { ends, removed: 0, swept_ms: NO_TIME, swept_future: false };
        self.remove_by_age(&mut turn).await?;
        self.remove_by_size(&mut turn).await?;
        if turn.removed > 0 {
            self.sweep_postings(&turn).await?;
            self.sweep_names().await?;
        }
        self.give_space_back(&turn).await?;
        let wal_bytes = file_bytes(&beside(&self.config.path, "-wal"));
        self.metrics.file_bytes.set(file_bytes(&self.config.path) as i64);
        self.metrics.wal_bytes.set(wal_bytes as i64);
        Ok(())
    }

    async fn remove_by_age(&self, turn: &mut Turn) -> Result<(), StorageError> {
        let Some(max_age) = self.config.retention_max_age else { return Ok(()) };
        let now_ms = self.clock.now_ms();
        let before_ms = now_ms - i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX).min(now_ms.max(0));
        let stay_ms = i64::try_from(self.config.retention_min_stay.as_millis()).unwrap_or(i64::MAX);
        let arrived_before = self.first_id_at(before_ms).await?;
        let stayed_before = self.first_id_at(now_ms.saturating_sub(stay_ms)).await?;
        let selections = [
            Select::Older { before_ms, before_id: stayed_before },
            Select::Untimed { before_id: arrived_before, count: FRAGMENTS_PER_TURN },
            Select::Future { after_ms: now_ms, before_id: arrived_before },
        ];
        for select in selections {
            while Instant::now() < turn.ends {
                let removed = self.remove_fragments(select, "age", turn).await?;
                if removed.fragments < FRAGMENTS_PER_TURN {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn remove_by_size(&self, turn: &mut Turn) -> Result<(), StorageError> {
        if self.used().await?.bytes <= self.bytes_max {
            return Ok(());
        }
        let wanted = self.bytes_max - self.bytes_max / ROOM_PART;
        while Instant::now() < turn.ends {
            let used = self.used().await?;
            let Some(surplus) = used.bytes.checked_sub(wanted).filter(|surplus| *surplus > 0) else { break };
            // Half of what the surplus is worth on average: fragments differ in size.
            let share = used.fragments as f64 * surplus as f64 / used.bytes as f64 / 2.0;
            let count = (share as i64 + 1).min(FRAGMENTS_PER_TURN);
            let removed = self.remove_fragments(Select::Oldest { count }, "size", turn).await?;
            let before_id = self.first_id_at(removed.newest_ms).await?;
            let untimed = self.remove_fragments(Select::Untimed { before_id, count }, "size", turn).await?;
            if removed.fragments == 0 && untimed.fragments == 0 {
                // Only spans without time are left, all of them new.
                let newest = Select::Untimed { before_id: i64::MAX, count };
                if self.remove_fragments(newest, "size", turn).await?.fragments == 0 {
                    tracing::warn!(bytes_max = self.bytes_max, "the size limit is smaller than an empty store");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Fragments below it had arrived at that time.
    async fn first_id_at(&self, time_ms: i64) -> Result<i64, StorageError> {
        let mut connection = self.readers.acquire().await.map_err(during(OPERATION))?;
        sqlx::query_scalar("SELECT coalesce(max(first_id), 0) FROM arrival WHERE arrived_ms <= ?1")
            .bind(time_ms)
            .fetch_one(&mut *connection)
            .await
            .map_err(during(OPERATION))
    }

    /// What the database holds: free pages do not count.
    async fn used(&self) -> Result<Used, StorageError> {
        let mut connection = self.readers.acquire().await.map_err(during(OPERATION))?;
        let (bytes, fragments): (i64, i64) = sqlx::query_as(
            "SELECT (page_count - freelist_count) * page_size, \
             (SELECT coalesce(max(id), 0) FROM fragment) - (SELECT coalesce(min(id), 0) FROM fragment) + 1 \
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(during(OPERATION))?;
        Ok(Used { bytes: bytes as u64, fragments })
    }

    async fn remove_fragments(
        &self,
        select: Select,
        reason: &'static str,
        turn: &mut Turn,
    ) -> Result<Removed, StorageError> {
        let mut writer = self.writer.lock().await;
        let connection = open_writer(&mut writer)?.connection();
        let removed = in_transaction!(connection, remove_fragments(connection, select)).map_err(during(OPERATION))?;
        if removed.fragments > 0 {
            turn.removed += removed.fragments as u64;
            match select {
                Select::Future { .. } => turn.swept_future = true,
                _ => turn.swept_ms = turn.swept_ms.max(removed.newest_ms),
            }
            self.metrics.removed_fragments.with_label_values(&[reason]).inc_by(removed.fragments as u64);
            tracing::debug!(fragments = removed.fragments, reason, "old spans removed");
        }
        Ok(removed)
    }

    /// Removes postings whose fragments are gone.
    async fn sweep_postings(&self, turn: &Turn) -> Result<(), StorageError> {
        let to_ms = if turn.swept_future { i64::MAX } else { turn.swept_ms };
        let services = self.posting_services().await?;
        for service in services {
            loop {
                let mut writer = self.writer.lock().await;
                let connection = open_writer(&mut writer)?.connection();
                let swept = sqlx::query(
                    "DELETE FROM posting WHERE (service, max_ms, trace_low) IN ( \
                       SELECT p.service, p.max_ms, p.trace_low FROM posting AS p WHERE p.service = ?1 AND p.max_ms <= ?2 \
                       AND NOT EXISTS (SELECT 1 FROM fragment AS f WHERE f.max_ms = p.max_ms AND f.trace_low = p.trace_low) \
                       ORDER BY p.max_ms LIMIT ?3)",
                )
                .bind(service)
                .bind(to_ms)
                .bind(POSTINGS_PER_TURN)
                .execute(connection)
                .await
                .map_err(during(OPERATION))?;
                if (swept.rows_affected() as i64) < POSTINGS_PER_TURN {
                    break;
                }
            }
        }
        tracing::info!(fragments = turn.removed, "retention removed trace fragments");
        Ok(())
    }

    /// The services that have postings, one seek each.
    async fn posting_services(&self) -> Result<Vec<i64>, StorageError> {
        let mut connection = self.readers.acquire().await.map_err(during(OPERATION))?;
        sqlx::query_scalar(
            "WITH RECURSIVE s (service) AS (SELECT min(service) FROM posting UNION ALL \
             SELECT (SELECT min(p.service) FROM posting AS p WHERE p.service > s.service) FROM s WHERE s.service IS NOT NULL) \
             SELECT service FROM s WHERE service IS NOT NULL",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(during(OPERATION))
    }

    /// Removes names that no kept span brings any more: of services without spans, and those not seen for too long.
    async fn sweep_names(&self) -> Result<(), StorageError> {
        let now_ms = self.clock.now_ms();
        let max_age_ms = self.config.retention_max_age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let unseen_since_ms = max_age_ms.map(|age| now_ms.saturating_sub(age).saturating_sub(2 * REFRESH_MS));
        let mut writer = self.writer.lock().await;
        let writer = open_writer(&mut writer)?;
        // Under the writer's lock: no span of these services can come in between.
        let alive: HashSet<i64> = self.posting_services().await?.into_iter().collect();
        let connection = writer.connection();
        let removed = in_transaction!(connection, remove_names(connection, &alive, unseen_since_ms))
            .map_err(during(OPERATION))?;
        if removed > 0 {
            writer.names_removed();
        }
        Ok(())
    }

    async fn give_space_back(&self, turn: &Turn) -> Result<(), StorageError> {
        let mut writer = self.writer.lock().await;
        let mut is_first = true;
        loop {
            if !is_first {
                drop(writer);
                writer = self.writer.lock().await;
            }
            is_first = false;
            let connection = open_writer(&mut writer)?.connection();
            let (pages, free): (i64, i64) =
                sqlx::query_as("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count")
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(during(OPERATION))?;
            let surplus = free - pages / FREE_PART;
            if surplus <= 0 || Instant::now() >= turn.ends {
                return Ok(());
            }
            let give = surplus.min(PAGES_PER_TURN);
            sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({give})")))
                .execute(connection)
                .await
                .map_err(during(OPERATION))?;
        }
    }
}

fn open_writer(writer: &mut Option<Writer>) -> Result<&mut Writer, StorageError> {
    writer.as_mut().ok_or_else(|| unavailable(OPERATION, "the store is closed"))
}

async fn remove_fragments(connection: &mut SqliteConnection, select: Select) -> Result<Removed, sqlx::Error> {
    let (condition, time_ms, before_id, count) = match select {
        Select::Older { before_ms, before_id } => {
            ("max_ms >= 0 AND max_ms < ?1 AND id < ?2", before_ms, before_id, FRAGMENTS_PER_TURN)
        }
        Select::Untimed { before_id, count } => ("max_ms = -1 AND ?1 = ?1 AND id < ?2", 0, before_id, count),
        Select::Future { after_ms, before_id } => ("max_ms > ?1 AND id < ?2", after_ms, before_id, FRAGMENTS_PER_TURN),
        Select::Oldest { count } => ("max_ms >= 0 AND ?1 = ?1 AND ?2 = ?2", 0, 0, count),
    };
    let sql = format!(
        "DELETE FROM fragment WHERE id IN (SELECT id FROM fragment INDEXED BY fragment_time \
         WHERE {condition} ORDER BY max_ms LIMIT ?3) RETURNING trace_low, max_ms"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(time_ms)
        .bind(before_id)
        .bind(count)
        .fetch_all(&mut *connection)
        .await?;
    let mut removed = Removed { fragments: rows.len() as i64, newest_ms: NO_TIME };
    let mut lows = String::from("[");
    for row in &rows {
        let separator = if lows.len() > 1 { "," } else { "" };
        lows.push_str(&format!("{separator}{}", row.try_get::<i64, _>(0)?));
        removed.newest_ms = removed.newest_ms.max(row.try_get(1)?);
    }
    lows.push(']');
    sqlx::query(
        "DELETE FROM wide_trace WHERE trace_low IN (SELECT value FROM json_each(?1)) \
         AND NOT EXISTS (SELECT 1 FROM fragment AS f WHERE f.trace_low = wide_trace.trace_low)",
    )
    .bind(lows)
    .execute(&mut *connection)
    .await?;
    // The last note at or before the oldest fragment is enough for all that is kept.
    sqlx::query(
        "DELETE FROM arrival WHERE first_id < (SELECT max(a.first_id) FROM arrival AS a \
         WHERE a.first_id <= (SELECT coalesce(min(id), 0) FROM fragment))",
    )
    .execute(connection)
    .await?;
    Ok(removed)
}

async fn remove_names(
    connection: &mut SqliteConnection,
    alive: &HashSet<i64>,
    unseen_since_ms: Option<i64>,
) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    if let Some(unseen_since_ms) = unseen_since_ms {
        let unseen = sqlx::query("DELETE FROM name WHERE seen_ms < ?1").bind(unseen_since_ms);
        removed += unseen.execute(&mut *connection).await?.rows_affected();
    }
    let services: Vec<String> =
        sqlx::query_scalar("SELECT name FROM name WHERE kind = 0 AND owner = ''").fetch_all(&mut *connection).await?;
    for service in services.iter().filter(|service| !alive.contains(&service_number(service))) {
        removed += sqlx::query(
            "DELETE FROM name WHERE (kind = 0 AND owner = '' AND name = ?1) OR (kind IN (1, 2) AND owner = ?1)",
        )
        .bind(service.as_str())
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    Ok(removed)
}
