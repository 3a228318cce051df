//! The end of the process.

use zipkind::ingest::{AckMode, DrainReport};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_drain_stores_what_was_accepted_and_lets_nothing_in() {
    let config = IngestConfig { ack: AckMode::Accepted, batch_spans_max: 5, ..config() };
    let pipeline = pipeline(config, Mood::Slow(Duration::from_millis(100)));
    for trace in 1..=30 {
        assert_eq!(pipeline.submit(message(trace, 2)).await, Ok(()));
    }
    let before = pipeline.storage.stored().len() as u64;
    let report = pipeline.collector.drain(Duration::from_secs(60)).await;
    assert_eq!(report, DrainReport { stored: 60 - before, lost: 0 });
    assert_eq!(pipeline.storage.stored().len(), 60);
    assert_eq!(pipeline.submit(message(1, 1)).await, Err(SubmitError::ShuttingDown));
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_anything_under_way_ends_at_once() {
    let pipeline = pipeline(config(), Mood::Hanging);
    let start = tokio::time::Instant::now();
    assert_eq!(pipeline.collector.drain(Duration::from_secs(60)).await, DrainReport::default());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_a_drain_could_not_store_is_told_and_counted() {
    let config = IngestConfig { lane_messages_max: 2, ..config() };
    let pipeline = pipeline(config, Mood::Hanging);
    let under_way = pipeline.send(message(1, 3));
    settle().await;
    let queued: Vec<_> = (0..2).map(|_| pipeline.send(message(1, 3))).collect();
    settle().await;
    let at_the_door = pipeline.send(message(1, 3));
    settle().await;
    let start = tokio::time::Instant::now();
    let report = pipeline.collector.drain(Duration::from_secs(1)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(report, DrainReport { stored: 0, lost: 12 });
    for answer in queued.into_iter().chain([under_way, at_the_door]) {
        assert_eq!(answer.await.unwrap(), Err(SubmitError::ShuttingDown));
    }
    assert_eq!(pipeline.dropped("shutdown"), 12);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_answers_who_still_waits() {
    let pipeline = pipeline(config(), Mood::Hanging);
    let lane = pipeline.collector.open_lane("zipkin-0");
    let permit = pipeline.budget.try_acquire(1_000).unwrap();
    let ticket = lane.submit(&pipeline.metrics, message(1, 1), None, permit).await.unwrap();
    settle().await;
    let Pipeline { storage: _storage, budget, collector, .. } = pipeline;
    drop((lane, collector));
    assert_eq!(ticket.await, Err(SubmitError::ShuttingDown));
    assert_eq!(budget.used_bytes(), 0);
}
