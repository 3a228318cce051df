//! Making and upgrading the tables, once however many processes start together.

use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::PostgresEngine;
use super::error::{NAME, code, during, is_code, storage_error};
use crate::storage::{ErrorKind, SchemaChange, StorageError};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
const OPERATION: &str = "migrate";
/// 'zipkind' as a number: transactions that change the schema wait for each other.
pub(super) const SCHEMA_LOCK: i64 = 0x7a_6970_6b69_6e64;
/// In the text of migrations that processes of the version before may go on working with.
const ADDITIVE: &str = "-- Additive:";
/// The migration that made the column which says so.
const ADDITIVE_SINCE: i64 = 4;
/// An owner may have made the schema for a user who may not.
const SETUP: &str = "DO $$ BEGIN IF to_regnamespace('zipkind') IS NULL THEN CREATE SCHEMA zipkind; END IF; END $$; \
    CREATE TABLE IF NOT EXISTS zipkind.migration (version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL, \
      applied_at TIMESTAMPTZ NOT NULL DEFAULT now())";

/// A migration that the schema has.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
    /// Processes that do not know it may work with it.
    is_additive: bool,
}

impl PostgresEngine {
    /// Brings the schema to this version. A newer one with only additions is served, so that processes of two versions can work
    /// and start beside each other; any other newer one is refused.
    pub(super) async fn migrate(&self) -> Result<(), StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        // When nothing is to be done, no right to create anything is needed.
        if let Some(applied) = self.applied(&mut transaction).await.map_err(during(OPERATION))?
            && judge(&applied)?.is_empty()
        {
            return Ok(());
        }
        self.query("SELECT pg_advisory_xact_lock($1)")
            .bind(SCHEMA_LOCK)
            .execute(&mut *transaction)
            .await
            .map_err(during(OPERATION))?;
        sqlx::raw_sql(SETUP).execute(&mut *transaction).await.map_err(explain)?;
        let applied = self.applied(&mut transaction).await.map_err(during(OPERATION))?;
        for migration in judge(&applied.unwrap_or_default())? {
            // A constant of this binary.
            let text = AssertSqlSafe(migration.sql.as_str().to_owned());
            sqlx::raw_sql(text).execute(&mut *transaction).await.map_err(explain)?;
            self.note(&mut transaction, migration).await.map_err(during(OPERATION))?;
        }
        transaction.commit().await.map_err(during(OPERATION))
    }

    async fn note(&self, connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
        let checksum = migration.checksum.to_vec();
        let noted = if migration.version < ADDITIVE_SINCE {
            self.query("INSERT INTO zipkind.migration (version, checksum) VALUES ($1, $2)")
                .bind(migration.version)
                .bind(checksum)
        } else {
            self.query("INSERT INTO zipkind.migration (version, checksum, is_additive) VALUES ($1, $2, $3)")
                .bind(migration.version)
                .bind(checksum)
                .bind(migration.sql.as_str().contains(ADDITIVE))
        };
        noted.execute(connection).await.map(|_| ())
    }

    /// What is missing to this version.
    pub(super) async fn pending(&self) -> Result<Vec<SchemaChange>, StorageError> {
        let mut transaction = self.pool.begin().await.map_err(during(OPERATION))?;
        let applied = self.applied(&mut transaction).await.map_err(during(OPERATION))?;
        transaction.rollback().await.map_err(during(OPERATION))?;
        let setup = SchemaChange { name: "the schema zipkind".to_owned(), sql: format!("{SETUP};") };
        let setup = applied.is_none().then_some(setup);
        let missing = judge(&applied.unwrap_or_default())?.into_iter().map(|migration| {
            let name = format!("version {}: {}", migration.version, migration.description);
            SchemaChange { name, sql: migration.sql.as_str().to_owned() }
        });
        Ok(setup.into_iter().chain(missing).collect())
    }

    /// For those who only read.
    pub(super) async fn must_be_current(&self) -> Result<(), StorageError> {
        let missing = self.pending().await?;
        let Some(first) = missing.first() else { return Ok(()) };
        let reason = format!("the database lacks {}: run `zipkind store migrate` on it", first.name);
        Err(StorageError::new(ErrorKind::Rejected, NAME, "open", reason))
    }

    /// What the schema has; `None` without a table that says so.
    async fn applied(&self, connection: &mut PgConnection) -> Result<Option<Vec<Applied>>, sqlx::Error> {
        let has_table = self.query("SELECT to_regclass('zipkind.migration') IS NOT NULL");
        if !has_table.fetch_one(&mut *connection).await?.try_get::<bool, _>(0)? {
            return Ok(None);
        }
        // The column may not be there yet.
        let rows = self
            .query(
                "SELECT version, checksum, coalesce((to_jsonb(m)->>'is_additive')::boolean, false) \
                 FROM zipkind.migration AS m",
            )
            .fetch_all(connection)
            .await?;
        let applied = |row: &PgRow| {
            Ok(Applied { version: row.try_get(0)?, checksum: row.try_get(1)?, is_additive: row.try_get(2)? })
        };
        rows.iter().map(applied).collect::<Result<_, _>>().map(Some)
    }
}

/// The migrations that a schema lacks, in their order. One of another kind is refused: it may mean something else by its tables.
fn judge(applied: &[Applied]) -> Result<Vec<&'static Migration>, StorageError> {
    let refused = |reason| Err(StorageError::new(ErrorKind::Rejected, NAME, OPERATION, reason));
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if let Some(newer) = applied.iter().find(|applied| applied.version > known && !applied.is_additive) {
        let version = newer.version;
        return refused(format!("the schema has version {version}, made by a newer zipkind; this one knows {known}"));
    }
    let mut missing = Vec::new();
    for migration in MIGRATIONS.iter() {
        match applied.iter().find(|applied| applied.version == migration.version) {
            Some(applied) if applied.checksum == *migration.checksum => {}
            Some(Applied { version, .. }) => {
                return refused(format!("the schema's version {version} is not the one this zipkind knows"));
            }
            None => missing.push(migration),
        }
    }
    Ok(missing)
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
