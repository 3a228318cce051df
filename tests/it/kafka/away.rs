//! A store that is slow, or away: memory stays within its bounds, the lag grows and is worked off, the membership is kept.
//!
//! Here for moments; the long form (`scripts/prove kafka-away`) has commits of 5 s and a store that is away for a minute.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zipkind::storage::database_servers::OwnServer;

use super::broker::{send, servers, topic};
use super::member::{Member, config};
use super::members::{assert_once, message, new_topic, send_numbers, wait_for_all, wait_until};
use super::{metric_in, reads, wait_for, wait_until_stored};
use crate::binary::Process;
use crate::faulty_storage::{FaultyStorage, Mood};
use crate::support::http::{Request, send as http};

/// What a member has for spans.
const MEMORY_BYTES: usize = 32 << 20;
/// Length of a span's name, so that messages do not all fit.
const NAME_BYTES: usize = 100_000;
const LOOK: Duration = Duration::from_millis(50);
/// How long a commit takes until a lag is told, which happens every two seconds.
const COMMIT_UNTIL_LAG_IS_TOLD: Duration = Duration::from_secs(5);

/// How long a commit takes, and how long the store is away.
#[allow(clippy::disallowed_methods, reason = "the long form is the same test with longer times")]
fn times() -> (Duration, Duration) {
    match std::env::var("ZIPKIND_AWAY_SECONDS") {
        Ok(away) => (Duration::from_secs(5), Duration::from_secs(away.parse().expect("a number of seconds"))),
        Err(_) => (Duration::from_millis(100), Duration::from_secs(1)),
    }
}

/// Sends messages of two long spans to partition 0.
async fn send_long(topic: &str, numbers: Range<u64>) {
    let name = format!("\"{}\"", "x".repeat(NAME_BYTES));
    let bodies: Vec<String> = numbers.map(|number| message(number).replace("\"n\"", &name)).collect();
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || send(&topic, 0, bodies)).await.unwrap();
}

