//! Work that one process does for all.

use std::time::Duration;

use sqlx::PgConnection;

use super::PostgresEngine;

impl PostgresEngine {
    /// Takes or renews a lease; false when another process has it. Time is the database's: clocks of processes differ.
    pub(super) async fn take_lease(&self, name: &'static str, time: Duration) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let taken = self
            .query(
                "INSERT INTO zipkind.lease AS held (name, holder, expires_ms) \
                 VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3) \
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_ms = excluded.expires_ms \
                 WHERE held.holder = excluded.holder \
                    OR held.expires_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
            )
            .bind(name)
            .bind(self.holder.as_str())
            .bind(time.as_millis() as i64)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Whether this process still has a lease; nobody else gets it before the transaction ends.
    pub(super) async fn holds_lease(
        &self,
        connection: &mut PgConnection,
        name: &'static str,
    ) -> Result<bool, sqlx::Error> {
        let query = self.query("SELECT 1 FROM zipkind.lease WHERE name = $1 AND holder = $2 FOR UPDATE");
        let held = query.bind(name).bind(self.holder.as_str()).fetch_optional(connection).await?;
        Ok(held.is_some())
    }
}
