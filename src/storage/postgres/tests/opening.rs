//! Making the tables, and saying why not.

use std::sync::Arc;

use sqlx::Connection;

use super::super::{PostgresConfig, PostgresEngine};
use super::support::{HandClock, empty_config, open, put, read, scalar, span_at};
use crate::storage::{ErrorKind, SpanConsumer, StorageBackend, StorageOptions};
use crate::telemetry::Clock;

async fn error_of(config: PostgresConfig) -> crate::storage::StorageError {
    let clock: Arc<dyn Clock> = HandClock::new();
    PostgresEngine::open(config, StorageOptions::default(), clock).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_make_the_tables_once() {
    let config = empty_config();
    let start = || open(config.clone(), StorageOptions::default(), HandClock::new());
    let stores = tokio::join!(start(), start(), start());
    put(&stores.0, span_at(1, 1, "a", 5)).await;
    assert_eq!(read(&stores.1, &[1]).await.len(), 1);
    assert_eq!(scalar(&stores.2, "SELECT count(*) FROM zipkind.migration").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_version_is_refused() {
    let config = empty_config();
    let first = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    sqlx::query("INSERT INTO zipkind.migration (version, checksum) VALUES (99, '')")
        .execute(&first.engine().pool)
        .await
        .unwrap();
    let error = error_of(config).await;
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("made by a newer zipkind"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_create_the_start_names_what_to_run() {
    let config = empty_config();
    let url = config.url.clone().unwrap();
    let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
    let user = format!("u_{:016x}", fastrand::u64(..));
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE ROLE {user} LOGIN"))).execute(&mut owner).await.unwrap();
    let restricted = PostgresConfig { url: Some(url.replace("zipkin@", &format!("{user}@"))), ..config.clone() };
    let error = error_of(restricted.clone()).await;
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.to_string().contains("CREATE SCHEMA zipkind AUTHORIZATION"), "{error}");
    let text = format!("CREATE SCHEMA zipkind AUTHORIZATION {user}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut owner).await.unwrap();
    let store = open(restricted, StorageOptions::default(), HandClock::new()).await;
    store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_told_holds_the_password() {
    let url = "postgres://u:hunter2@127.0.0.1:1/d".to_owned();
    let config = PostgresConfig { url: Some(url), ..PostgresConfig::default() };
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = error_of(config).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    assert!(PostgresConfig::check_url("mysql://u:hunter2@h/d").unwrap_err().contains("postgres://"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_unhealthy() {
    let config = empty_config();
    let first = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    first.check().await.unwrap();
    let database = scalar(&first, "SELECT current_database()").await;
    let text = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&first.engine().pool).await.unwrap();
    let store = open(config, StorageOptions::default(), HandClock::new()).await;
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let batch = crate::storage::Batch { spans: span_at(1, 1, "a", 5), position: None };
    let written = store.write(&[batch]).await.remove(0);
    assert_eq!(written.unwrap_err().kind, ErrorKind::Unavailable, "kept and offered again, not refused");
}
