//! Tallies of calls in the place of writes that are in none.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Connection, Row};

use super::NativeEngine;
use super::read::LAST_TALLY;
use crate::storage::mysql::ISOLATION;
use crate::storage::sql::tally::TallyRow;

/// How far clocks may differ from one another, and the time of spans from that of their arrival, for them to go as they are expected to.
const SLACK_MS: i64 = 360_000;
/// Writes removed by one statement.
const WRITES_PER_STATEMENT: usize = 256;

impl NativeEngine {
    /// Times whose spans stay for now.
    pub(super) fn firm_times_ms(&self) -> Range<i64> {
        let kept = self.config.retention_max_age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let start_ms = kept.map_or(1, |age_ms| self.clock.now_ms().saturating_sub(age_ms).saturating_add(SLACK_MS));
        start_ms.max(1)..i64::MAX
    }

    pub(super) async fn settle_writes(
        &self,
        writes: &[i64],
        tallies: &[TallyRow],
        last: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        sqlx::raw_sql(ISOLATION).execute(&mut *connection).await?;
        let mut transaction = connection.begin().await?;
        let mut removed = 0;
        for part in writes.chunks(WRITES_PER_STATEMENT) {
            let list = vec!["?"; part.len()].join(",");
            let text = format!("DELETE FROM zipkind_link_unsettled WHERE id IN ({list})");
            let query = part.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, id| query.bind(*id));
            removed += query.execute(&mut *transaction).await?.rows_affected();
        }
        let is_last = sqlx::query(LAST_TALLY).fetch_one(&mut *transaction).await?.try_get::<i64, _>(0)? == last;
        if !is_last || removed != writes.len() as u64 {
            transaction.rollback().await?;
            return Ok(false);
        }
        // Another process with the same numbers fails here.
        for (number, tally) in (last + 1..).zip(tallies) {
            sqlx::query(
                "INSERT INTO zipkind_link_tally (number, min_ms, max_ms, made_ms, calls) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(number)
            .bind(tally.min_ms)
            .bind(tally.max_ms)
            .bind(self.clock.now_ms())
            .bind(tally.calls.as_slice())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}
