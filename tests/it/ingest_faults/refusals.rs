//! A store that fails or refuses.

use super::*;
use crate::faulty_storage::poisoned_message;

#[tokio::test(start_paused = true)]
async fn only_the_refused_message_errors_wherever_it_stands_among_its_neighbours() {
    for poisoned in 0..9 {
        let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(100)));
        // All wait behind a write, so that they become one batch.
        let first = pipeline.send(message(5, 1));
        settle().await;
        let answers: Vec<_> = (0..9)
            .map(|place| pipeline.send(if place == poisoned { poisoned_message(5, 3) } else { message(5, 2 + place) }))
            .collect();
        first.await.unwrap().unwrap();
        for (place, answer) in answers.into_iter().enumerate() {
            let answer = answer.await.unwrap();
            if place as u64 == poisoned {
                assert!(matches!(answer, Err(SubmitError::Rejected { .. })), "{place}: {answer:?}");
            } else {
                assert_eq!(answer, Ok(()), "{place} with {poisoned} refused");
            }
        }
        let expected: u64 = 1 + (0..9).filter(|place| *place != poisoned).map(|place| 2 + place).sum::<u64>();
        assert_eq!(pipeline.storage.stored().len() as u64, expected, "each neighbour once");
        assert_eq!(pipeline.dropped("rejected"), 3);
        pipeline.check_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn many_refused_messages_of_many_lanes_are_all_found() {
    let pipeline = pipeline(config(), Mood::Slow(Duration::from_millis(10)));
    let answers: Vec<_> = (1..=300)
        .map(|trace| {
            (trace, pipeline.send(if trace % 7 == 0 { poisoned_message(trace, 2) } else { message(trace, 2) }))
        })
        .collect();
    for (trace, answer) in answers {
        assert_eq!(answer.await.unwrap().is_ok(), trace % 7 != 0, "{trace}");
    }
    let expected: Vec<_> =
        (1..=300).filter(|trace| trace % 7 != 0).flat_map(|trace| [(trace, 1), (trace, 2)]).collect();
    assert_eq!(sorted(pipeline.storage.stored()), expected);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_told_to_senders_and_service_resumes_by_itself() {
    let pipeline = pipeline(config(), Mood::Failing);
    for trace in 1..=5 {
        let answer = pipeline.submit(message(trace, 2)).await;
        assert!(matches!(answer, Err(SubmitError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(pipeline.storage.stored(), []);
    assert_eq!(pipeline.dropped("unavailable"), 10);
    pipeline.storage.set(Mood::Well);
    assert_eq!(pipeline.submit(message(9, 2)).await, Ok(()));
    assert_eq!(pipeline.storage.stored(), [(9, 1), (9, 2)]);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_miscounts_stops_nothing() {
    for mood in [Mood::Panicking, Mood::Miscounting] {
        let pipeline = pipeline(config(), mood);
        let answer = pipeline.submit(message(1, 1)).await;
        assert!(matches!(answer, Err(SubmitError::Unavailable { .. })), "{mood:?}: {answer:?}");
        pipeline.storage.set(Mood::Well);
        assert_eq!(pipeline.submit(message(2, 1)).await, Ok(()), "{mood:?}");
        pipeline.check_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_a_store_that_hangs() {
    let config = config();
    let longest = config.lane_wait + config.lane_wait / 8 + config.write_timeout;
    let pipeline = pipeline(config, Mood::Hanging);
    let start = tokio::time::Instant::now();
    let mut answers = vec![pipeline.send(message(1, 1))];
    settle().await;
    // These wait in their lanes behind the write that hangs.
    answers.extend((1..=20).map(|trace| pipeline.send(message(trace, 1))));
    for answer in answers {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Err(SubmitError::Unavailable { .. })), "{answer:?}");
    }
    assert!(start.elapsed() <= longest, "{:?}", start.elapsed());
    assert_eq!((pipeline.dropped("expired"), pipeline.dropped("unavailable")), (20, 1));
    pipeline.storage.set(Mood::Well);
    assert_eq!(pipeline.submit(message(3, 1)).await, Ok(()));
    assert_eq!(pipeline.storage.stored(), [(3, 1)]);
    pipeline.check_at_rest();
}

#[tokio::test(start_paused = true)]
async fn accounts_add_up_at_every_moment_of_a_bad_day() {
    let lane_wait = Duration::from_millis(2_500);
    let config = IngestConfig { sample_rate: 0.7, lane_messages_max: 8, lane_wait, ..config() };
    let pipeline = pipeline(config, Mood::Well);
    let moods = [
        Mood::Well,
        Mood::Slow(Duration::from_millis(700)),
        Mood::Failing,
        Mood::Panicking,
        Mood::Hanging,
        Mood::Slow(Duration::from_secs(3)),
        Mood::Well,
    ];
    let mut answers = Vec::new();
    let mut expected = Vec::new();
    for (round, mood) in moods.into_iter().enumerate() {
        pipeline.storage.set(mood);
        for step in 1..=40_u64 {
            // Spread over the whole range, so that sampling has something to do.
            let trace = (round as u64 * 40 + step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let poisoned = step % 9 == 0;
            let spans = if poisoned { poisoned_message(trace, 2) } else { message(trace, 2) };
            let answer = pipeline.send(spans);
            if step % 13 == 0 {
                answer.abort();
            } else {
                answers.push((trace, answer));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            pipeline.check_accounts();
        }
    }
    for (trace, answer) in answers {
        if answer.await.unwrap() == Ok(()) {
            expected.push(trace);
        }
    }
    pipeline.check_at_rest();
    let stored = pipeline.storage.stored();
    let kept = |trace: u64| (trace as i64).unsigned_abs() as f64 <= i64::MAX as f64 * 0.7;
    let lost: Vec<_> = expected.iter().filter(|trace| kept(**trace) && !stored.contains(&(**trace, 1))).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "acknowledged and not stored");
    for reason in ["full", "rejected", "unavailable", "expired"] {
        assert!(pipeline.dropped(reason) > 0, "the day had no {reason}");
    }
}
