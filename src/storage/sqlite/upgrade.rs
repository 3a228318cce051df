//! Moving what the first layout holds into this one, when the file is opened.
//!
//! Fragments are read in order of arrival, put into `recent` and removed in one transaction, and sealed like any other spans. A
//! start that is interrupted goes on where it was. At the end the old tables are removed.

use std::sync::Arc;

use sqlx::{Connection, Row, SqliteConnection};

use super::Store;
use super::error::{corrupt, during};
use super::live::RecentRow;
use super::row;
use super::seal::open_writer;
use crate::model::SpanBatch;
use crate::storage::StorageError;

const OPERATION: &str = "upgrade";
/// Fragments moved in one transaction.
const FRAGMENTS_PER_TURN: i64 = 4_096;

impl Store {
    /// Moves everything; does nothing to a file that has nothing of the first layout.
    pub(super) async fn upgrade(self: &Arc<Self>) -> Result<(), StorageError> {
        let tables: i64 = self.ask("SELECT count(*) FROM sqlite_schema WHERE name = 'fragment'").await?;
        if tables == 0 {
            return Ok(());
        }
        let fragments: i64 = self.ask("SELECT coalesce(max(id) - min(id) + 1, 0) FROM fragment").await?;
        if fragments > 0 {
            tracing::info!(fragments, "moving spans into the new layout; this is done once");
        }
        let mut moved = 0;
        while self.move_some(&mut moved).await? {
            self.seal_while_due().await?;
        }
        let mut writer = self.writer.lock().await;
        let writer = open_writer(&mut writer)?;
        for table in ["fragment", "posting", "wide_trace", "name", "arrival"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}")))
                .execute(writer.connection())
                .await
                .map_err(during(OPERATION))?;
            writer.bound_log(0).await;
        }
        if fragments > 0 {
            tracing::info!(spans = moved, "the spans are in the new layout");
        }
        Ok(())
    }

    async fn ask(&self, sql: &'static str) -> Result<i64, StorageError> {
        sqlx::query_scalar(sql).fetch_one(&self.reader.pool).await.map_err(during(OPERATION))
    }

    /// Moves the oldest fragments; false when there are none.
    async fn move_some(&self, moved: &mut usize) -> Result<bool, StorageError> {
        let mut writer = self.writer.lock().await;
        let writer = open_writer(&mut writer)?;
        let id = writer.next_row;
        let now_ms = self.clock.now_ms();
        let moving = move_fragments(writer.connection(), id, now_ms, &self.reader);
        let Some((row, spans)) = moving.await? else { return Ok(false) };
        writer.next_row = id + 1;
        writer.bound_log(spans.record_bytes()).await;
        *moved += spans.len();
        self.live.add(row, &spans);
        Ok(true)
    }
}

async fn move_fragments(
    connection: &mut SqliteConnection,
    id: i64,
    now_ms: i64,
    reader: &super::read::Reader,
) -> Result<Option<(RecentRow, SpanBatch)>, StorageError> {
    let engine = during(OPERATION);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&engine)?;
    let rows = sqlx::query(
        "SELECT id, spans, (SELECT arrived_ms FROM arrival WHERE first_id <= fragment.id ORDER BY first_id DESC LIMIT 1) \
         FROM fragment ORDER BY id LIMIT ?1",
    )
    .bind(FRAGMENTS_PER_TURN)
    .fetch_all(&mut *transaction)
    .await
    .map_err(&engine)?;
    let (mut spans, mut last, mut arrived_ms) = (SpanBatch::new(), 0_i64, 0_i64);
    for found in &rows {
        last = found.try_get(0).map_err(&engine)?;
        arrived_ms = arrived_ms.max(found.try_get::<Option<i64>, _>(2).map_err(&engine)?.unwrap_or(0));
        if let Err(error) = row::decode(found.try_get(1).map_err(&engine)?, &mut spans) {
            // Nothing could read it before either.
            reader.damage.note(&format!("fragment {last}"), &corrupt(OPERATION, error.to_string()));
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    // Without a note nothing may seem so old that it expires at once.
    let arrived_ms = if arrived_ms > 0 { arrived_ms } else { now_ms };
    sqlx::query("INSERT INTO recent (id, arrived_ms, spans) VALUES (?1, ?2, ?3)")
        .bind(id)
        .bind(arrived_ms)
        .bind(row::encode(spans.records()))
        .execute(&mut *transaction)
        .await
        .map_err(&engine)?;
    sqlx::query("DELETE FROM fragment WHERE id <= ?1").bind(last).execute(&mut *transaction).await.map_err(&engine)?;
    transaction.commit().await.map_err(&engine)?;
    Ok(Some((RecentRow { id, spans: spans.len(), arrived_ms }, spans)))
}