/// Looks at a member until all is stored; the most messages it was behind.
async fn most_lag_until_all_is_stored(member: &Member, storage: &FaultyStorage, messages: usize) -> f64 {
    let (start, mut most) = (Instant::now(), 0.0_f64);
    while storage.stored().len() < messages * 2 {
        assert!(start.elapsed() < super::PATIENCE * 5, "only {} spans are stored", storage.stored().len());
        most = most.max(member.metric("kafka_collector_lag_messages", ""));
        tokio::time::sleep(LOOK).await;
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_makes_a_lag_that_is_worked_off() {
    let topic = new_topic("slow").await;
    let commit_takes = times().0;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 1));
    let member = Member::join(&config(&topic, &[]), &storage, MEMORY_BYTES);
    send_numbers(&topic, 0..4).await;
    wait_for_all(&storage, 0..4).await;
    let rebalances = member.metric("kafka_collector_rebalances_total", "");
    // Spans of 80 MB, of which memory has room for less than half: there is a lag for several commits.
    storage.set(Mood::Slow(COMMIT_UNTIL_LAG_IS_TOLD));
    let begin = Instant::now();
    send_long(&topic, 4..404).await;
    let lag = || member.metric("kafka_collector_lag_messages", "");
    wait_until("a lag grows", || lag() > 0.0).await;
    let told = lag();
    storage.set(Mood::Slow(commit_takes));
    let most = most_lag_until_all_is_stored(&member, &storage, 404).await.max(told);
    assert_once(&wait_for_all(&storage, 0..404).await);
    wait_until("the lag is gone", || lag() == 0.0).await;
    assert_eq!(member.metric("kafka_collector_rebalances_total", ""), rebalances, "the membership was kept");
    assert!(storage.writing_most() == 1 && storage.calls().len() > 4, "it took several commits");
    eprintln!("commits of {commit_takes:?}: up to {most} messages behind, worked off in {:.1?}", begin.elapsed());
    member.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_holds_kafka_back_and_the_lag_drains() {
    let topic = new_topic("away").await;
    let away = times().1;
    let storage = Arc::new(FaultyStorage::new(Mood::Well, 1));
    let member = Member::join(&config(&topic, &[]), &storage, MEMORY_BYTES);
    send_numbers(&topic, 0..4).await;
    wait_for_all(&storage, 0..4).await;
    storage.set(Mood::Hanging);
    send_long(&topic, 4..404).await;
    wait_until("the partition waits", || member.metric("kafka_collector_paused", "partition=\"0\"") == 1.0).await;
    assert!(member.budget.used_bytes() > MEMORY_BYTES / 2, "it waits because memory is used");
    let rebalances = member.metric("kafka_collector_rebalances_total", "");
    storage.set(Mood::Failing);
    wait_until("it is noticed", || member.metric("kafka_collector_repositions_total", "storage_unavailable") >= 1.0)
        .await;
    // The length of the absence, not a wait for something.
    tokio::time::sleep(away).await;
    // What was being written when the store went away is there.
    wait_until("the lag is told", || member.metric("kafka_collector_lag_messages", "") >= 300.0).await;
    storage.set(Mood::Well);
    let back = Instant::now();
    most_lag_until_all_is_stored(&member, &storage, 404).await;
    assert_once(&wait_for_all(&storage, 0..404).await);
    wait_until("the lag is gone", || member.metric("kafka_collector_lag_messages", "") == 0.0).await;
    assert_eq!(member.metric("kafka_collector_rebalances_total", ""), rebalances, "the membership was kept");
    assert!(member.metric("kafka_collector_pauses_total", "") >= 1.0);
    eprintln!("away for {away:?}: more than 300 messages behind, worked off in {:.1?}", back.elapsed());
    member.leave().await;
}

/// Resident memory of a process.
fn resident_bytes(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Messages that wait while the database is away, of 200 kB each.
const WAITING: u64 = 1_200;
/// Memory that a process may grow by meanwhile: what it may use for spans, and what the Kafka client, the statements of a
/// write and the allocator make of it. About half of what waits.
const GROWTH_BYTES_MAX: usize = 4 * MEMORY_BYTES;

#[test]
fn a_database_that_goes_away_costs_no_memory_and_the_lag_drains() {
    let database = OwnServer::start("postgres");
    let topic = topic("database-away", 1);
    let folder = tempfile::tempdir().unwrap();
    let memory = MEMORY_BYTES.to_string();
    let mut variables = reads(servers(), &topic);
    variables.extend([
        ("STORAGE_TYPE", "postgres"),
        ("POSTGRES_URL", &database.address),
        ("INGEST_MEMORY_BYTES", &memory),
    ]);
    let process = Process::start(folder.path(), &variables);
    let value = |name: &str| {
        metric_in(&http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text(), name, &[])
    };
    let long = |numbers: Range<u64>| {
        let name = format!("\"{}\"", "x".repeat(NAME_BYTES));
        numbers.map(move |number| message(number).replace("\"n\"", &format!("\"n\",\"tags\":{{\"long\":{name}}}")))
    };
    send(&topic, 0, long(0..10));
    wait_for("the first are stored", || (value("kafka_collector_spans_total") == 20.0).then_some(()));
    let (rebalances, resident) = (value("kafka_collector_rebalances_total"), resident_bytes(&process));

    database.vanish();
    send(&topic, 0, long(10..10 + WAITING));
    let (since, mut most) = (Instant::now(), 0);
    wait_for("the lag is told", || (value("kafka_collector_lag_messages") == WAITING as f64).then_some(()));
    while since.elapsed() < times().1 {
        most = most.max(resident_bytes(&process));
        std::thread::sleep(LOOK);
    }
    let most_away = most;
    database.appear();
    wait_until_stored((WAITING + 10) as f64, || {
        most = most.max(resident_bytes(&process));
        value("kafka_collector_consumed_offset")
    });
    wait_for("the lag is gone", || (value("kafka_collector_lag_messages") == 0.0).then_some(()));
    assert_eq!(value("kafka_collector_rebalances_total"), rebalances, "the membership was kept");
    for number in [0, 9, 10, 400, WAITING + 9] {
        let target = format!("/api/v2/trace/{:016x}", number + 1);
        let found = http(process.address(), &Request::new("GET", &target)).unwrap().text();
        let spans: Vec<serde_json::Value> = serde_json::from_str(&found).unwrap();
        assert_eq!(spans.len(), 2, "message {number}");
    }
    let grown = |most: usize| most.saturating_sub(resident) >> 20;
    eprintln!(
        "PostgreSQL away for {:?}, {WAITING} messages of 200 kB waiting: grown by {} MiB meanwhile and {} MiB at most, of which \
         {} MiB may be spans",
        times().1,
        grown(most_away),
        grown(most),
        MEMORY_BYTES >> 20
    );
    assert!(most < resident + GROWTH_BYTES_MAX, "it grew by {} MiB", grown(most));
}
