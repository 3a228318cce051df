//! What may wait is bounded, in messages, bytes, memory and time.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_lane_is_waited_for_and_then_it_is_an_answer() {
    // A limit of its own, or its part of the one for all lanes.
    let own = IngestConfig { lane_messages_max: 3, ..config() };
    let part = IngestConfig { messages_waiting_max: Some(6), ..config() };
    for config in [own, part] {
        let (queue_wait, retry_after) = (config.queue_wait, config.retry_after);
        let pipeline = pipeline(config, Mood::Hanging);
        let waiting = pipeline.send(message(1, 1));
        settle().await;
        let queued: Vec<_> = (0..3).map(|_| pipeline.send(message(1, 1))).collect();
        settle().await;
        let start = tokio::time::Instant::now();
        assert_eq!(pipeline.submit(message(1, 1)).await, Err(SubmitError::Full { retry_after }));
        assert_eq!(start.elapsed(), queue_wait);
        assert_eq!(pipeline.dropped("full"), 1);
        pipeline.check_accounts();
        pipeline.storage.set(Mood::Well);
        for answer in queued.into_iter().chain([waiting]) {
            assert_eq!(answer.await.unwrap(), Ok(()));
        }
        assert_eq!(pipeline.storage.stored().len(), 4, "the message that was refused is not stored");
        pipeline.check_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_enters_as_soon_as_there_is_room() {
    let config = IngestConfig { lane_messages_max: 1, ..config() };
    let pipeline = pipeline(config, Mood::Slow(Duration::from_millis(900)));
    let start = tokio::time::Instant::now();
    let answers: Vec<_> = (0..3).map(|_| pipeline.send(message(1, 1))).collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap(), Ok(()));
    }
    // One write for each: the lane holds no more than one beside it.
    assert_eq!(start.elapsed(), Duration::from_millis(2_700));
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_bounded_in_bytes_and_a_larger_message_enters_alone() {
    let large = message(1, 1_000);
    let config = IngestConfig { lane_bytes_max: large.record_bytes() / 2, ..config() };
    let pipeline = pipeline(config, Mood::Slow(Duration::from_millis(100)));
    let answers: Vec<_> = (0..4).map(|_| pipeline.send(large.clone())).collect();
    settle().await;
    let depth = pipeline.counted("ingest_lane_messages");
    assert!(depth <= 1, "{depth} messages where half of one has room");
    for answer in answers {
        assert_eq!(answer.await.unwrap(), Ok(()));
    }
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_does_not_stop_the_other_ones() {
    let config = IngestConfig { lane_messages_max: 1, ..config() };
    let pipeline = pipeline_with_writers(config, Mood::Hanging, 2);
    let stuck: Vec<_> = (0..2).map(|_| pipeline.send(message(1, 1))).collect();
    settle().await;
    pipeline.storage.set(Mood::Well);
    for answer in stuck {
        assert_eq!(answer.await.unwrap(), Ok(()));
    }
    // A trace of the other lane is found by trying: its message is written while the first lane's write hangs.
    pipeline.storage.set(Mood::Hanging);
    let hanging = pipeline.send(message(1, 1));
    settle().await;
    pipeline.storage.set(Mood::Slow(Duration::from_millis(1)));
    for trace in 2..40 {
        assert_eq!(pipeline.submit(message(trace, 1)).await, Ok(()));
    }
    assert_eq!(hanging.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn memory_stays_within_the_budget_while_a_store_hangs_and_more_is_sent() {
    let pipeline = pipeline(config(), Mood::Hanging);
    let one = message(1, 2_000);
    let room = pipeline.budget.bytes_max() / one.memory_bytes();
    let mut answers = Vec::new();
    for sent in 0..2 * room {
        let (collector, metrics, spans) = (pipeline.collector.clone(), pipeline.metrics.clone(), one.clone());
        if let Some(permit) = pipeline.budget.try_acquire(spans.memory_bytes()) {
            answers.push(tokio::spawn(async move { collector.submit(&metrics, spans, permit).await }));
        }
        if sent % 100 == 0 {
            settle().await;
        }
        assert!(pipeline.budget.used_bytes() <= pipeline.budget.bytes_max());
    }
    assert!(answers.len() < 2 * room, "the budget has room for {room} messages and all were taken");
    pipeline.storage.set(Mood::Well);
    let mut stored = 0;
    for answer in answers {
        stored += usize::from(answer.await.unwrap().is_ok());
    }
    assert_eq!(pipeline.storage.stored().len(), stored * 2_000);
    pipeline.check_at_rest();
}
