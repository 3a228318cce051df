//! Tallies of calls, and the writes that are in none.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::PostgresEngine;
use super::read::LAST_TALLY;
use crate::storage::sql::links::LEASE_NAME;
use crate::storage::sql::rows::DAY_MS;
use crate::storage::sql::tally::{Tally, TallyRow};

/// Tallies read at once where a day goes.
const RETIRE_ROWS: i64 = 32;

const INSERT_UNSETTLED: &str = "INSERT INTO zipkind.link_unsettled (id, arrived, traces) VALUES ($1, $2, $3)";

impl PostgresEngine {
    /// Names traces that are in no tally, or not with all of their spans.
    pub(super) async fn name_unsettled(
        &self,
        connection: &mut PgConnection,
        traces: &[u8],
        arrived: i64,
    ) -> Result<(), sqlx::Error> {
        let query = self.query(INSERT_UNSETTLED).bind(fastrand::i64(..)).bind(arrived).bind(traces.to_vec());
        query.execute(connection).await.map(|_| ())
    }

    /// Puts tallies in the place of writes.
    pub(super) async fn settle_writes(
        &self,
        writes: &[i64],
        tallies: &[TallyRow],
        last: i64,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !self.holds_lease(&mut transaction, LEASE_NAME).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        let removed = self
            .query("DELETE FROM zipkind.link_unsettled WHERE id = ANY($1)")
            .bind(writes.to_vec())
            .execute(&mut *transaction)
            .await?;
        let is_last = self.query(LAST_TALLY).fetch_one(&mut *transaction).await?.try_get::<i64, _>(0)? == last;
        if !is_last || removed.rows_affected() != writes.len() as u64 {
            transaction.rollback().await?;
            return Ok(false);
        }
        // Another process with the same numbers fails here.
        for (number, tally) in (last + 1..).zip(tallies) {
            self.query(
                "INSERT INTO zipkind.link_tally (number, min_ms, max_ms, made_ms, calls) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(number)
            .bind(tally.min_ms)
            .bind(tally.max_ms)
            .bind(self.clock.now_ms())
            .bind(tally.calls.clone())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes what tells of a day, in the transaction that removes its spans. Traces that may have others are unsettled again.
    pub(super) async fn retire_tallies(&self, connection: &mut PgConnection, start_ms: i64) -> Result<(), sqlx::Error> {
        let end_ms = start_ms + DAY_MS;
        self.query("DELETE FROM zipkind.link_tally WHERE min_ms >= $1 AND max_ms < $2")
            .bind(start_ms)
            .bind(end_ms)
            .execute(&mut *connection)
            .await?;
        let mut after = 0_i64;
        loop {
            let partly = self
                .query(
                    "SELECT number, max_ms, calls FROM zipkind.link_tally WHERE max_ms >= $1 AND min_ms < $2 AND number > $3 \
                     ORDER BY number LIMIT $4",
                )
                .bind(start_ms)
                .bind(end_ms)
                .bind(after)
                .bind(RETIRE_ROWS)
                .fetch_all(&mut *connection)
                .await?;
            let Some(last) = partly.last() else { return Ok(()) };
            after = last.try_get(0)?;
            for row in &partly {
                self.unsettle(connection, row).await?;
            }
        }
    }

    /// What is damaged stays, and keeps links from being added up.
    async fn unsettle(&self, connection: &mut PgConnection, row: &PgRow) -> Result<(), sqlx::Error> {
        let calls: Vec<u8> = row.try_get(2)?;
        let Some(tally) = Tally::read(&calls, row.try_get(1)?) else { return Ok(()) };
        let traces: Vec<u8> = tally.traces.iter().flat_map(|trace| trace.low.to_be_bytes()).collect();
        self.name_unsettled(connection, &traces, self.clock.now_ms().saturating_mul(1000)).await?;
        self.query("DELETE FROM zipkind.link_tally WHERE number = $1")
            .bind(row.try_get::<i64, _>(0)?)
            .execute(connection)
            .await
            .map(|_| ())
    }

    /// Tallies of traces that are gone: what had no day of its own went by time and arrival.
    pub(super) async fn remove_tallies(
        &self,
        connection: &mut PgConnection,
        cut_ms: i64,
        stay_ms: i64,
    ) -> Result<(), sqlx::Error> {
        // Days that had a partition may have stayed a little longer than their time.
        let cut_ms = cut_ms.saturating_sub(4 * DAY_MS);
        self.query(
            "DELETE FROM zipkind.link_tally WHERE ((max_ms < $1 AND made_ms < $2) OR made_ms < $1) \
             AND NOT EXISTS (SELECT 1 FROM zipkind.fragment WHERE max_ms > 0 AND max_ms < $1)",
        )
        .bind(cut_ms)
        .bind(stay_ms)
        .execute(connection)
        .await
        .map(|_| ())
    }
}
