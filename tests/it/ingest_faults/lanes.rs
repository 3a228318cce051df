//! Lanes that a source opened for itself: order, positions, back-pressure.

use zipkind::ingest::{Lane, Ticket};
use zipkind::storage::SourcePosition;

use super::*;
use crate::faulty_storage::poisoned_message;

fn position(from: i64, next: i64) -> SourcePosition {
    SourcePosition {
        group: "zipkin".to_owned(),
        topic: "zipkin".to_owned(),
        partition: 3,
        from,
        next,
        last_message_ms: next * 1_000,
        last_message_checksum: next as u64,
    }
}

impl Pipeline {
    async fn offer(&self, lane: &Lane, spans: SpanBatch, position: SourcePosition) -> Ticket {
        let permit = self.budget.try_acquire(spans.memory_bytes()).unwrap();
        lane.submit(&self.metrics, spans, Some(position), permit).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn messages_keep_their_order_and_positions_are_joined() {
    let config = IngestConfig { batch_spans_max: 3, ..config() };
    let pipeline = pipeline_with_writers(config, Mood::Slow(Duration::from_millis(10)), 4);
    let lane = pipeline.collector.open_lane("zipkin-3");
    let mut tickets = Vec::new();
    for offset in 0..20 {
        tickets.push(pipeline.offer(&lane, message(offset as u64 + 1, 1), position(offset, offset + 1)).await);
    }
    for ticket in tickets {
        assert_eq!(ticket.await, Ok(()));
    }
    assert_eq!(pipeline.storage.stored(), (1..=20).map(|trace| (trace, 1)).collect::<Vec<_>>());
    assert!(pipeline.storage.calls().len() < 20, "batches of several messages");
    assert_eq!(pipeline.storage.position(3), Some(position(0, 20)).map(|all| SourcePosition { from: 18, ..all }));
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_position_moves_past_messages_without_spans_and_refused_ones() {
    let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(10)));
    let lane = pipeline.collector.open_lane("zipkin-3");
    let messages = [
        message(1, 2),
        SpanBatch::new(),
        poisoned_message(2, 2),
        message(3, 1),
        poisoned_message(4, 1),
        SpanBatch::new(),
    ];
    let mut tickets = Vec::new();
    for (offset, spans) in messages.into_iter().enumerate() {
        tickets.push(pipeline.offer(&lane, spans, position(offset as i64, offset as i64 + 1)).await);
    }
    let mut refused = Vec::new();
    for (offset, ticket) in tickets.into_iter().enumerate() {
        match ticket.await {
            Ok(()) => {}
            Err(SubmitError::Rejected { .. }) => refused.push(offset),
            Err(other) => panic!("{offset}: {other}"),
        }
    }
    assert_eq!(refused, [2, 4]);
    assert_eq!(pipeline.storage.stored(), [(1, 1), (1, 2), (3, 1)]);
    assert_eq!(pipeline.storage.position(3).unwrap().next, 6);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_everything_behind_it_comes_back_in_order() {
    let pipeline = pipeline(config(), Mood::Hanging);
    let lane = pipeline.collector.open_lane("zipkin-3");
    let first = pipeline.offer(&lane, message(1, 1), position(0, 1)).await;
    settle().await;
    let second = pipeline.offer(&lane, message(2, 1), position(1, 2)).await;
    for ticket in [first, second] {
        assert!(matches!(ticket.await, Err(SubmitError::Unavailable { .. })));
    }
    assert_eq!((pipeline.storage.stored(), pipeline.storage.position(3)), (Vec::new(), None));
    pipeline.storage.set(Mood::Well);
    for offset in 0..2 {
        let ticket = pipeline.offer(&lane, message(offset as u64 + 1, 1), position(offset, offset + 1)).await;
        assert_eq!(ticket.await, Ok(()));
    }
    assert_eq!(pipeline.storage.stored(), [(1, 1), (2, 1)]);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_position_that_was_stored_before_is_told_apart() {
    let pipeline = pipeline(config(), Mood::Well);
    let lane = pipeline.collector.open_lane("zipkin-3");
    assert_eq!(pipeline.offer(&lane, message(1, 1), position(0, 5)).await.await, Ok(()));
    let again = pipeline.offer(&lane, message(1, 1), position(0, 5)).await.await;
    assert_eq!(again, Err(SubmitError::StalePosition));
    assert_eq!(pipeline.storage.stored(), [(1, 1)]);
    assert_eq!(pipeline.dropped("stale_position"), 1);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_holds_its_source_back_without_a_deadline() {
    let config = IngestConfig { lane_messages_max: 1, write_timeout: Duration::from_secs(3_600), ..config() };
    let pipeline = pipeline(config, Mood::Hanging);
    let lane = Arc::new(pipeline.collector.open_lane("zipkin-3"));
    let mut tickets = vec![pipeline.offer(&lane, message(1, 1), position(0, 1)).await];
    settle().await;
    tickets.push(pipeline.offer(&lane, message(2, 1), position(1, 2)).await);
    let permit = pipeline.budget.try_acquire(1_000).unwrap();
    let (lane_of_task, metrics) = (Arc::clone(&lane), pipeline.metrics.clone());
    let third =
        tokio::spawn(async move { lane_of_task.submit(&metrics, message(3, 1), Some(position(2, 3)), permit).await });
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    assert!(!third.is_finished(), "the source waits");
    pipeline.storage.set(Mood::Well);
    tickets.push(third.await.unwrap().unwrap());
    for ticket in tickets {
        assert_eq!(ticket.await, Ok(()));
    }
    assert_eq!(pipeline.storage.stored(), [(1, 1), (2, 1), (3, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_a_lane_that_was_taken_away_is_not_written() {
    let pipeline = pipeline(config(), Mood::Hanging);
    let lane = pipeline.collector.open_lane("zipkin-3");
    let under_way = pipeline.offer(&lane, message(1, 1), position(0, 1)).await;
    settle().await;
    let waiting = pipeline.offer(&lane, message(2, 1), position(1, 2)).await;
    lane.discard_waiting();
    assert_eq!(waiting.await, Err(SubmitError::StalePosition));
    pipeline.storage.set(Mood::Well);
    assert_eq!(under_way.await, Ok(()));
    assert_eq!(pipeline.storage.stored(), [(1, 1)]);
    pipeline.check_at_rest();
}
