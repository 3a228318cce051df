//! Our own tables.

use std::sync::Arc;

use super::super::{MysqlConfig, MysqlLayout, open_mysql};
use super::support::{HandClock, NOW_MS, ZIPKIN_TABLES, config, execute, open, open_at, read, scalar, span_at, write};
use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::sql::crash_check::what_was_acknowledged_survives_crashes;
use crate::storage::sql::term_check;
use crate::storage::sql::testing::OwnServer;
use crate::storage::{ErrorKind, QueryBudget, Retry, RetryConfig, StorageOptions};

const ROWS: &str =
    "SELECT concat((SELECT count(*) FROM zipkind_fragment), ' ', (SELECT count(*) FROM zipkind_service_traces))";
const DAY_MS: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_adds_no_row() {
    let config = config(MysqlLayout::Native);
    let store = open(config.clone(), StorageOptions::default()).await;
    let mut spans = span_at(1, 1, "a", NOW_MS * 1000);
    write(&*store, spans.clone()).await.unwrap();
    write(&*store, spans.clone()).await.unwrap();
    assert_eq!(scalar(&config, ROWS).await, "1 1");
    spans.append(&span_at(2, 1, "b", NOW_MS * 1000));
    write(&*store, spans).await.unwrap();
    assert_eq!(scalar(&config, ROWS).await, "2 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_are_removed_and_what_arrived_lately_stays() {
    let clock = HandClock::new();
    let config = config(MysqlLayout::Native);
    let store = open_at(config.clone(), StorageOptions::default(), Arc::clone(&clock)).await;
    write(&*store, span_at(1, 1, "a", (NOW_MS - 6 * DAY_MS) * 1000)).await.unwrap();
    write(&*store, span_at(2, 1, "b", (NOW_MS - 400 * DAY_MS) * 1000)).await.unwrap();
    write(&*store, span_at(3, 1, "c", 0)).await.unwrap();
    write(&*store, span_at(4, 1, "d", (NOW_MS + 3 * DAY_MS) * 1000)).await.unwrap();
    store.maintain().await.unwrap();
    assert_eq!(read(&*store, &[1, 2, 3, 4]).await.len(), 4, "all have just arrived");
    clock.advance_ms(2 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(read(&*store, &[1, 2]).await.len(), 0);
    assert_eq!(read(&*store, &[3, 4]).await.len(), 2);
    clock.advance_ms(9 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(scalar(&config, ROWS).await, "0 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_with_the_same_spans_in_reversed_order_end_and_double_nothing() {
    const ROUNDS: u64 = 10;
    let config = config(MysqlLayout::Native);
    let retry = RetryConfig { tries_max: 20, ..RetryConfig::default() };
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let store = Retry::new(open(config.clone(), StorageOptions::default()).await, retry);
        tasks.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let parts =
                    (1..=40).map(|n| span_at(round * 100 + n, 1, &format!("s{}", n % 7 + round), NOW_MS * 1000));
                let parts: Vec<SpanBatch> = if writer % 2 == 0 { parts.collect() } else { parts.rev().collect() };
                let mut spans = SpanBatch::new();
                parts.iter().for_each(|part| spans.append(part));
                write(&store, spans).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = open(config.clone(), StorageOptions::default()).await;
    let lows: Vec<u64> = (0..ROUNDS).flat_map(|round| (1..=40).map(move |n| round * 100 + n)).collect();
    let traces = read(&*store, &lows).await;
    assert_eq!(traces.len() as u64, ROUNDS * 40);
    assert!(traces.iter().all(|trace| trace.len() == 1));
    assert_eq!(scalar(&config, "SELECT count(*) FROM zipkind_fragment").await, (ROUNDS * 40).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_crashes_of_the_server() {
    let server = OwnServer::start("mariadb");
    let config =
        MysqlConfig { url: Some(server.address.clone()), layout: Some(MysqlLayout::Native), ..MysqlConfig::default() };
    let store = open(config, StorageOptions::default()).await;
    what_was_acknowledged_survives_crashes(server, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_unhealthy() {
    let server = OwnServer::start("mariadb");
    let config =
        |layout| MysqlConfig { url: Some(server.address.clone()), layout: Some(layout), ..MysqlConfig::default() };
    execute(&config(MysqlLayout::Zipkin), ZIPKIN_TABLES).await;
    for layout in [MysqlLayout::Native, MysqlLayout::Zipkin] {
        let store = open(config(layout), StorageOptions::default()).await;
        store.check().await.unwrap();
        execute(&config(layout), "SET GLOBAL read_only = 1").await;
        let error = store.check().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.to_string().contains("takes no writes"), "{error}");
        execute(&config(layout), "SET GLOBAL read_only = 0").await;
        store.check().await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_create_tables_the_start_names_the_statements_to_run() {
    for layout in [MysqlLayout::Native, MysqlLayout::Zipkin] {
        let config = config(layout);
        let user = format!("u{:016x}", fastrand::u64(..));
        let grants = format!(
            "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'word'; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {}.* TO {user}@'127.0.0.1'",
            scalar(&config, "SELECT database()").await
        );
        execute(&config, &grants).await;
        let url = config.url.clone().unwrap().replace("zipkin:zipkin@", &format!("{user}:word@"));
        let restricted = MysqlConfig { url: Some(url), ..config.clone() };
        let try_open = || open_mysql(restricted.clone(), StorageOptions::default(), HandClock::new());
        // What all layouts need, and what one needs beside it.
        let mut asked = 0;
        let store = loop {
            let error = match try_open().await {
                Ok(store) => break store,
                Err(error) => error,
            };
            assert_eq!(error.kind, ErrorKind::Rejected);
            let text = error.to_string();
            let (_, statements) = text.split_once("run as a user who may create tables:\n").expect(&text);
            execute(&config, statements).await;
            asked += 1;
            assert!(asked <= 2, "{text}");
        };
        assert!(asked > 0);
        write(&*store, span_at(1, 1, "a", NOW_MS * 1000)).await.unwrap();
        assert_eq!(read(&*store, &[1]).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_tags_are_found_without_reading_all() {
    let store = open(config(MysqlLayout::Native), StorageOptions::default()).await;
    term_check::rare_tags_are_found_without_reading_all(&*store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_late_spans_are_found() {
    let store = open(config(MysqlLayout::Native), StorageOptions::default()).await;
    term_check::tags_of_late_spans_are_found(&*store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_rows_of_the_version_before_are_found() {
    let config = config(MysqlLayout::Native);
    let store = open(config.clone(), StorageOptions::default()).await;
    let older = "UPDATE zipkind_service_traces SET terms = NULL; DELETE FROM zipkind_service_traces WHERE service = 0";
    term_check::tags_of_older_rows_are_found(&*store, || execute(&config, older)).await;
}

/// Processes that start together find tables of the version before, where a process of that version goes on writing.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_version_before_are_upgraded_below_a_process_that_writes() {
    let config = config(MysqlLayout::Native);
    let first = open(config.clone(), StorageOptions::default()).await;
    // Spans without a service alone, which that version listed nowhere.
    let spans = |low| {
        spans_from_json(&format!(
            r#"[{{"traceId":"{low:x}","id":"1","timestamp":{},"tags":{{"k":"{low}"}}}}]"#,
            NOW_MS * 1000 + low
        ))
    };
    write(&*first, spans(1)).await.unwrap();
    first.close().await;
    let older = "DELETE FROM zipkind_service_traces; \
        ALTER TABLE zipkind_service_traces DROP COLUMN terms, DROP COLUMN is_named; \
        DROP TABLE zipkind_link_unsettled, zipkind_link_tally";
    execute(&config, older).await;
    let start = || open(config.clone(), StorageOptions::default());
    let (store, _, _) = tokio::join!(start(), start(), start());
    execute(
        &config,
        "INSERT INTO zipkind_service_traces (service, day, content, arrived, traces) VALUES (7, 18518, 7, 7, '')",
    )
    .await;
    let mut many = SpanBatch::new();
    (2..600).for_each(|low| many.append(&spans(low)));
    write(&*store, many).await.unwrap();
    let mut request = QueryRequest::window(NOW_MS + DAY_MS, 2 * DAY_MS, 10);
    for low in [1, 2_u64] {
        request.annotation_query = vec![("k".to_owned(), low.to_string())];
        let found = store.search(&request, &QueryBudget::unlimited()).await.unwrap();
        assert_eq!(found.iter().map(|trace| trace.get(0).unwrap().trace_id.low()).collect::<Vec<_>>(), [low]);
    }
}
