//! Every engine: what was acknowledged survives crashes of the server, and nothing is doubled by trying again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::testing::OwnServer;
use crate::model::testing::spans_from_json;
use crate::model::{SpanBatch, TraceId};
use crate::storage::{Batch, QueryBudget, Retry, RetryConfig, SourcePosition, SpanConsumer, SpanStore, StorageBackend};

const WRITERS: u64 = 3;
const BATCHES: u64 = 40;
const CRASHES: u64 = 3;
const T_US: i64 = 1_600_000_000_000_000;

fn batch(writer: u64, n: u64) -> Batch {
    let mut spans = SpanBatch::new();
    for id in 1..=4 {
        spans.append(&spans_from_json(&format!(
            r#"[{{"traceId":"{:x}","id":"{id:x}","name":"get","timestamp":{},"localEndpoint":{{"serviceName":"s{id}"}}}}]"#,
            writer * 1000 + n + 1,
            T_US + id as i64
        )));
    }
    let position = SourcePosition {
        group: "group".to_owned(),
        topic: "topic".to_owned(),
        partition: writer as i32,
        from: n as i64,
        next: n as i64 + 1,
        last_message_ms: 0,
        last_message_checksum: n,
    };
    Batch { spans, position: Some(position) }
}

/// Writers write while the server crashes and comes back. A batch that was stored twice, or lost after it was acknowledged,
/// would stop its writer, because each moves its source by compare-and-set.
pub(in crate::storage) async fn what_was_acknowledged_survives_crashes(
    mut server: OwnServer,
    store: Arc<dyn StorageBackend>,
) {
    let retry = RetryConfig {
        tries_max: 1000,
        time_max: Duration::from_secs(120),
        first_pause: Duration::from_millis(20),
        pause_max: Duration::from_millis(200),
    };
    let retrying = Arc::new(Retry::new(Arc::clone(&store), retry));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, acknowledged) = (Arc::clone(&retrying), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for n in 0..BATCHES {
                    let stored = store.write(&[batch(writer, n)]).await.remove(0);
                    stored.unwrap_or_else(|error| panic!("writer {writer} batch {n}: {error}"));
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for crash in 1..=CRASHES {
        while acknowledged.load(Ordering::Relaxed) < crash * WRITERS * BATCHES / (CRASHES + 1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server = tokio::task::spawn_blocking(move || {
            server.crash();
            server
        })
        .await
        .unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let ids: Vec<TraceId> = (0..WRITERS)
        .flat_map(|writer| (1..=BATCHES).map(move |n| TraceId::from_halves(0, writer * 1000 + n).unwrap()))
        .collect();
    let traces = retrying.traces(&ids, &QueryBudget::unlimited()).await.unwrap();
    assert_eq!(traces.len() as u64, WRITERS * BATCHES);
    assert!(traces.iter().all(|trace| trace.len() == 4));
    for writer in 0..WRITERS {
        let position = retrying.source_position("group", "topic", writer as i32).await.unwrap();
        assert_eq!(position, batch(writer, BATCHES - 1).position);
    }
    store.close().await;
}
