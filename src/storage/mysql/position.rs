//! Source positions, in every layout.

use sqlx::{MySqlConnection, MySqlPool, Row};

use crate::storage::SourcePosition;
use crate::storage::sql::transaction::in_order;

/// How far a source has been stored.
pub(super) const STORED: &str = "SELECT batch_from, `next`, last_message_ms, last_message_checksum FROM zipkind_source_position \
     WHERE consumer_group = ? AND topic = ? AND `partition` = ?";

/// Moves each position whose stored value is where the batch begins; gives the others. Sources are touched in one order,
/// batches of one source in theirs.
pub(super) async fn move_positions(
    connection: &mut MySqlConnection,
    positions: &[&SourcePosition],
) -> Result<Vec<usize>, sqlx::Error> {
    let mut stale = Vec::new();
    for index in in_order(positions) {
        if !move_one(connection, positions[index]).await? {
            stale.push(index);
        }
    }
    Ok(stale)
}

/// The row of a source that is new is made first; then one statement compares and sets.
async fn move_one(connection: &mut MySqlConnection, position: &SourcePosition) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE zipkind_source_position SET batch_from = ?, `next` = ?, last_message_ms = ?, last_message_checksum = ? \
         WHERE consumer_group = ? AND topic = ? AND `partition` = ? AND `next` = ?",
    )
    .bind(position.from)
    .bind(position.next)
    .bind(position.last_message_ms)
    .bind(position.last_message_checksum as i64)
    .bind(&position.group)
    .bind(&position.topic)
    .bind(position.partition)
    .bind(position.from)
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() > 0 {
        return Ok(true);
    }
    let made = sqlx::query(
        "INSERT IGNORE INTO zipkind_source_position \
         (consumer_group, topic, `partition`, batch_from, `next`, last_message_ms, last_message_checksum) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&position.group)
    .bind(&position.topic)
    .bind(position.partition)
    .bind(position.from)
    .bind(position.next)
    .bind(position.last_message_ms)
    .bind(position.last_message_checksum as i64)
    .execute(&mut *connection)
    .await?;
    Ok(made.rows_affected() > 0)
}

pub(super) async fn stored_position(
    pool: &MySqlPool,
    group: &str,
    topic: &str,
    partition: i32,
) -> Result<Option<SourcePosition>, sqlx::Error> {
    let row = sqlx::query(STORED).bind(group).bind(topic).bind(partition).fetch_optional(pool).await?;
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
pub(super) async fn is_stored(pool: &MySqlPool, positions: &[&SourcePosition]) -> bool {
    let Some(position) = positions.last() else { return false };
    let stored = stored_position(pool, &position.group, &position.topic, position.partition).await;
    stored.is_ok_and(|stored| stored.as_ref() == Some(*position))
}
