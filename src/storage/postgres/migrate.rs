//! Making and upgrading the tables, once however many processes start together.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::PostgresEngine;
use super::error::{NAME, code, during, is_code, storage_error};
use crate::storage::{ErrorKind, StorageError};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
const OPERATION: &str = "migrate";
/// 'zipkind' as a number: transactions that change the schema wait for each other.
pub(super) const SCHEMA_LOCK: i64 = 0x7a_6970_6b69_6e64;
/// An owner may have made the schema for a user who may not.
const SETUP: &str = "DO $$ BEGIN IF to_regnamespace('zipkind') IS NULL THEN CREATE SCHEMA zipkind; END IF; END $$; \
    CREATE TABLE IF NOT EXISTS zipkind.migration (version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL, \
      applied_at TIMESTAMPTZ NOT NULL DEFAULT now())";

impl PostgresEngine {
    /// Brings the schema to this version. A newer one with only additions would be served; an unknown one is refused.
    pub(super) async fn migrate(&self) -> Result<(), StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        if self.is_current(&mut transaction).await.map_err(during(OPERATION))? {
            return Ok(());
        }
        self.query("SELECT pg_advisory_xact_lock($1)")
            .bind(SCHEMA_LOCK)
            .execute(&mut *transaction)
            .await
            .map_err(during(OPERATION))?;
        sqlx::raw_sql(SETUP).execute(&mut *transaction).await.map_err(explain)?;
        let applied = self.applied(&mut transaction).await.map_err(during(OPERATION))?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        if let Some(newer) = applied.iter().map(|(version, _)| *version).find(|version| *version > known) {
            let reason = format!("the schema has version {newer}, made by a newer zipkind; this one knows {known}");
            return Err(StorageError::new(ErrorKind::Rejected, NAME, OPERATION, reason));
        }
        for migration in MIGRATIONS.iter() {
            match applied.iter().find(|(version, _)| *version == migration.version) {
                Some((_, checksum)) if *checksum == *migration.checksum => continue,
                Some((version, _)) => {
                    let reason = format!("the schema's version {version} is not the one this zipkind knows");
                    return Err(StorageError::new(ErrorKind::Rejected, NAME, OPERATION, reason));
                }
                None => {}
            }
            // A constant of this binary.
            let text = AssertSqlSafe(migration.sql.as_str().to_owned());
            sqlx::raw_sql(text).execute(&mut *transaction).await.map_err(explain)?;
            self.query("INSERT INTO zipkind.migration (version, checksum) VALUES ($1, $2)")
                .bind(migration.version)
                .bind(&*migration.checksum)
                .execute(&mut *transaction)
                .await
                .map_err(during(OPERATION))?;
        }
        transaction.commit().await.map_err(during(OPERATION))
    }

    /// Whether nothing is to be done: then no right to create anything is needed.
    async fn is_current(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = self.query("SELECT to_regclass('zipkind.migration') IS NOT NULL").fetch_one(&mut *connection).await?;
        if !row.try_get::<bool, _>(0)? {
            return Ok(false);
        }
        let applied = self.applied(connection).await?;
        let is_applied = |version: i64, checksum: &[u8]| applied.iter().any(|(v, c)| *v == version && c == checksum);
        let count = MIGRATIONS.iter().count();
        Ok(applied.len() == count && MIGRATIONS.iter().all(|m| is_applied(m.version, &m.checksum)))
    }

    async fn applied(&self, connection: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
        let rows = self.query("SELECT version, checksum FROM zipkind.migration").fetch_all(connection).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

/// Names what an operator has to run when this user may not.
fn explain(error: sqlx::Error) -> StorageError {
    if !is_code(&error, code::INSUFFICIENT_PRIVILEGE) {
        return storage_error(OPERATION, error);
    }
    let reason = format!(
        "{error}; run as the database's owner: CREATE SCHEMA zipkind AUTHORIZATION <user>, or GRANT CREATE ON DATABASE \
         <database> TO <user>, with the user of this connection"
    );
    StorageError::new(ErrorKind::Rejected, NAME, OPERATION, reason)
}
