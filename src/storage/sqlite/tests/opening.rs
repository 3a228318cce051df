//! Whose file it is, and what is said when it is not ours.

use std::fs;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::support::{HandClock, batch, config, open, span};
use crate::storage::{ErrorKind, SpanConsumer, SqliteStorage, StorageBackend, StorageError, StorageOptions};

async fn refused(directory: &Path) -> StorageError {
    SqliteStorage::open(config(directory), StorageOptions::default(), HandClock::new()).await.unwrap_err()
}

async fn change(directory: &Path, statement: &'static str) {
    let path = config(directory).path;
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_text_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["short".to_owned(), "a long letter to someone\n".repeat(100)] {
        fs::write(config(directory.path()).path, &text).unwrap();
        let error = refused(directory.path()).await;
        assert!(error.to_string().contains("no SQLite database"), "{error}");
        assert_eq!(fs::read_to_string(config(directory.path()).path).unwrap(), text);
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    change(directory.path(), "CREATE TABLE orders (id INTEGER); CREATE TABLE customers (id INTEGER);").await;
    let error = refused(directory.path()).await;
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.close().await;
    change(directory.path(), "PRAGMA user_version = 999;").await;
    let error = refused(directory.path()).await;
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("made by a newer zipkind"), "{error}");
}

#[tokio::test]
async fn a_log_without_its_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path()).path;
    fs::write(directory.path().join("zipkind.db-wal"), [7; 4096]).unwrap();
    assert!(refused(directory.path()).await.to_string().contains("write-ahead log"));
    assert!(!path.exists());
    fs::write(&path, []).unwrap();
    assert!(refused(directory.path()).await.to_string().contains("write-ahead log"));
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let error = refused(&directory.path().join("file/inside")).await;
    assert!(error.to_string().contains("cannot make the directory"), "{error}");
}

#[tokio::test]
async fn a_second_opening_is_refused_until_the_first_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).await;
    let error = refused(directory.path()).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().contains("open in another process"), "{error}");
    first.close().await;
    drop(first);
    open(directory.path()).await.close().await;
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.close().await;
    let path = config(directory.path()).path;
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA locking_mode = exclusive; BEGIN IMMEDIATE; DELETE FROM taken; COMMIT;")
        .execute(&mut other)
        .await
        .unwrap();
    let config =
        crate::storage::SqliteConfig { busy_timeout: std::time::Duration::from_millis(20), ..config(directory.path()) };
    let error = SqliteStorage::open(config, StorageOptions::default(), HandClock::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().contains("locked by another process"), "{error}");
}

#[tokio::test]
async fn closing_leaves_one_file_without_log() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).await;
    storage.write(&[batch(span(1, 1, "a", 1))]).await.remove(0).unwrap();
    storage.close().await;
    assert!(!directory.path().join("zipkind.db-wal").exists());
}
