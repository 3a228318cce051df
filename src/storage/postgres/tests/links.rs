//! Links from tallies of calls.

use std::sync::Arc;

use super::super::PostgresEngine;
use super::support::{HandClock, NOW_MS, config, open, put, scalar, span_at};
use crate::storage::sql::link_check::{self, Processes};
use crate::storage::sql::store::SqlStore;
use crate::storage::{ErrorKind, QueryBudget, SpanStore, StorageBackend, StorageOptions};
use crate::telemetry::Clock;

async fn two() -> (Arc<HandClock>, [SqlStore<PostgresEngine>; 2]) {
    let (clock, config) = (HandClock::new(), config());
    let start = || open(config.clone(), StorageOptions::default(), Arc::clone(&clock) as Arc<dyn Clock>);
    let stores = [start().await, start().await];
    (clock, stores)
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_traces_are_not_read_again() {
    let (clock, [one, other]) = two().await;
    let processes = Processes { stores: [&one, &other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::settled_traces_are_not_read_again(&processes).await;
    assert_eq!(scalar(&one, "SELECT count(*) FROM zipkind.link_unsettled").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsettled_traces_of_other_times_are_not_read() {
    let (clock, [one, other]) = two().await;
    let processes = Processes { stores: [&one, &other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::unsettled_traces_of_other_times_are_not_read(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_without_end_are_read_by_who_asks_for_them() {
    let (clock, [one, other]) = two().await;
    let processes = Processes { stores: [&one, &other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::traces_without_end_are_read_by_who_asks_for_them(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_tallies_equal_a_recount() {
    let (clock, [one, other]) = two().await;
    let processes = Processes { stores: [&one, &other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::links_of_tallies_equal_a_recount(&processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_follow_what_is_removed() {
    let (clock, [one, other]) = two().await;
    let processes = Processes { stores: [&one, &other], advance_ms: &|by_ms| clock.advance_ms(by_ms) };
    link_check::links_follow_what_is_removed(&processes).await;
}

/// A version before names no traces, and a damaged tally tells nothing: links come from the spans.
#[tokio::test(flavor = "multi_thread")]
async fn links_of_older_rows_and_behind_damage_come_from_the_spans() {
    let (clock, [store, _]) = two().await;
    for low in 1..=3 {
        let mut spans = span_at(low, 1, "a", NOW_MS * 1000);
        spans.append(&crate::model::testing::spans_from_json(&format!(
            r#"[{{"traceId":"{low:x}","id":"2","parentId":"1","kind":"PRODUCER","timestamp":{},
                  "localEndpoint":{{"serviceName":"a"}},"remoteEndpoint":{{"serviceName":"b"}}}}]"#,
            NOW_MS * 1000
        )));
        put(&store, spans).await;
        if low == 1 {
            clock.advance_ms(10_000);
            store.maintain().await.unwrap();
        }
    }
    let count = async || {
        let links = store.dependencies(NOW_MS, 1_000, &QueryBudget::unlimited()).await.unwrap();
        links[0].call_count
    };
    let run = async |sql: &'static str| sqlx::raw_sql(sql).execute(&store.engine().pool).await.unwrap();
    assert_eq!(count().await, 3);
    // As if the last two had come from a version before.
    run("DELETE FROM zipkind.link_unsettled; UPDATE zipkind.service_traces SET is_named = NULL").await;
    assert_eq!(count().await, 3);
    run("UPDATE zipkind.service_traces SET is_named = true").await;
    assert_eq!(count().await, 1, "what nobody named is in no answer");
    run("UPDATE zipkind.link_tally SET calls = substring(calls FROM 2)").await;
    assert_eq!(count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_tallied_where_retention_fails() {
    let (clock, [store, _]) = two().await;
    put(&store, span_at(1, 1, "a", NOW_MS * 1000)).await;
    clock.advance_ms(10_000);
    sqlx::raw_sql("ALTER TABLE zipkind.name RENAME TO gone").execute(&store.engine().pool).await.unwrap();
    let error = store.maintain().await.unwrap_err();
    assert!(error.to_string().contains("retention"), "{error}");
    assert_eq!(scalar(&store, "SELECT count(*) FROM zipkind.link_unsettled").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_trace_keeps_no_others_from_being_tallied() {
    let (clock, [store, _]) = two().await;
    for low in 1..=3 {
        put(&store, span_at(low, 1, "a", (NOW_MS - low as i64 * 1_000) * 1000)).await;
    }
    let damage = "UPDATE zipkind.fragment SET spans = substring(spans FROM 2) WHERE trace_low = 2";
    sqlx::raw_sql(damage).execute(&store.engine().pool).await.unwrap();
    clock.advance_ms(10_000);
    store.maintain().await.unwrap();
    assert_eq!(scalar(&store, "SELECT count(*) FROM zipkind.link_unsettled").await, "0");
    let ask = async |end_ms| store.dependencies(end_ms, 500, &QueryBudget::new(None, 0)).await;
    ask(NOW_MS - 1_000).await.unwrap();
    ask(NOW_MS - 3_000).await.unwrap();
    assert_eq!(ask(NOW_MS - 2_000).await.unwrap_err().kind, ErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_lease_changes_no_tallies() {
    let (_, [one, other]) = two().await;
    one.maintain().await.unwrap();
    assert!(!other.engine().settle_writes(&[], &[], 0).await.unwrap());
    assert!(one.engine().settle_writes(&[], &[], 0).await.unwrap());
}
