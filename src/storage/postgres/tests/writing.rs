//! What a write leaves in the tables.

use std::sync::Arc;

use super::super::PostgresConfig;
use super::support::{HandClock, NOW_MS, config, open, put, read, scalar, search, span_at, store};
use crate::model::SpanBatch;
use crate::model::testing::spans_from_json;
use crate::storage::sql::term_check;
use crate::storage::{Batch, SourcePosition, SpanConsumer, SpanStore, StorageOptions};

const ROWS: &str =
    "SELECT (SELECT count(*) FROM zipkind.fragment) || ' ' || (SELECT count(*) FROM zipkind.service_traces)";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_adds_no_row_and_a_longer_one_adds_what_is_new() {
    let store = store(&HandClock::new()).await;
    let one = span_at(1, 1, "a", NOW_MS * 1000);
    put(&store, one.clone()).await;
    assert_eq!(scalar(&store, ROWS).await, "1 1");
    put(&store, one.clone()).await;
    assert_eq!(scalar(&store, ROWS).await, "1 1");
    let mut more = one.clone();
    more.append(&span_at(2, 1, "b", NOW_MS * 1000));
    put(&store, more).await;
    assert_eq!(scalar(&store, ROWS).await, "2 2");
    assert_eq!(search(&store, Some("b")).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_to_the_partition_of_their_own_day() {
    let store = store(&HandClock::new()).await;
    let mut spans = span_at(1, 1, "a", NOW_MS * 1000);
    spans.append(&span_at(1, 2, "a", (NOW_MS - 86_400_000) * 1000));
    spans.append(&span_at(1, 3, "a", 0));
    spans.append(&span_at(1, 4, "a", 5_000_000));
    put(&store, spans).await;
    let places = "SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY max_ms) FROM zipkind.fragment";
    let (today, before) = (NOW_MS / 86_400_000, NOW_MS / 86_400_000 - 1);
    let expected =
        format!("zipkind.fragment_default zipkind.fragment_default zipkind.fragment_{before} zipkind.fragment_{today}");
    assert_eq!(scalar(&store, places).await, expected);
    let ids: Vec<u64> = read(&store, &[1]).await[0].iter().map(|span| span.id.value()).collect();
    assert_eq!(ids, [1, 2, 3, 4], "order of arrival, whatever the partition");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_with_the_same_spans_in_reversed_order_end_and_double_nothing() {
    const ROUNDS: u64 = 15;
    let config = PostgresConfig { connections_max: 12, ..config() };
    let stores = [
        Arc::new(open(config.clone(), StorageOptions::default(), HandClock::new()).await),
        Arc::new(open(config, StorageOptions::default(), HandClock::new()).await),
    ];
    let spans_of = |round: u64, reversed: bool| {
        let mut parts: Vec<SpanBatch> = (1..=40)
            .map(|n| span_at(round * 100 + n, 1, &format!("s{}", n % 7 + round), NOW_MS * 1000 + n as i64))
            .collect();
        if reversed {
            parts.reverse();
        }
        let mut spans = SpanBatch::new();
        parts.iter().for_each(|part| spans.append(part));
        spans
    };
    let mut tasks = Vec::new();
    for (index, store) in stores.iter().enumerate() {
        for writer in 0..2 {
            let store = Arc::clone(store);
            tasks.push(tokio::spawn(async move {
                for round in 0..ROUNDS {
                    put(&*store, spans_of(round, (index + writer) % 2 == 1)).await;
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(search(&*stores[0], None).await.len() as u64, ROUNDS * 40);
    for round in 0..ROUNDS {
        let lows: Vec<u64> = (1..=40).map(|n| round * 100 + n).collect();
        assert!(read(&*stores[1], &lows).await.iter().all(|trace| trace.len() == 1));
    }
    assert_eq!(scalar(&stores[0], "SELECT count(*) FROM zipkind.fragment").await, (ROUNDS * 40).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_nul_are_listed_as_they_were() {
    let store = store(&HandClock::new()).await;
    let spans = spans_from_json(
        r#"[{"traceId":"1","id":"1","name":"n\u0000\u00010","localEndpoint":{"serviceName":"s\u0000"},
             "remoteEndpoint":{"serviceName":"\u0001"}}]"#,
    );
    put(&store, spans).await;
    assert_eq!(store.service_names().await.unwrap(), ["s\0"]);
    assert_eq!(store.span_names("s\0").await.unwrap(), ["n\0\u{1}0"]);
    assert_eq!(store.remote_service_names("s\0").await.unwrap(), ["\u{1}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_statements_have_no_name_and_positions_move() {
    let config = PostgresConfig { pooled: true, ..config() };
    let store = open(config, StorageOptions::default(), HandClock::new()).await;
    let position = |from: i64| SourcePosition {
        group: "g".to_owned(),
        topic: "t".to_owned(),
        partition: 0,
        from,
        next: from + 1,
        last_message_ms: 0,
        last_message_checksum: 0,
    };
    for from in 0..2 {
        let spans = span_at(1, from as u64 + 1, "a", NOW_MS * 1000);
        store.write(&[Batch { spans, position: Some(position(from)) }]).await.remove(0).unwrap();
    }
    // A repeated write goes the other way; searches and lists use every statement.
    put(&store, span_at(1, 1, "a", NOW_MS * 1000)).await;
    assert_eq!(search(&store, Some("a")).await, [1]);
    assert_eq!(store.service_names().await.unwrap(), ["a"]);
    assert_eq!(store.source_position("g", "t", 0).await.unwrap(), Some(position(1)));
    assert_eq!(scalar(&store, "SELECT count(*) FROM pg_prepared_statements WHERE name <> ''").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_tags_are_found_without_reading_all() {
    term_check::rare_tags_are_found_without_reading_all(&store(&HandClock::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_late_spans_are_found() {
    term_check::tags_of_late_spans_are_found(&store(&HandClock::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_rows_of_the_version_before_are_found() {
    let store = store(&HandClock::new()).await;
    let make_older = || async {
        let older =
            "UPDATE zipkind.service_traces SET terms = NULL; DELETE FROM zipkind.service_traces WHERE service = 0";
        sqlx::raw_sql(older).execute(&store.engine().pool).await.unwrap();
    };
    term_check::tags_of_older_rows_are_found(&store, make_older).await;
}
