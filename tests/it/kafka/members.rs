//! Members of one group over one store in this process: what each stored is counted, message by message.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zipkind::transport::kafka::KafkaConfig;

use super::PATIENCE;
use super::broker::{send, topic};
use super::member::{Member, config};
use crate::faulty_storage::{FaultyStorage, Mood, POISON};

const PARTITIONS: i32 = 4;

/// A message of two spans whose trace id is its number.
pub(crate) fn message(number: u64) -> String {
    let span = |id: u64| {
        format!(
            r#"{{"traceId":"{:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}"#,
            number + 1
        )
    };
    format!("[{},{}]", span(1), span(2))
}

pub(crate) async fn send_numbers(topic: &str, numbers: Range<u64>) {
    let topic = topic.to_owned();
    let sending = tokio::task::spawn_blocking(move || {
        for partition in 0..PARTITIONS {
            let of_partition = |number: &u64| *number % PARTITIONS as u64 == partition as u64;
            send(&topic, partition, numbers.clone().filter(of_partition).map(message));
        }
    });
    sending.await.unwrap();
}

/// How often each message is stored, when all are.
pub(crate) async fn wait_for_all(storage: &FaultyStorage, numbers: Range<u64>) -> HashMap<u64, usize> {
    let start = Instant::now();
    loop {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for (trace, _) in storage.stored() {
            *counts.entry(trace - 1).or_default() += 1;
        }
        if numbers.clone().all(|number| counts.contains_key(&number)) {
            return counts;
        }
        let missing = numbers.clone().filter(|number| !counts.contains_key(number)).count();
        assert!(start.elapsed() < PATIENCE * 2, "{missing} messages are missing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) fn assert_once(counts: &HashMap<u64, usize>) {
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 2).take(5).collect();
    assert!(wrong.is_empty(), "each message has two spans, but these were stored so often: {wrong:?}");
}

pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn new_topic(name: &'static str) -> String {
    tokio::task::spawn_blocking(move || topic(name, PARTITIONS)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_partitions_and_store_each_message_once() {
    let topic = new_topic("shared").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 2));
    let config = config(&topic, &[]);
    let first = Member::join(&config, &storage, 256 << 20);
    send_numbers(&topic, 0..200).await;
    wait_for_all(&storage, 0..200).await;
    let second = Member::join(&config, &storage, 256 << 20);
    wait_until("each has two partitions", || {
        [&first, &second].iter().all(|member| member.metric("kafka_collector_assigned_partitions", "") == 2.0)
    })
    .await;
    send_numbers(&topic, 200..400).await;
    assert_once(&wait_for_all(&storage, 0..400).await);
    assert!(second.metric("zipkin_collector_messages_total", "kafka") > 0.0);
    // Both say that the other keeps its spans elsewhere, which this test only claims.
    wait_until("the other member is noticed", || first.metric("kafka_collector_other_members", "") == 1.0).await;
    assert!(first.kafka.health().note().is_some_and(|note| note.contains("1 other members")));
    second.leave().await;
    send_numbers(&topic, 400..440).await;
    assert_once(&wait_for_all(&storage, 0..440).await);
    first.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_of_a_member_that_lost_its_partition_is_refused() {
    let topic = new_topic("late").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Holding, PARTITIONS as usize));
    let config = KafkaConfig { drain_timeout: Duration::from_millis(100), ..config(&topic, &[]) };
    let first = Member::join(&config, &storage, 256 << 20);
    send_numbers(&topic, 0..40).await;
    wait_until("a write of each partition is held", || storage.held().len() == PARTITIONS as usize).await;
    storage.set(Mood::Well);
    // The first does not end its writes in time: two partitions move on without them.
    let second = Member::join(&config, &storage, 256 << 20);
    wait_until("the second stores what it took over", || second.metric("kafka_collector_spans_total", "") == 40.0)
        .await;
    storage.let_go();
    assert_once(&wait_for_all(&storage, 0..40).await);
    wait_until("the late writes are refused", || storage.stale() >= 1).await;
    assert_once(&wait_for_all(&storage, 0..40).await);
    second.leave().await;
    first.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_that_returns_has_its_partitions_again_and_the_others_do_not_notice() {
    let topic = new_topic("static").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 2));
    // Its return may take as long as this on a busy machine.
    let of = |name: &'static str| config(&topic, &[("group.instance.id", name), ("session.timeout.ms", "45000")]);
    let first = Member::join(&of("first"), &storage, 256 << 20);
    let second = Member::join(&of("second"), &storage, 256 << 20);
    let assigned = |member: &Member| member.metric("kafka_collector_assigned_partitions", "");
    wait_until("each has two partitions", || assigned(&first) == 2.0 && assigned(&second) == 2.0).await;
    let rebalances = first.metric("kafka_collector_rebalances_total", "");
    second.leave().await;
    send_numbers(&topic, 0..40).await;
    let second = Member::join(&of("second"), &storage, 256 << 20);
    assert_once(&wait_for_all(&storage, 0..40).await);
    assert_eq!(assigned(&second), 2.0);
    assert_eq!(first.metric("kafka_collector_rebalances_total", ""), rebalances, "the first kept its partitions");
    second.leave().await;
    first.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_outcome_was_not_known_is_not_repeated() {
    let topic = new_topic("unknown").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Lying, 1));
    let member = Member::join(&config(&topic, &[]), &storage, 256 << 20);
    send_numbers(&topic, 0..40).await;
    wait_until("the store was asked again", || {
        member.metric("kafka_collector_repositions_total", "storage_unavailable") >= 2.0
    })
    .await;
    storage.set(Mood::Well);
    send_numbers(&topic, 40..80).await;
    assert_once(&wait_for_all(&storage, 0..80).await);
    member.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_store_refuses_is_passed_alone() {
    let topic = new_topic("refused").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 1));
    let member = Member::join(&config(&topic, &[]), &storage, 256 << 20);
    let mut bodies: Vec<String> = (0..20).map(message).collect();
    bodies[7] = bodies[7].replace("\"name\":\"n\"", &format!("\"name\":\"n\",\"tags\":{{\"{POISON}\":\"\"}}"));
    let target = topic.clone();
    tokio::task::spawn_blocking(move || send(&target, 0, bodies)).await.unwrap();
    wait_until("all is passed", || member.metric("kafka_collector_consumed_offset", "partition=\"0\"") == 20.0).await;
    let mut traces: Vec<u64> = storage.stored().into_iter().map(|(trace, _)| trace - 1).collect();
    traces.dedup();
    assert_eq!(traces, (0..20).filter(|number| *number != 7).collect::<Vec<_>>());
    assert_eq!(storage.position(0).map(|position| position.next), Some(20));
    assert_eq!(member.metric("kafka_collector_poison_messages_total", "refused_by_storage"), 1.0);
    member.leave().await;
}
