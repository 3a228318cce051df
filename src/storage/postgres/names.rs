//! The table of names.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{PgConnection, Row};

use super::PostgresEngine;
use crate::storage::sql::escape::{escape, unescape};
use crate::storage::sql::names::{Kind, Name, NewNames, text_key};

/// Writes or renews names as long as their list has room. $7 is the key of the empty owner: names of services that are not
/// listed are not listed either.
const WRITE: &str = "INSERT INTO zipkind.name AS stored (kind, owner_key, name_key, owner, name, seen_ms) \
    SELECT kind, owner_key, name_key, owner, name, $8 FROM ( \
      SELECT n.*, sum(CASE WHEN n.known THEN 0 ELSE 1 END) OVER (PARTITION BY n.kind, n.owner_key ORDER BY n.name_key) AS nth \
      FROM (SELECT u.*, EXISTS (SELECT 1 FROM zipkind.name AS k WHERE k.kind = u.kind AND k.owner_key = u.owner_key \
              AND k.name_key = u.name_key) AS known \
            FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) \
              AS u (kind, owner_key, name_key, owner, name, room)) AS n) AS q \
    WHERE (known OR nth + (SELECT count(*) FROM zipkind.name AS l WHERE l.kind = q.kind AND l.owner_key = q.owner_key) <= room) \
      AND (kind NOT IN (1, 2) OR EXISTS ( \
        SELECT 1 FROM zipkind.name AS s WHERE s.kind = 0 AND s.owner_key = $7 AND s.name_key = q.owner_key)) \
    ORDER BY kind, owner_key, name_key \
    ON CONFLICT (kind, owner_key, name_key) DO UPDATE SET seen_ms = greatest(stored.seen_ms, excluded.seen_ms)";

/// A list.
pub(super) const LIST: &str =
    "SELECT name FROM zipkind.name WHERE kind = $1 AND owner_key = $2 AND owner = $3 LIMIT $4";

impl PostgresEngine {
    /// Writes names inside a write's transaction. Services first: they decide about the others.
    pub(super) async fn write_names(&self, connection: &mut PgConnection, new: &NewNames) -> Result<(), sqlx::Error> {
        let (services, others): (Vec<&Name>, Vec<&Name>) =
            new.names.iter().partition(|name| name.kind == Kind::Service);
        if !services.is_empty() {
            self.write_query(&services).execute(&mut *connection).await?;
        }
        if !others.is_empty() {
            self.write_query(&others).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn write_query(&self, names: &[&Name]) -> Query<'static, Postgres, PgArguments> {
        self.query(WRITE)
            .bind(names.iter().map(|name| name.kind as i16).collect::<Vec<_>>())
            .bind(names.iter().map(|name| name.owner_key()).collect::<Vec<_>>())
            .bind(names.iter().map(|name| name.name_key()).collect::<Vec<_>>())
            .bind(names.iter().map(|name| escape(&name.owner).into_owned()).collect::<Vec<_>>())
            .bind(names.iter().map(|name| escape(&name.name).into_owned()).collect::<Vec<_>>())
            .bind(names.iter().map(|name| name.kind.max(&self.options) as i64).collect::<Vec<_>>())
            .bind(text_key(""))
            .bind(self.clock.now_ms())
    }

    pub(super) async fn list_names(&self, kind: Kind, owner: &str, max: usize) -> Result<Vec<String>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let rows = self
            .query(LIST)
            .bind(kind as i16)
            .bind(text_key(owner))
            .bind(escape(owner).into_owned())
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        rows.iter().map(|row| row.try_get(0).map(unescape)).collect()
    }
}
