//! Zipkin's tables: what they cannot hold, older ones, and what other servers and jobs write.

use super::super::{MysqlConfig, MysqlLayout, open_mysql};
use super::support::{HandClock, config, execute, open, read, scalar, span_at, write};
use crate::model::QueryRequest;
use crate::model::testing::spans_from_json;
use crate::storage::{ErrorKind, QueryBudget, StorageOptions};

const T_US: i64 = 1_600_000_000_000_000;

fn window() -> QueryRequest {
    QueryRequest::window(T_US / 1000 + 10_000, 100_000, 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_cannot_hold_is_refused_whole() {
    let config = config(MysqlLayout::Zipkin);
    let store = open(config.clone(), StorageOptions::default()).await;
    let long = "x".repeat(256);
    let value = "v".repeat(65_536);
    for span in [
        format!(r#"{{"traceId":"1","id":"1","name":"{long}"}}"#),
        format!(r#"{{"traceId":"1","id":"1","tags":{{"{long}":"v"}}}}"#),
        format!(r#"{{"traceId":"1","id":"1","tags":{{"k":"{value}"}}}}"#),
        r#"{"traceId":"1","id":"1","localEndpoint":{"serviceName":"😀"},"tags":{"k":"v"}}"#.to_owned(),
    ] {
        let spans = spans_from_json(&format!(r#"[{{"traceId":"2","id":"1","name":"fine"}},{span}]"#));
        let error = write(&*store, spans).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    }
    assert_eq!(scalar(&config, "SELECT count(*) FROM zipkin_spans").await, "0");
    // Values of tags are bytes: every character goes in.
    write(&*store, spans_from_json(r#"[{"traceId":"1","id":"1","tags":{"k":"😀\u0000"}}]"#)).await.unwrap();
    assert_eq!(read(&*store, &[1]).await[0].get(0).unwrap().tag("k"), Some("😀\0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_tables_without_the_newer_columns_are_read_and_written() {
    let config = config(MysqlLayout::Zipkin);
    execute(
        &config,
        "ALTER TABLE zipkin_spans DROP PRIMARY KEY, DROP INDEX trace_id_high, DROP COLUMN trace_id_high, \
           DROP COLUMN remote_service_name, ADD UNIQUE KEY (trace_id, id); \
         ALTER TABLE zipkin_annotations DROP INDEX trace_id_high, DROP INDEX trace_id_high_2, DROP INDEX trace_id_high_3, \
           DROP COLUMN trace_id_high, DROP COLUMN endpoint_ipv6, ADD UNIQUE KEY (trace_id, span_id, a_key, a_timestamp); \
         ALTER TABLE zipkin_dependencies DROP COLUMN error_count",
    )
    .await;
    let store = open(config.clone(), StorageOptions::default()).await;
    let spans = format!(
        r#"[{{"traceId":"5f000000000000000000000000000001","id":"1","kind":"CLIENT","name":"n","timestamp":{T_US},"duration":5,
            "localEndpoint":{{"serviceName":"a","ipv6":"::1"}},"remoteEndpoint":{{"serviceName":"b"}}}}]"#
    );
    write(&*store, spans_from_json(&spans)).await.unwrap();
    write(&*store, spans_from_json(&spans)).await.unwrap();
    let found =
        store.search(&QueryRequest { service_name: Some("a".into()), ..window() }, &QueryBudget::unlimited()).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get(0).unwrap().trace_id.to_string(), "0000000000000001");
    assert_eq!(store.span_names("a").await.unwrap(), ["n"]);
    assert_eq!(store.remote_service_names("a").await.unwrap(), [""; 0]);
    let request = QueryRequest { remote_service_name: Some("b".into()), ..window() };
    let error = store.search(&request, &QueryBudget::unlimited()).await.unwrap_err();
    assert!(error.to_string().contains("missing column zipkin_spans.remote_service_name"), "{error}");
    let links = store.dependencies(T_US / 1000, 1000, &QueryBudget::unlimited()).await.unwrap();
    assert_eq!(links.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_come_from_the_table_that_a_job_fills() {
    let config = config(MysqlLayout::Zipkin);
    execute(
        &config,
        "INSERT INTO zipkin_dependencies (day, parent, child, call_count, error_count) VALUES \
           ('2020-09-13', 'a', 'b', 3, 1), ('2020-09-12', 'a', 'b', 4, NULL), ('2020-09-10', 'a', 'c', 9, 9)",
    )
    .await;
    let store = open(config, StorageOptions::default()).await;
    write(&*store, span_at(1, 1, "x", T_US)).await.unwrap();
    let links = store.dependencies(T_US / 1000, 86_400_000, &QueryBudget::unlimited()).await.unwrap();
    let shown: Vec<_> = links.iter().map(|l| (&*l.parent, &*l.child, l.call_count, l.error_count)).collect();
    assert_eq!(shown, [("a", "b", 7, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_other_servers_and_odd_types_are_read() {
    let config = config(MysqlLayout::Zipkin);
    execute(
        &config,
        "INSERT INTO zipkin_spans (trace_id, id, name, parent_id) VALUES (7, 1, '', 0); \
         INSERT INTO zipkin_annotations (trace_id, span_id, a_key, a_value, a_type, a_timestamp) VALUES \
           (7, 1, 'text', 'v', 6, 0), (7, 1, 'number', '\\0\\0\\0\\0', 3, 0), (7, 1, 'sa', '\\1', 0, 0), (7, 1, 'x', NULL, -1, NULL)",
    )
    .await;
    let store = open(config, StorageOptions::default()).await;
    let traces = read(&*store, &[7]).await;
    let span = traces[0].get(0).unwrap();
    assert_eq!(span.parent_id, None);
    assert_eq!(span.tags().collect::<Vec<_>>(), [("text", "v")]);
    assert_eq!(span.remote_endpoint, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_stay_unless_it_was_asked_for() {
    let config = config(MysqlLayout::Zipkin);
    let store = open(config.clone(), StorageOptions::default()).await;
    write(&*store, span_at(1, 1, "a", T_US)).await.unwrap();
    store.maintain().await.unwrap();
    assert_eq!(read(&*store, &[1]).await.len(), 1);
    let removing = MysqlConfig { retention_of_zipkin: true, ..config.clone() };
    let store = open(removing, StorageOptions::default()).await;
    store.maintain().await.unwrap();
    let rows = "SELECT (SELECT count(*) FROM zipkin_spans) + (SELECT count(*) FROM zipkin_annotations)";
    assert_eq!(scalar(&config, rows).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_zipkins_tables_that_layout_says_what_to_do() {
    let config = MysqlConfig { layout: Some(MysqlLayout::Zipkin), ..config(MysqlLayout::Native) };
    let error = open_mysql(config.clone(), StorageOptions::default(), HandClock::new()).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("zipkin's mysql.sql"), "{error}");
    // Without a choice the tables decide.
    let undecided = MysqlConfig { layout: None, ..config };
    let store = open(undecided.clone(), StorageOptions::default()).await;
    assert!(store.capabilities().exact_duplicates);
    let with_tables = MysqlConfig { layout: None, ..super::support::config(MysqlLayout::Zipkin) };
    assert!(!open(with_tables, StorageOptions::default()).await.capabilities().exact_duplicates);
}
