//! What is removed, and what stays.

use std::time::Duration;

use super::super::PostgresConfig;
use super::support::{HandClock, NOW_MS, config, open, put, read, scalar, search, span_at, store};
use crate::storage::{SpanStore, StorageBackend, StorageOptions};

const DAY_MS: i64 = 86_400_000;
const DAYS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'zipkind.fragment'::regclass";

#[tokio::test(flavor = "multi_thread")]
async fn old_days_are_dropped_whole_and_days_to_come_are_made() {
    let clock = HandClock::new();
    let store = store(&clock).await;
    put(&store, span_at(1, 1, "a", (NOW_MS - 6 * DAY_MS) * 1000)).await;
    put(&store, span_at(2, 1, "b", NOW_MS * 1000)).await;
    let days = scalar(&store, DAYS).await;
    store.maintain().await.unwrap();
    assert_eq!(search(&store, None).await, [2, 1]);
    clock.advance_ms(3 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(search(&store, None).await, [2]);
    assert_eq!(read(&store, &[1]).await.len(), 0);
    assert_eq!(scalar(&store, DAYS).await, days, "as many days as before, three days later");
    assert_eq!(scalar(&store, "SELECT count(*) FROM zipkind.service_traces").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_without_a_day_of_their_own_go_by_arrival() {
    let clock = HandClock::new();
    let store = store(&clock).await;
    put(&store, span_at(1, 1, "a", 0)).await;
    put(&store, span_at(2, 1, "b", (NOW_MS + 400 * DAY_MS) * 1000)).await;
    put(&store, span_at(3, 1, "c", (NOW_MS - 400 * DAY_MS) * 1000)).await;
    store.maintain().await.unwrap();
    assert_eq!(read(&store, &[1, 2, 3]).await.len(), 3, "all have just arrived");
    clock.advance_ms(2 * 3600 * 1000);
    store.maintain().await.unwrap();
    assert_eq!(read(&store, &[1, 2, 3]).await.len(), 2, "the old one has stayed for its hour");
    clock.advance_ms(8 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(read(&store, &[1, 2, 3]).await.len(), 0);
    assert_eq!(scalar(&store, "SELECT count(*) FROM zipkind.service_traces").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_gets_its_partition_late_takes_its_spans_along() {
    let clock = HandClock::new();
    let store = store(&clock).await;
    let later_ms = NOW_MS + 5 * DAY_MS;
    put(&store, span_at(1, 1, "a", later_ms * 1000)).await;
    let place = "SELECT tableoid::regclass::text FROM zipkind.fragment";
    assert_eq!(scalar(&store, place).await, "zipkind.fragment_default");
    clock.advance_ms(4 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(scalar(&store, place).await, format!("zipkind.fragment_{}", later_ms / DAY_MS));
    assert_eq!(read(&store, &[1]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_has_the_lease() {
    let config = config();
    let one = open(config.clone(), StorageOptions::default(), HandClock::new()).await;
    let other = open(config, StorageOptions::default(), HandClock::new()).await;
    let minute = Duration::from_secs(60);
    assert!(one.engine().take_lease("work", minute).await.unwrap());
    assert!(!other.engine().take_lease("work", minute).await.unwrap());
    assert!(one.engine().take_lease("work", Duration::ZERO).await.unwrap(), "the holder renews it");
    // It is over within the same millisecond or the next: asked until the database's clock has moved.
    while !other.engine().take_lease("work", minute).await.unwrap() {}
    assert!(!one.engine().take_lease("work", minute).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_days_go_first_when_all_are_too_large() {
    let clock = HandClock::new();
    let config = PostgresConfig { retention_max_bytes: Some(1), retention_max_age: None, ..config() };
    let store = open(config, StorageOptions::default(), clock).await;
    put(&store, span_at(1, 1, "a", (NOW_MS - DAY_MS) * 1000)).await;
    put(&store, span_at(2, 1, "b", NOW_MS * 1000)).await;
    store.maintain().await.unwrap();
    assert_eq!(search(&store, None).await, [2], "today stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_nobody_brings_any_more_are_removed_after_the_spans() {
    let clock = HandClock::new();
    let store = store(&clock).await;
    put(&store, span_at(1, 1, "a", NOW_MS * 1000)).await;
    clock.advance_ms(7 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(store.service_names().await.unwrap(), ["a"]);
    clock.advance_ms(3 * DAY_MS);
    store.maintain().await.unwrap();
    assert_eq!(store.service_names().await.unwrap(), [""; 0]);
    put(&store, span_at(2, 1, "a", (NOW_MS + 10 * DAY_MS) * 1000)).await;
    assert_eq!(store.service_names().await.unwrap(), ["a"], "the cache has forgotten it too");
}
