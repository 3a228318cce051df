//! Removing what is old, in bounded chunks between writes.

use std::time::Duration;

use super::NativeEngine;
use crate::storage::StorageError;
use crate::storage::mysql::error::during;
use crate::storage::sql::links::LEASE_NAME;
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
        if !self.take_lease(LEASE_NAME, LEASE).await.map_err(during(OPERATION))? {
            return Ok(());
        }
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let stay_ms = self.config.retention_min_stay.as_millis() as i64;
        let now_ms = self.clock.now_ms();
        let cut_ms = now_ms.saturating_sub(age_ms);
        let stay_us = now_ms.saturating_sub(stay_ms).saturating_mul(1000);
        // By their time when they have one, by arrival when they have none or one in the future.
        let by_time = "DELETE FROM zipkind_fragment WHERE max_ms > 0 AND max_ms < ? AND arrived < ? LIMIT ?";
        let by_arrival = "DELETE FROM zipkind_fragment WHERE arrived < ? LIMIT ?";
        let cut_us = cut_ms.saturating_mul(1000);
        let by_time = self.remove(by_time, &[cut_ms, stay_us]).await.map_err(during(OPERATION))?;
        let by_arrival = self.remove(by_arrival, &[cut_us]).await.map_err(during(OPERATION))?;
        if by_time && by_arrival {
            // Lists of whole days before, whose fragments are gone: those that came with the same writes, or sooner.
            let lists =
                "DELETE FROM zipkind_service_traces WHERE (day > 0 AND day < ? AND arrived < ?) OR arrived < ? LIMIT ?";
            self.remove(lists, &[cut_ms / DAY_MS, stay_us, cut_us]).await.map_err(during(OPERATION))?;
            // Tallies of traces that are gone.
            let tallies = "DELETE FROM zipkind_link_tally WHERE (max_ms < ? AND made_ms < ?) OR made_ms < ? LIMIT ?";
            self.remove(tallies, &[cut_ms, stay_us / 1000, cut_ms]).await.map_err(during(OPERATION))?;
        }
        // Names that no span brought for as long as spans are kept, and for as long as caches may hold them besides.
        let kept_ms = age_ms.max(stay_ms).saturating_add(DAY_MS).saturating_add(2 * REFRESH_MS);
        let names = "DELETE FROM zipkind_name WHERE seen_ms < ? LIMIT ?";
        self.remove(names, &[now_ms.saturating_sub(kept_ms)]).await.map_err(during(OPERATION)).map(|_| ())
    }

    /// False when something is left for the next turn.
    async fn remove(&self, statement: &'static str, values: &[i64]) -> Result<bool, sqlx::Error> {
        for _ in 0..CHUNKS_MAX {
            let query = values.iter().fold(sqlx::query(statement), |query, value| query.bind(*value));
            let removed = query.bind(CHUNK_ROWS).execute(&self.pool).await?;
            if removed.rows_affected() < CHUNK_ROWS as u64 {
                return Ok(true);
            }
        }
        Ok(false)
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
