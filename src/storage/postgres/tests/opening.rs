//! Making the tables, and saying why not.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};

use super::super::{PostgresConfig, PostgresEngine, migrate_postgres, open_postgres_to_read};
use super::support::{HandClock, NOW_MS, empty_config, open, put, read, scalar, span_at, store, unmigrated};
use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::{ErrorKind, QueryBudget, SpanConsumer, SpanStore, StorageBackend, StorageOptions};
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
    assert_eq!(scalar(&stores.2, "SELECT count(*) FROM zipkind.migration").await, "6");
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
    let older = unmigrated(&config).await;
    let donor = store(&HandClock::new()).await;
    for low in 1..=60 {
        put(&donor, tagged_at(low)).await;
    }
    let all = "SELECT day, trace_low, content, min_ms, max_ms, arrived, service_bits, spans FROM zipkind.fragment \
               ORDER BY arrived";
    let mut rows = sqlx::query(all).fetch_all(&donor.engine().pool).await.unwrap();
    let later = rows.split_off(10);
    let owner = write_as_before(owner, rows).await;
    let writer = tokio::spawn(write_as_before(owner, later));
    let newer = open(config, StorageOptions::default(), HandClock::new()).await;
    for low in 31..=90 {
        put(&newer, tagged_at(low)).await;
    }
    writer.await.unwrap();
    let lows: Vec<u64> = (1..=90).collect();
    for store in [&older, &newer] {
        let traces = read(store, &lows).await;
        assert_eq!(traces.len(), 90);
        assert!(traces.iter().all(|trace| trace.len() == 1));
    }
    assert_eq!(scalar(&newer, "SELECT count(*) FROM zipkind.migration").await, "6");
    assert_eq!(
        scalar(&newer, "SELECT count(*) FROM zipkind.fragment").await,
        "90",
        "one row for each, whoever wrote it"
    );
    // Newer ones, so that a search does not meet the others before it asks for terms.
    let mut many = SpanBatch::new();
    (1_000..1_600).for_each(|low| many.append(&span_at(low, 1, "a", (NOW_MS + 60_000) * 1000)));
    put(&newer, many).await;
    let mut request = QueryRequest::window(NOW_MS + 86_400_000, 2 * 86_400_000, 10);
    for low in [1, 31, 60, 61, 90] {
        request.annotation_query = vec![("number".to_owned(), low.to_string())];
        let found = newer.search(&request, &QueryBudget::unlimited()).await.unwrap();
        assert_eq!(found.iter().map(|trace| trace.get(0).unwrap().trace_id.low()).collect::<Vec<_>>(), [low]);
    }
}

/// A span without a service: the version before had no list for it.
fn tagged_at(low: u64) -> SpanBatch {
    spans_from_json(&format!(
        r#"[{{"traceId":"{low:x}","id":"1","timestamp":{},"tags":{{"number":"{low}"}}}}]"#,
        NOW_MS * 1000
    ))
}

/// Writes fragments in the way of the version before, one after the other, each in a transaction of its own.
async fn write_as_before(mut connection: sqlx::PgConnection, rows: Vec<PgRow>) -> sqlx::PgConnection {
    for row in rows {
        // A day may get its partition while a row is on its way to the default one: it is written again.
        let mut tries = 0;
        while let Err(error) = insert_as_before(&mut connection, &row).await {
            tries += 1;
            assert!(tries < 5, "{error}");
        }
    }
    connection
}

async fn insert_as_before(connection: &mut sqlx::PgConnection, row: &PgRow) -> Result<(), sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO zipkind.fragment (day, trace_low, content, min_ms, max_ms, arrived, service_bits, spans) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    );
    let insert = insert.bind(row.get::<i32, _>(0)).bind(row.get::<i64, _>(1)).bind(row.get::<i64, _>(2));
    let insert = insert.bind(row.get::<i64, _>(3)).bind(row.get::<i64, _>(4)).bind(row.get::<i64, _>(5));
    let insert = insert.bind(row.get::<i64, _>(6)).bind(row.get::<Vec<u8>, _>(7));
    insert.execute(connection).await.map(|_| ())
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
