//! Members of one group over one store in this process: what each stored is counted, message by message.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;
use zipkind::ingest::{Collector, IngestConfig, MemoryBudget};
use zipkind::telemetry::{CollectorMetrics, SystemClock};
use zipkind::transport::kafka::{KafkaCollector, KafkaConfig, KafkaParts};

use super::broker::{send, servers, topic};
use super::{PATIENCE, metric_in};
use crate::faulty_storage::{FaultyStorage, Mood, POISON};

const PARTITIONS: i32 = 4;

/// A member of the group.
struct Member {
    kafka: KafkaCollector,
    collector: Collector,
    registry: Registry,
    budget: MemoryBudget,
}

fn config(topic: &str, more: &[(&str, &str)]) -> KafkaConfig {
    let base = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000"), ("auto.commit.interval.ms", "100")];
    let properties = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KafkaConfig {
        bootstrap_servers: servers().to_owned(),
        topics: vec![topic.to_owned()],
        group_id: topic.to_owned(),
        properties: properties.collect(),
        drain_timeout: Duration::from_secs(5),
        ..KafkaConfig::default()
    }
}

impl Member {
    fn join(config: &KafkaConfig, storage: &Arc<FaultyStorage>, memory_bytes: usize) -> Self {
        let registry = Registry::new();
        let budget = MemoryBudget::new(memory_bytes);
        let storage = Arc::clone(storage) as Arc<dyn zipkind::storage::StorageBackend>;
        let ingest = IngestConfig { write_timeout: Duration::from_secs(30), ..IngestConfig::default() };
        let collector = Collector::start(&ingest, Arc::clone(&storage), &registry, budget.clone()).unwrap();
        let metrics = CollectorMetrics::register(&registry).unwrap();
        let kafka = KafkaCollector::start(KafkaParts {
            config,
            collector: collector.clone(),
            storage,
            store_is_private: true,
            budget: budget.clone(),
            metrics: &metrics,
            registry: &registry,
            clock: Arc::new(SystemClock),
        });
        Self { kafka: kafka.unwrap(), collector, registry, budget }
    }

    async fn leave(self) {
        self.kafka.stop(PATIENCE).await;
        self.collector.drain(PATIENCE).await;
    }

    fn metric(&self, name: &str, label: &str) -> f64 {
        metric_in(&zipkind::telemetry::exposition::prometheus_text(&self.registry, &[]), name, &[label])
    }
}

/// A message of two spans whose trace id is its number.
fn message(number: u64) -> String {
    let span = |id: u64| {
        format!(
            r#"{{"traceId":"{:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}"#,
            number + 1
        )
    };
    format!("[{},{}]", span(1), span(2))
}

async fn send_numbers(topic: &str, numbers: Range<u64>) {
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
async fn wait_for_all(storage: &FaultyStorage, numbers: Range<u64>) -> HashMap<u64, usize> {
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

fn assert_once(counts: &HashMap<u64, usize>) {
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 2).take(5).collect();
    assert!(wrong.is_empty(), "each message has two spans, but these were stored so often: {wrong:?}");
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn new_topic(name: &'static str) -> String {
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

/// Members come and go all the time while messages are sent.
async fn storm(name: &'static str, strategy: &str, seconds: u64) {
    let topic = new_topic(name).await;
    let storage = Arc::new(FaultyStorage::new(Mood::Slow(Duration::from_millis(5)), 2));
    let config = config(&topic, &[("partition.assignment.strategy", strategy)]);
    let steady = Member::join(&config, &storage, 256 << 20);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        let guest = Member::join(&config, &storage, 256 << 20);
        for _ in 0..4 {
            send_numbers(&topic, sent..sent + 100).await;
            sent += 100;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        guest.leave().await;
    }
    assert_once(&wait_for_all(&storage, 0..sent).await);
    assert!(steady.metric("kafka_collector_rebalances_total", "assigned") > 1.0);
    eprintln!(
        "{strategy}: {sent} messages, {} rebalances of the steady member",
        steady.metric("kafka_collector_rebalances_total", "")
    );
    steady.leave().await;
}

/// The long form asks for two minutes.
#[allow(clippy::disallowed_methods, reason = "the long form is the same test for a longer time")]
fn storm_seconds() -> u64 {
    std::env::var("ZIPKIND_STORM_SECONDS").map_or(8, |seconds| seconds.parse().expect("a number of seconds"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_members_come_and_go_cooperatively() {
    storm("storm-cooperative", "cooperative-sticky", storm_seconds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_members_come_and_go_eagerly() {
    storm("storm-eager", "range", storm_seconds()).await;
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
async fn a_store_that_is_away_holds_kafka_back_within_memory_and_the_lag_drains() {
    let topic = new_topic("away").await;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 1));
    let memory_bytes = 32 << 20;
    let member = Member::join(&config(&topic, &[]), &storage, memory_bytes);
    send_numbers(&topic, 0..4).await;
    wait_for_all(&storage, 0..4).await;
    storage.set(Mood::Hanging);
    // More than fits: spans of 40 MB.
    let long = "x".repeat(100_000);
    let bodies: Vec<String> = (4..404).map(|number| message(number).replace("\"n\"", &format!("\"{long}\""))).collect();
    let target = topic.clone();
    tokio::task::spawn_blocking(move || send(&target, 0, bodies)).await.unwrap();
    wait_until("the partition waits", || member.metric("kafka_collector_paused", "partition=\"0\"") == 1.0).await;
    assert!(member.budget.used_bytes() > memory_bytes / 2, "it waits because memory is used");
    let rebalances = member.metric("kafka_collector_rebalances_total", "");
    storage.set(Mood::Failing);
    wait_until("it is noticed", || member.metric("kafka_collector_repositions_total", "storage_unavailable") >= 1.0)
        .await;
    storage.set(Mood::Well);
    assert_once(&wait_for_all(&storage, 0..404).await);
    wait_until("the lag is gone", || member.metric("kafka_collector_lag_messages", "") == 0.0).await;
    assert_eq!(member.metric("kafka_collector_rebalances_total", ""), rebalances, "the membership was kept");
    assert!(member.metric("kafka_collector_pauses_total", "") >= 1.0);
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
