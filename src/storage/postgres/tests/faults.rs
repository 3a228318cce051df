//! Connections that break while spans are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::PostgresConfig;
use super::support::{HandClock, NOW_MS, config, open, read, scalar, search, span_at};
use crate::model::SpanBatch;
use crate::storage::sql::crash_check::what_was_acknowledged_survives_crashes;
use crate::storage::sql::testing::OwnServer;
use crate::storage::{Batch, Retry, RetryConfig, SourcePosition, SpanConsumer, StorageOptions};

const WRITERS: u64 = 4;
const BATCHES: u64 = 40;

fn batch(writer: u64, n: u64) -> Batch {
    let mut spans = SpanBatch::new();
    for id in 1..=5 {
        spans.append(&span_at(writer * 1000 + n + 1, id, &format!("s{}", id % 3), NOW_MS * 1000 + id as i64));
    }
    let position = SourcePosition {
        group: "group".to_owned(),
        topic: "topic".to_owned(),
        partition: writer as i32,
        from: n as i64,
        next: n as i64 + 1,
        last_message_ms: NOW_MS,
        last_message_checksum: n,
    };
    Batch { spans, position: Some(position) }
}

/// Every batch moves its source by compare-and-set, so a batch that was written twice, or lost, would stop its writer.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_ended_connections_loses_and_doubles_nothing() {
    let config = PostgresConfig { connections_max: 6, ..config() };
    let store = Arc::new(open(config.clone(), StorageOptions::default(), HandClock::new()).await);
    let killer_store = open(config, StorageOptions::default(), HandClock::new()).await;
    let retry = RetryConfig {
        tries_max: 100,
        time_max: Duration::from_secs(60),
        first_pause: Duration::from_millis(5),
        pause_max: Duration::from_millis(50),
    };
    let retrying = Arc::new(Retry::new(store.clone(), retry));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let killer = tokio::spawn({
        let acknowledged = Arc::clone(&acknowledged);
        async move {
            let mut killed = 0_u64;
            let mut next = 0;
            while next < WRITERS * BATCHES {
                // Between two blows something gets through, or there would be nothing to lose.
                while acknowledged.load(Ordering::Relaxed) < next {
                    tokio::task::yield_now().await;
                }
                next = acknowledged.load(Ordering::Relaxed) + 1;
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'zipkind' AND pid <> pg_backend_pid()";
                killed += scalar(&killer_store, sql).await.parse::<u64>().unwrap();
            }
            killed
        }
    });
    let writers = (0..WRITERS).map(|writer| {
        let (store, acknowledged) = (Arc::clone(&retrying), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for n in 0..BATCHES {
                let stored = store.write(&[batch(writer, n)]).await.remove(0);
                stored.unwrap_or_else(|error| panic!("writer {writer} batch {n}: {error}"));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let killed = killer.await.unwrap();
    assert!(killed > 10, "the storm took place ({killed} connections)");
    assert_eq!(search(&*retrying, None).await.len() as u64, WRITERS * BATCHES);
    let lows: Vec<u64> = (0..WRITERS).flat_map(|writer| (1..=BATCHES).map(move |n| writer * 1000 + n)).collect();
    assert!(read(&*retrying, &lows).await.iter().all(|trace| trace.len() == 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_crashes_of_the_server() {
    let server = OwnServer::start("postgres");
    let config = PostgresConfig { url: Some(server.address.clone()), ..PostgresConfig::default() };
    let store = Arc::new(open(config, StorageOptions::default(), HandClock::new()).await);
    what_was_acknowledged_survives_crashes(server, store).await;
}
