//! Removing what is old, in bounded chunks between writes.

use std::time::Duration;

use super::NativeEngine;
use crate::storage::StorageError;
use crate::storage::mysql::error::during;
use crate::storage::sql::names::REFRESH_MS;
use crate::storage::sql::rows::DAY_MS;

const OPERATION: &str = "retention";
/// How long other processes leave retention to the one that began it.
const LEASE: Duration = Duration::from_secs(120);
/// Rows removed in one transaction, and transactions of one turn.
const CHUNK_ROWS: i64 = 1_000;
const CHUNKS_MAX: usize = 100;

impl NativeEngine {
    /// One turn.
    pub(super) async fn remove_old(&self) -> Result<(), StorageError> {
        let Some(age) = self.config.retention_max_age else { return Ok(()) };
        if !self.take_lease("retention", LEASE).await.map_err(during(OPERATION))? {
            return Ok(());
        }
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let stay_ms = self.config.retention_min_stay.as_millis() as i64;
        let now_ms = self.clock.now_ms();
        let cut_ms = now_ms.saturating_sub(age_ms);
        let stay_us = now_ms.saturating_sub(stay_ms).saturating_mul(1000);
        // By their time when they have one, by arrival when they have none or one in the future.
        let by_time = "DELETE FROM zipkind_fragment WHERE max_ms > 0 AND max_ms < ? AND arrived < ? LIMIT ?";
        let by_arrival = "DELETE FROM zipkind_fragment WHERE arrived < ? AND ? = ? LIMIT ?";
        self.remove(by_time, &[cut_ms, stay_us]).await.map_err(during(OPERATION))?;
        self.remove(by_arrival, &[cut_ms.saturating_mul(1000), 0, 0]).await.map_err(during(OPERATION))?;
        self.remove_postings(cut_ms).await.map_err(during(OPERATION))?;
        // Names that no span brought for as long as spans are kept, and for as long as caches may hold them besides.
        let kept_ms = age_ms.max(stay_ms).saturating_add(DAY_MS).saturating_add(2 * REFRESH_MS);
        let names = "DELETE FROM zipkind_name WHERE seen_ms < ? LIMIT ?";
        self.remove(names, &[now_ms.saturating_sub(kept_ms)]).await.map_err(during(OPERATION))
    }

    async fn remove(&self, statement: &'static str, values: &[i64]) -> Result<(), sqlx::Error> {
        for _ in 0..CHUNKS_MAX {
            let query = values.iter().fold(sqlx::query(statement), |query, value| query.bind(*value));
            let removed = query.bind(CHUNK_ROWS).execute(&self.pool).await?;
            if removed.rows_affected() < CHUNK_ROWS as u64 {
                break;
            }
        }
        Ok(())
    }

    /// Postings of old days whose traces are gone. One statement looks and removes: a trace that is being written waits for
    /// it, or is seen.
    async fn remove_postings(&self, cut_ms: i64) -> Result<(), sqlx::Error> {
        let statement = "DELETE FROM zipkind_posting WHERE day < ? AND NOT EXISTS ( \
               SELECT 1 FROM zipkind_fragment AS f WHERE f.trace_low = zipkind_posting.trace_low) LIMIT ?";
        self.remove(statement, &[cut_ms / DAY_MS]).await
    }

    /// Takes or renews a lease; false when another process has it. Time is the database's: clocks of processes differ.
    pub(super) async fn take_lease(&self, name: &'static str, time: Duration) -> Result<bool, sqlx::Error> {
        let time_ms = time.as_millis() as i64;
        let taken = sqlx::query(
            "UPDATE zipkind_lease SET holder = ?, expires_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + ? \
             WHERE name = ? AND (holder = ? OR expires_ms < CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))",
        )
        .bind(self.holder.as_str())
        .bind(time_ms)
        .bind(name)
        .bind(self.holder.as_str())
        .execute(&self.pool)
        .await?;
        if taken.rows_affected() > 0 {
            return Ok(true);
        }
        let made = sqlx::query(
            "INSERT IGNORE INTO zipkind_lease (name, holder, expires_ms) \
             VALUES (?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + ?)",
        )
        .bind(name)
        .bind(self.holder.as_str())
        .bind(time_ms)
        .execute(&self.pool)
        .await?;
        Ok(made.rows_affected() > 0)
    }
}
