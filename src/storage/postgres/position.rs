//! Source positions.

use sqlx::{PgConnection, Row};

use super::PostgresEngine;
use crate::storage::SourcePosition;
use crate::storage::sql::escape::escape;
use crate::storage::sql::transaction::in_order;

/// How far a source has been stored.
pub(super) const STORED: &str = "SELECT batch_from, next, last_message_ms, last_message_checksum FROM zipkind.source_position \
     WHERE consumer_group = $1 AND topic = $2 AND partition = $3";

impl PostgresEngine {
    /// Moves each position whose stored value is where the batch begins; gives the others. Sources are touched in one order,
    /// batches of one source in theirs.
    pub(super) async fn move_positions(
        &self,
        connection: &mut PgConnection,
        positions: &[&SourcePosition],
    ) -> Result<Vec<usize>, sqlx::Error> {
        let mut stale = Vec::new();
        for index in in_order(positions) {
            let position = positions[index];
            let moved = self
                .query(
                    "INSERT INTO zipkind.source_position AS stored \
                     (consumer_group, topic, partition, batch_from, next, last_message_ms, last_message_checksum) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) \
                     ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET \
                     batch_from = excluded.batch_from, next = excluded.next, \
                     last_message_ms = excluded.last_message_ms, last_message_checksum = excluded.last_message_checksum \
                     WHERE stored.next = excluded.batch_from",
                )
                .bind(escape(&position.group).into_owned())
                .bind(escape(&position.topic).into_owned())
                .bind(position.partition)
                .bind(position.from)
                .bind(position.next)
                .bind(position.last_message_ms)
                .bind(position.last_message_checksum as i64)
                .execute(&mut *connection)
                .await?;
            if moved.rows_affected() == 0 {
                stale.push(index);
            }
        }
        Ok(stale)
    }

    pub(super) async fn stored_position(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<SourcePosition>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let row = self
            .query(STORED)
            .bind(escape(group).into_owned())
            .bind(escape(topic).into_owned())
            .bind(partition)
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SourcePosition {
            group: group.to_owned(),
            topic: topic.to_owned(),
            partition,
            from: row.try_get(0)?,
            next: row.try_get(1)?,
            last_message_ms: row.try_get(2)?,
            last_message_checksum: row.try_get::<i64, _>(3)? as u64,
        }))
    }

    /// Whether a transaction with these positions was committed, as far as they can tell.
    pub(super) async fn is_stored(&self, positions: &[&SourcePosition]) -> bool {
        let Some(position) = positions.last() else { return false };
        // The last of its source: those before it were overwritten.
        let stored = self.stored_position(&position.group, &position.topic, position.partition).await;
        stored.is_ok_and(|stored| stored.as_ref() == Some(*position))
    }
}
