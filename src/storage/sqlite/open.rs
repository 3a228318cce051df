//! Opening the file: ours and whole, or a clear message; never a silent new database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};

use super::config::{SqliteConfig, Synchronous};
use super::error::{NAME, corrupt, is_busy, is_not_a_database, storage_error, unavailable};
use crate::storage::{ErrorKind, SchemaChange, StorageBackend, StorageError, StorageOptions};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
/// 'zipk', as the first migration sets it.
const APPLICATION_ID: i64 = 0x7a69_706b;
const OPERATION: &str = "open";
/// What the lock file says once there was a database.
const MARK: &[u8] = b"a database was opened here\n";
/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 128;

/// The schema that this binary reads and writes.
pub(super) fn schema_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The changes that would bring the file to this version; made, unless `is_dry`.
///
/// # Errors
/// When the file is not ours, or newer, or open in another process.
pub async fn migrate(config: &SqliteConfig, is_dry: bool) -> Result<Vec<SchemaChange>, StorageError> {
    let path = config.path.as_path();
    let version = file_version(path).await?;
    let pending = MIGRATIONS.iter().filter(|migration| migration.version > version).map(|migration| SchemaChange {
        name: format!("version {}: {}", migration.version, migration.description),
        sql: migration.sql.as_str().to_owned(),
    });
    let pending: Vec<SchemaChange> = pending.collect();
    if !is_dry {
        let clock = Arc::new(crate::telemetry::SystemClock);
        // Opening moves what lies in an older layout, too.
        super::SqliteStorage::open(config.clone(), StorageOptions::default(), clock).await?.close().await;
    }
    Ok(pending)
}

/// 0 without a file.
async fn file_version(path: &Path) -> Result<i64, StorageError> {
    check_owner(path).await?;
    if !path.exists() {
        return Ok(0);
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| explain(path, error))?;
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(|e| explain(path, e))?;
    sqlx::Connection::close(connection).await.map_err(|error| explain(path, error))?;
    Ok(version)
}

/// What an open file consists of.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) writer_options: SqliteConnectOptions,
    /// Moves the write-ahead log into the database.
    pub(super) checkpointer: SqliteConnection,
    pub(super) readers: SqlitePool,
    /// Held as long as the store is open: tells a second process to stay away.
    pub(super) lock: File,
}

pub(super) async fn open(config: &SqliteConfig) -> Result<Opened, StorageError> {
    make_directory(&config.path)?;
    let lock = lock(&config.path)?;
    look_at_file(&config.path, lock.metadata().is_ok_and(|metadata| metadata.len() > 0))?;
    let writer_options = connect_options(config)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .pragma("cache_size", cache_size(config.write_cache_bytes))
        // Done in the background.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", (2 * config.wal_checkpoint_bytes).to_string());
    let path = config.path.as_path();
    check_owner(path).await?;
    let mut writer = writer_options.connect().await.map_err(|error| explain(path, error))?;
    // `run` takes anything that gives a connection, which a future that must be `Send` cannot prove; this takes the connection.
    MIGRATIONS.run_direct(None, &mut writer, false).await.map_err(|error| explain_migration(path, error))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(config.read_connections.max(1))
        .acquire_timeout(config.busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(
            connect_options(config)
                .read_only(true)
                .pragma("cache_size", cache_size(config.read_cache_bytes))
                .thread_name(|index| format!("sqlite-read-{index}")),
        )
        .await
        .map_err(|error| explain(path, error))?;
    mark(&lock, path);
    let checkpointer = writer_options.clone().thread_name(|_| "sqlite-checkpoint".to_owned());
    let checkpointer = checkpointer.connect().await.map_err(|error| explain(path, error))?;
    Ok(Opened { writer, writer_options, checkpointer, readers, lock })
}

fn connect_options(config: &SqliteConfig) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match config.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Off => SqliteSynchronous::Off,
        })
        .busy_timeout(config.busy_timeout)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("temp_store", "memory")
        .thread_name(|_| "sqlite-write".to_owned())
        .disable_statement_logging()
}

/// SQLite's way to say bytes: negative KiB.
fn cache_size(bytes: u64) -> String {
    format!("-{}", (bytes / 1024).max(64))
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn make_directory(path: &Path) -> Result<(), StorageError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)
        .map_err(|error| unavailable(OPERATION, format!("cannot make the directory {directory:?}: {error}")))
}

