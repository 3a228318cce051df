//! Source positions: committed with the spans, or honestly not at all.

use super::sample::{batch, lows, span, trace_id};
use super::{Fixture, Suite};
use crate::model::SpanBatch;
use crate::storage::{Batch, ErrorKind, SourcePosition, Stored};

const TOPIC: &str = "zipkin";

fn position(partition: i32, from: i64, next: i64) -> SourcePosition {
    SourcePosition {
        group: "group".to_owned(),
        topic: TOPIC.to_owned(),
        partition,
        from,
        next,
        last_message_ms: 1_600_000_000_000 + next,
        last_message_checksum: u64::MAX - next as u64,
    }
}

fn at(spans: SpanBatch, position: SourcePosition) -> Batch {
    Batch { spans, position: Some(position) }
}

/// A store, if its backend keeps positions.
async fn store(suite: &Suite) -> Option<Fixture> {
    let store = suite.store().await;
    store.capabilities().source_positions.then_some(store)
}

async fn stored(store: &Fixture, partition: i32) -> Option<SourcePosition> {
    let position = store.source_position("group", TOPIC, partition).await;
    position.unwrap_or_else(|error| panic!("reading a position failed: {error}"))
}

async fn write(store: &Fixture, batches: &[Batch]) -> Vec<Result<Stored, ErrorKind>> {
    store.write(batches).await.into_iter().map(|result| result.map_err(|error| error.kind)).collect()
}

pub(super) async fn positions_are_stored_with_their_spans(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    assert_eq!(stored(&store, 0).await, None);
    // The first position may start anywhere; further ones follow, also inside one write.
    let batches = [
        at(batch([&span(1, 1)]), position(0, 500, 510)),
        at(batch([&span(2, 1)]), position(0, 510, 511)),
        Batch { spans: batch([&span(3, 1)]), position: None },
        at(batch([&span(4, 1)]), position(0, 511, 600)),
    ];
    assert_eq!(write(&store, &batches).await, [Ok(Stored { spans: 1 }); 4]);
    assert_eq!(stored(&store, 0).await, Some(position(0, 511, 600)));
    assert_eq!(store.read(&[1, 2, 3, 4].map(|low| trace_id(0, low))).await.len(), 4);
    assert_eq!(write(&store, &[at(batch([&span(5, 1)]), position(0, 600, 601))]).await, [Ok(Stored { spans: 1 })]);
    assert_eq!(stored(&store, 0).await, Some(position(0, 600, 601)));
}

pub(super) async fn a_stale_position_refuses_its_batch_only(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let first = at(batch([&span(1, 1)]), position(0, 0, 10));
    assert_eq!(write(&store, std::slice::from_ref(&first)).await, [Ok(Stored { spans: 1 })]);
    let batches = [
        at(batch([&span(2, 1)]), position(1, 0, 5)),
        at(batch([&span(3, 1)]), position(0, 0, 20)),
        at(batch([&span(4, 1)]), position(0, 5, 20)),
        Batch { spans: batch([&span(5, 1)]), position: None },
        at(batch([&span(6, 1)]), position(0, 10, 20)),
        first,
    ];
    let stale = Err(ErrorKind::StalePosition);
    let taken = Ok(Stored { spans: 1 });
    assert_eq!(write(&store, &batches).await, [taken, stale, stale, taken, taken, stale]);
    let read = store.read(&[1, 2, 3, 4, 5, 6].map(|low| trace_id(0, low))).await;
    assert_eq!(lows(&read), [1, 2, 5, 6]);
    assert_eq!(stored(&store, 0).await, Some(position(0, 10, 20)));
    assert_eq!(stored(&store, 1).await, Some(position(1, 0, 5)));
}

pub(super) async fn a_gap_is_refused(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    write(&store, &[at(batch([&span(1, 1)]), position(0, 0, 10))]).await;
    let ahead = at(batch([&span(2, 1)]), position(0, 11, 12));
    assert_eq!(write(&store, &[ahead]).await, [Err(ErrorKind::StalePosition)]);
    assert_eq!(store.read(&[trace_id(0, 2)]).await, []);
    assert_eq!(stored(&store, 0).await, Some(position(0, 0, 10)));
}

pub(super) async fn batches_without_spans_move_the_position(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let batches = [at(SpanBatch::new(), position(0, 3, 4)), at(SpanBatch::new(), position(0, 4, 9))];
    assert_eq!(write(&store, &batches).await, [Ok(Stored { spans: 0 }); 2]);
    assert_eq!(stored(&store, 0).await, Some(position(0, 4, 9)));
}

pub(super) async fn sources_are_independent(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    let long = "t".repeat(249);
    let sources = [
        ("group", "topic", 0),
        ("group", "topic", 1),
        ("group", "topic", i32::MAX),
        ("group", "Topic", 0),
        ("gruppe-ß-😀", "topic", 0),
        ("group", long.as_str(), 0),
    ];
    let of = |&(group, topic, partition): &(&str, &str, i32), next| SourcePosition {
        group: group.to_owned(),
        topic: topic.to_owned(),
        ..position(partition, next - 1, next)
    };
    for (next, source) in (1..).zip(&sources) {
        let result = write(&store, &[at(SpanBatch::new(), of(source, next * i64::from(i32::MAX)))]).await;
        assert_eq!(result, [Ok(Stored { spans: 0 })]);
    }
    for (next, source) in (1..).zip(&sources) {
        let found = store.source_position(source.0, source.1, source.2).await;
        assert_eq!(found.ok().flatten(), Some(of(source, next * i64::from(i32::MAX))));
    }
    assert!(matches!(store.source_position("group", "other", 0).await, Ok(None)));
}

pub(super) async fn one_of_two_racing_members_wins(suite: &Suite) {
    let Some(store) = store(suite).await else { return };
    for round in 0..20 {
        let batches = [1, 2].map(|member| {
            let low = round as u64 * 2 + member;
            at(batch([&span(low, 1)]), position(0, round, round + 1))
        });
        let [one, other] = &batches;
        let results =
            tokio::join!(write(&store, std::slice::from_ref(one)), write(&store, std::slice::from_ref(other)));
        let won = [&results.0[0], &results.1[0]].map(Result::is_ok);
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{results:?}");
        let kept = [1, 2].map(|member| trace_id(0, round as u64 * 2 + member));
        assert_eq!(store.read(&kept).await.len(), 1);
    }
}

pub(super) async fn stores_without_positions_say_so(suite: &Suite) {
    let store = suite.store().await;
    if store.capabilities().source_positions {
        return;
    }
    let read = store.source_position("group", TOPIC, 0).await;
    assert_eq!(read.map_err(|error| error.kind), Err(ErrorKind::Unsupported));
    let batches = [at(batch([&span(1, 1)]), position(0, 0, 1)), Batch { spans: batch([&span(2, 1)]), position: None }];
    assert_eq!(write(&store, &batches).await, [Err(ErrorKind::Unsupported), Ok(Stored { spans: 1 })]);
    assert_eq!(lows(&store.read(&[trace_id(0, 1), trace_id(0, 2)]).await), [2]);
}
