//! What goes, what stays, and that its space comes back.

use std::sync::Arc;
use std::time::Duration;

use super::support::{HandClock, NOW_MS, Random, batch, config, span};
use crate::model::{QueryRequest, SpanBatch, SpanBuilder, SpanId, TraceId};
use crate::storage::{
    QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteStorage, StorageBackend, StorageOptions,
};

/// After this time a round of maintenance notes what has arrived.
const MINUTES_MS: i64 = 2 * 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

async fn open(config: SqliteConfig, clock: &Arc<HandClock>) -> SqliteStorage {
    SqliteStorage::open(config, StorageOptions::default(), clock.clone()).await.unwrap()
}

async fn put(storage: &SqliteStorage, spans: SpanBatch) {
    storage.write(&[batch(spans)]).await.remove(0).unwrap();
}

/// Which of the traces 1, 2, ... up to `lows` are there.
async fn kept(storage: &SqliteStorage, lows: u64) -> Vec<u64> {
    let ids: Vec<TraceId> = (1..=lows).map(|low| TraceId::from_halves(0, low).unwrap()).collect();
    let traces = storage.traces(&ids, &QueryBudget::unlimited()).await.unwrap();
    traces.iter().map(|spans| spans.get(0).unwrap().trace_id.low()).collect()
}

async fn rows(storage: &SqliteStorage, table: &'static str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(sql).fetch_one(&storage.store.reader.pool).await.unwrap()
}

fn all() -> QueryRequest {
    QueryRequest {
        service_name: None,
        remote_service_name: None,
        span_name: None,
        annotation_query: Vec::new(),
        min_duration_us: None,
        max_duration_us: None,
        end_ts_ms: NOW_MS * 2,
        lookback_ms: NOW_MS * 2,
        limit: 1_000,
    }
}

#[tokio::test]
async fn spans_go_by_their_time_and_those_without_one_by_arrival() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let storage = open(config(directory.path()), &clock).await;
    put(&storage, span(1, 1, "old", (NOW_MS - 8 * DAY_MS) * 1000)).await;
    put(&storage, span(2, 1, "new", (NOW_MS - 6 * DAY_MS) * 1000)).await;
    put(&storage, span(3, 1, "untimed", 0)).await;
    put(&storage, span(4, 1, "future", (NOW_MS + 300 * DAY_MS) * 1000)).await;

    clock.advance_ms(MINUTES_MS);
    storage.maintain().await.unwrap();
    assert_eq!(kept(&storage, 4).await, [1, 2, 3, 4], "what came just now stays an hour");
    clock.advance_ms(2 * HOUR_MS);
    put(&storage, span(5, 1, "new", NOW_MS * 1000)).await;
    storage.maintain().await.unwrap();
    assert_eq!(kept(&storage, 5).await, [2, 3, 4, 5]);
    assert_eq!(storage.service_names().await.unwrap(), ["future", "new", "untimed"]);

    clock.advance_ms(MINUTES_MS);
    storage.maintain().await.unwrap();
    clock.advance_ms(8 * DAY_MS);
    put(&storage, span(6, 1, "new", (NOW_MS + 8 * DAY_MS) * 1000)).await;
    storage.maintain().await.unwrap();
    assert_eq!(kept(&storage, 6).await, [6]);
    assert_eq!(storage.service_names().await.unwrap(), ["new"]);
    assert!(storage.span_names("untimed").await.unwrap().is_empty());
    assert_eq!((rows(&storage, "block").await, rows(&storage, "recent").await), (0, 1));
    assert_eq!(storage.search(&all(), &QueryBudget::unlimited()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_went_is_listed_again_when_its_service_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let storage = open(config(directory.path()), &clock).await;
    put(&storage, span(1, 1, "a", NOW_MS * 1000)).await;
    clock.advance_ms(MINUTES_MS);
    storage.maintain().await.unwrap();
    clock.advance_ms(8 * DAY_MS);
    put(&storage, span(2, 1, "b", (NOW_MS + 8 * DAY_MS) * 1000)).await;
    storage.maintain().await.unwrap();
    assert_eq!(storage.service_names().await.unwrap(), ["b"]);
    put(&storage, span(3, 1, "a", (NOW_MS + 8 * DAY_MS) * 1000)).await;
    assert_eq!(storage.service_names().await.unwrap(), ["a", "b"]);
    assert_eq!(storage.span_names("a").await.unwrap(), ["get"]);
}

/// A trace of ten spans of a kilobyte each.
fn bulky(low: u64, timestamp_us: i64, random: &mut Random) -> SpanBatch {
    let mut spans = SpanBatch::new();
    let mut builder = SpanBuilder::new();
    for id in 1..=10 {
        builder.clear();
        builder.set_trace_id(TraceId::from_halves(0, low).unwrap());
        builder.set_id(SpanId::new(id));
        builder.set_timestamp_us(timestamp_us);
        builder.local_endpoint.set_service_name("bulky");
        let text: String = (0..64).map(|_| format!("{:016x}", random.below(u64::MAX))).collect();
        builder.add_tag("payload", &text);
        builder.finish(&mut spans).unwrap();
    }
    spans
}

#[tokio::test]
async fn the_oldest_go_when_the_file_is_too_large_and_it_shrinks() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let bytes_max = 4 << 20;
    let config = SqliteConfig {
        retention_max_bytes: Some(bytes_max),
        retention_turn: Duration::from_secs(60),
        wal_checkpoint_bytes: 256 << 10,
        ..config(directory.path())
    };
    let path = config.path.clone();
    let storage = open(config, &clock).await;
    let mut random = Random::new(1);
    for low in 1..=1_000_u64 {
        put(&storage, bulky(low, (NOW_MS + low as i64) * 1000, &mut random)).await;
    }
    assert!(std::fs::metadata(&path).unwrap().len() > bytes_max);
    storage.maintain().await.unwrap();
    let kept = kept(&storage, 1_000).await;
    assert!(!kept.is_empty() && kept.len() < 900, "{} of 1000", kept.len());
    assert_eq!(*kept.last().unwrap(), 1_000, "the newest stay");
    assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the oldest go first");

    // Given back when the log is moved into the file, which housekeeping does at its end.
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes <= bytes_max + bytes_max / 8, "{bytes} bytes");
    storage.close().await;
}

#[tokio::test]
async fn a_store_of_spans_without_time_is_bounded_too() {
    let directory = tempfile::tempdir().unwrap();
    let config =
        SqliteConfig { retention_max_bytes: Some(1 << 20), wal_checkpoint_bytes: 64 << 10, ..config(directory.path()) };
    let storage = open(config, &HandClock::new()).await;
    let mut random = Random::new(2);
    for low in 1..=200_u64 {
        put(&storage, bulky(low, 0, &mut random)).await;
    }
    storage.maintain().await.unwrap();
    let left = kept(&storage, 200).await.len();
    assert!(left < 200, "{left}");
}