/// One process at a time. A file of its own carries the lock: closing another handle of the database file would release
/// the engine's locks.
fn lock(path: &Path) -> Result<File, StorageError> {
    let lock_path = beside(path, "-lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(|error| unavailable(OPERATION, format!("cannot write {lock_path:?}: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(unavailable(OPERATION, format!("{path:?} is open in another process (it holds {lock_path:?})")))
        }
        Err(TryLockError::Error(error)) => Err(unavailable(OPERATION, format!("cannot lock {lock_path:?}: {error}"))),
    }
}

/// Notes in the lock file that there is a database: should it be empty or gone one day, that is not for lack of a start.
fn mark(mut lock: &File, path: &Path) {
    let is_marked = lock.metadata().is_ok_and(|metadata| metadata.len() > 0);
    if !is_marked && let Err(error) = lock.write_all(MARK) {
        tracing::warn!(?path, %error, "the lock file could not be written; an emptied database would not be noticed");
    }
}

/// Looks at the bytes before the engine does: it would replace or ignore some of what is wrong.
fn look_at_file(path: &Path, had_database: bool) -> Result<(), StorageError> {
    let wal_bytes = std::fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => {
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            if bytes == 0 && wal_bytes > 0 {
                return Err(corrupt(OPERATION, format!("{path:?} is empty but has a write-ahead log")));
            }
            if bytes == 0 && had_database {
                let reason = "is empty but was a database; restore it, or remove it to begin anew";
                return Err(corrupt(OPERATION, format!("{path:?} {reason}")));
            }
            if bytes > 0 && bytes < 512 {
                return Err(corrupt(OPERATION, format!("{path:?} is no SQLite database")));
            }
            // With a log the pages may be there.
            let wanted = if wal_bytes == 0 { bytes_of_pages(file) } else { None };
            match wanted.filter(|wanted| bytes < *wanted) {
                Some(wanted) => {
                    Err(corrupt(OPERATION, format!("{path:?} was cut: it has {bytes} bytes and should have {wanted}")))
                }
                None => Ok(()),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && wal_bytes == 0 => {
            if had_database {
                tracing::warn!(?path, "the database that was here is gone; a new one is made");
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(corrupt(OPERATION, format!("{path:?} is missing but its write-ahead log is there")))
        }
        Err(error) => Err(unavailable(OPERATION, format!("cannot write {path:?}: {error}"))),
    }
}

/// The bytes of all pages, as the head of a database tells them. `None` when it does not, or is none.
fn bytes_of_pages(mut file: File) -> Option<u64> {
    let mut head = [0; 100];
    file.read_exact(&mut head).ok()?;
    // The count of pages is true if it was written with the last change.
    if !head.starts_with(b"SQLite format 3\0") || head[24..28] != head[92..96] {
        return None;
    }
    let page_bytes = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    Some(page_bytes * u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]])))
}

/// Whether the file may be opened for writing: new, or ours and not newer than this binary.
async fn check_owner(path: &Path) -> Result<(), StorageError> {
    if !path.exists() {
        return Ok(());
    }
    // Without pragmas: nothing may be changed before it is known whose file it is.
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| explain(path, error))?;
    let read = |error| explain(path, error);
    let application_id: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await.map_err(read)?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(read)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await.map_err(read)?;
    sqlx::Connection::close(connection).await.map_err(read)?;
    let known = schema_version();
    // The migrator's own table comes before the first migration: a start that ended in between left nothing else.
    if application_id != APPLICATION_ID && tables > 1 {
        return Err(StorageError::new(
            ErrorKind::Rejected,
            NAME,
            OPERATION,
            format!("{path:?} is the database of another program (application id {application_id:#x})"),
        ));
    }
    if version > known {
        return Err(StorageError::new(
            ErrorKind::Rejected,
            NAME,
            OPERATION,
            format!("{path:?} has schema version {version}, made by a newer zipkind; this one knows {known}"),
        ));
    }
    Ok(())
}

fn explain(path: &Path, error: sqlx::Error) -> StorageError {
    if is_not_a_database(&error) {
        return corrupt(OPERATION, format!("{path:?} is no SQLite database"));
    }
    if is_busy(&error) {
        return unavailable(OPERATION, format!("{path:?} is locked by another process"));
    }
    let StorageError { kind, source, .. } = storage_error(OPERATION, error);
    StorageError::new(kind, NAME, OPERATION, format!("{path:?}: {source}"))
}

fn explain_migration(path: &Path, error: sqlx::migrate::MigrateError) -> StorageError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) => explain(path, error),
        error => StorageError::new(ErrorKind::Rejected, NAME, OPERATION, format!("cannot migrate {path:?}: {error}")),
    }
}
