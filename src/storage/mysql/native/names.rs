//! The table of names.

use sqlx::{MySqlConnection, Row};

use super::NativeEngine;
use crate::storage::sql::names::{Kind, Name, NewNames, text_key};

const WRITE: &str = "INSERT INTO zipkind_name (kind, owner_key, name_key, owner, name, seen_ms) \
    SELECT ?, ?, ?, ?, ?, ? FROM DUAL \
    WHERE (SELECT count(*) FROM zipkind_name AS l WHERE l.kind = ? AND l.owner_key = ?) < ? \
      AND (? OR EXISTS (SELECT 1 FROM zipkind_name AS s WHERE s.kind = 0 AND s.owner_key = ? AND s.name_key = ?)) \
    ON DUPLICATE KEY UPDATE seen_ms = greatest(zipkind_name.seen_ms, VALUES(seen_ms))";

/// A list.
pub(in crate::storage::mysql) const LIST: &str =
    "SELECT name FROM zipkind_name WHERE kind = ? AND owner_key = ? AND owner = ? LIMIT ?";

impl NativeEngine {
    /// Writes or renews names inside a write's transaction, as long as their list has room. They are seldom new, and come in
    /// the order in which every writer touches them: services first, which decide about the others.
    pub(super) async fn write_names(
        &self,
        connection: &mut MySqlConnection,
        new: &NewNames,
    ) -> Result<(), sqlx::Error> {
        for name in &new.names {
            self.write_name(connection, name).await?;
        }
        Ok(())
    }

    async fn write_name(&self, connection: &mut MySqlConnection, name: &Name) -> Result<(), sqlx::Error> {
        let now_ms = self.clock.now_ms();
        let renewed = sqlx::query(
            "UPDATE zipkind_name SET seen_ms = greatest(seen_ms, ?) WHERE kind = ? AND owner_key = ? AND name_key = ?",
        )
        .bind(now_ms)
        .bind(name.kind as i8)
        .bind(name.owner_key())
        .bind(name.name_key())
        .execute(&mut *connection)
        .await?;
        if renewed.rows_affected() > 0 {
            return Ok(());
        }
        let of_service = matches!(name.kind, Kind::Span | Kind::Remote);
        sqlx::query(WRITE)
            .bind(name.kind as i8)
            .bind(name.owner_key())
            .bind(name.name_key())
            .bind(&name.owner)
            .bind(&name.name)
            .bind(now_ms)
            .bind(name.kind as i8)
            .bind(name.owner_key())
            .bind(i64::try_from(name.kind.max(&self.options)).unwrap_or(i64::MAX))
            .bind(!of_service)
            .bind(text_key(""))
            .bind(name.owner_key())
            .execute(&mut *connection)
            .await
            .map(|_| ())
    }

    pub(super) async fn list_names(&self, kind: Kind, owner: &str, max: usize) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query(LIST)
            .bind(kind as i8)
            .bind(text_key(owner))
            .bind(owner)
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}
