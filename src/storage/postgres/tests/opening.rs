//! Making the tables, and saying why not.

use std::sync::Arc;

use sqlx::Connection;

use super::super::{PostgresConfig, PostgresEngine, migrate_postgres, open_postgres_to_read};
use super::support::{HandClock, NOW_MS, empty_config, open, put, read, scalar, span_at, unmigrated};
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
    assert_eq!(scalar(&stores.2, "SELECT count(*) FROM zipkind.migration").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_version_is_refused() {
    let config = empty_config();
    let first = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    sqlx::query("INSERT INTO zipkind.migration (version, checksum) VALUES (99, '')")
        .execute(&first.engine().pool)
        .await
        .unwrap();
    refused_everywhere(config, "made by a newer zipkind").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_kind_is_refused() {
    let config = empty_config();
    let first = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    sqlx::query("UPDATE zipkind.migration SET checksum = '' WHERE version = 2")
        .execute(&first.engine().pool)
        .await
        .unwrap();
    refused_everywhere(config, "version 2 is not the one").await;
}

/// By a server, by a command that only reads, and by one that only tells what it would do.
async fn refused_everywhere(config: PostgresConfig, why: &str) {
    let clock = || -> Arc<dyn Clock> { HandClock::new() };
    let read = open_postgres_to_read(config.clone(), StorageOptions::default(), clock()).await.err().unwrap();
    let told = migrate_postgres(config.clone(), clock(), true).await.unwrap_err();
    for error in [error_of(config).await, read, told] {
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Two versions on one schema, as while processes are replaced one after another.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_additions_of_a_newer_version_is_served() {
    let config = empty_config();
    let first = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    sqlx::query("INSERT INTO zipkind.migration (version, checksum, is_additive) VALUES (99, '', true)")
        .execute(&first.engine().pool)
        .await
        .unwrap();
    let second = open(config, StorageOptions::default(), HandClock::new()).await;
    put(&second, span_at(1, 1, "a", 5)).await;
    assert_eq!(read(&first, &[1]).await.len(), 1);
}

/// The tables of the version before, and a process that goes on writing rows as it did while this one upgrades them.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_upgraded_below_a_process_that_writes() {
    let config = empty_config();
    let mut owner = sqlx::PgConnection::connect(config.url.as_deref().unwrap()).await.unwrap();
    sqlx::raw_sql(
        "CREATE SCHEMA zipkind; CREATE TABLE zipkind.migration \
         (version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    for migration in super::super::migrate::MIGRATIONS.iter().take(3) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(migration.sql.as_str().to_owned())).execute(&mut owner).await.unwrap();
        sqlx::query("INSERT INTO zipkind.migration (version, checksum) VALUES ($1, $2)")
            .bind(migration.version)
            .bind(migration.checksum.to_vec())
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let older = Arc::new(unmigrated(&config).await);
    let writer = tokio::spawn({
        let older = Arc::clone(&older);
        async move {
            for low in 1..=60 {
                put(&*older, span_at(low, 1, "a", NOW_MS * 1000)).await;
            }
        }
    });
    let newer = open(config, StorageOptions::default(), HandClock::new()).await;
    for low in 31..=90 {
        put(&newer, span_at(low, 1, "a", NOW_MS * 1000)).await;
    }
    writer.await.unwrap();
    let lows: Vec<u64> = (1..=90).collect();
    for store in [&*older, &newer] {
        let traces = read(store, &lows).await;
        assert_eq!(traces.len(), 90);
        assert!(traces.iter().all(|trace| trace.len() == 1));
    }
    assert_eq!(scalar(&newer, "SELECT count(*) FROM zipkind.migration").await, "4");
    assert_eq!(
        scalar(&newer, "SELECT count(*) FROM zipkind.fragment").await,
        "90",
        "one row for each, whoever wrote it"
    );
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
