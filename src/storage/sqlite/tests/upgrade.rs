//! A file of the first layout gives the same answers as before.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::support::{HandClock, NOW_MS, batch, config};
use crate::model::testing::spans_from_json;
use crate::model::{QueryRequest, TraceId};
use crate::storage::{
    MemoryConfig, MemoryStorage, QueryBudget, SpanConsumer, SpanStore, SqliteConfig, SqliteStorage, StorageBackend,
    StorageOptions,
};

const FILE: &[u8] = include_bytes!("../../../../tests/upgrade/first-layout.db.gz");
const POSTS: &str = include_str!("../../../../tests/upgrade/first-layout.posts.jsonl");

fn options() -> StorageOptions {
    StorageOptions { autocomplete_keys: vec!["env".into()], ..StorageOptions::default() }
}

fn unpack_to(directory: &Path) {
    let mut bytes = Vec::new();
    GzDecoder::new(FILE).read_to_end(&mut bytes).unwrap();
    std::fs::write(config(directory).path, bytes).unwrap();
}

async fn assert_same(sqlite: &SqliteStorage, memory: &MemoryStorage) {
    let budget = QueryBudget::unlimited();
    let (end_ms, day_ms) = (NOW_MS + 86_400_000, 2 * 86_400_000);
    let any = QueryRequest::window(end_ms, day_ms, 1_000);
    let tagged = QueryRequest { annotation_query: vec![("env".into(), "dev".into())], ..any.clone() };
    let named = QueryRequest { service_name: Some("svc2".into()), span_name: Some("op 2".into()), ..any.clone() };
    for request in [&any, &tagged, &named, &QueryRequest { limit: 5, ..any.clone() }] {
        let found = sqlite.search(request, &budget).await.unwrap();
        assert_eq!(found, memory.search(request, &budget).await.unwrap(), "{request:?}");
        assert!(!found.is_empty());
    }
    let ids: Vec<TraceId> =
        (1..=60).map(|n| TraceId::from_halves(if n % 7 == 0 { n } else { 0 }, n).unwrap()).collect();
    let traces = sqlite.traces(&ids, &budget).await.unwrap();
    assert_eq!(traces.len(), 60);
    assert_eq!(traces, memory.traces(&ids, &budget).await.unwrap());
    let links = sqlite.dependencies(end_ms, day_ms, &budget).await.unwrap();
    assert_eq!(links, memory.dependencies(end_ms, day_ms, &budget).await.unwrap());
    assert_eq!(sqlite.service_names().await.unwrap(), memory.service_names().await.unwrap());
    assert_eq!(sqlite.span_names("svc1").await.unwrap(), memory.span_names("svc1").await.unwrap());
    assert_eq!(sqlite.autocomplete_values("env").await.unwrap(), ["dev", "prod"]);
}

#[tokio::test]
async fn a_file_of_the_first_layout_is_moved_and_answers_as_before() {
    for recent_spans_max in [40, 100_000] {
        let directory = tempfile::tempdir().unwrap();
        unpack_to(directory.path());
        let memory = MemoryStorage::new(MemoryConfig::default(), options());
        for post in POSTS.lines() {
            memory.write(&[batch(spans_from_json(post))]).await.remove(0).unwrap();
        }
        let config = || SqliteConfig { recent_spans_max, ..config(directory.path()) };
        for _ in 0..2 {
            let sqlite = SqliteStorage::open(config(), options(), HandClock::new()).await.unwrap();
            assert_same(&sqlite, &memory).await;
            let old = "SELECT count(*) FROM sqlite_schema WHERE name IN ('fragment', 'posting', 'name', 'arrival', 'wide_trace')";
            assert_eq!(sqlx::query_scalar::<_, i64>(old).fetch_one(&sqlite.store.reader.pool).await.unwrap(), 0);
            sqlite.close().await;
        }
    }
}
