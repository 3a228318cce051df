//! SIGKILL under load, again and again: Kafka's own offset is never committed, so each kill falls between the store's
//! commit and Kafka's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::producer::{BaseRecord, Producer};

use super::broker::{producer, servers, topic};
use super::{PATIENCE, metric_in, reads, wait_for};
use crate::binary::Process;
use crate::durability::oracle::{Fate, Oracle, body};
use crate::support::http::{Request, send as http};

const PARTITIONS: i32 = 3;
/// Messages between two looks at whether the brokers have them.
const CHUNK: u64 = 100;
/// Rounds unless `ZIPKIND_CRASH_ROUNDS` says otherwise (the long form).
const ROUNDS: u64 = 4;

#[allow(clippy::disallowed_methods, reason = "the long form is the same test with more rounds")]
fn rounds() -> u64 {
    std::env::var("ZIPKIND_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Sends numbered messages until told to stop; each is in Kafka when its number is counted.
fn send_until(topic: &str, sent: &AtomicU64, stop: &AtomicBool) {
    let producer = producer(&[("acks", "all"), ("linger.ms", "0")]);
    while !stop.load(Ordering::Relaxed) {
        let first = sent.load(Ordering::Relaxed);
        for number in first..first + CHUNK {
            let partition = (number % PARTITIONS as u64) as i32;
            let message = body(number);
            let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&message);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        sent.store(first + CHUNK, Ordering::Relaxed);
    }
}

/// Offsets stored, over the partitions of a member.
fn consumed(process: &Process) -> f64 {
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    metric_in(&text, "kafka_collector_consumed_offset", &[])
}

/// Starts and kills the last of the members again and again while messages are sent; then everything must be there once.
fn survive(topic: &str, store: &[(&str, &str)], members: usize) {
    let folder = tempfile::tempdir().unwrap();
    let start = |member: usize| {
        let mut variables = reads(servers(), topic);
        let name = format!("crash-{member}");
        variables.extend([
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_AUTO_COMMIT_INTERVAL_MS", "3600000"),
            // A member with a name of its own is let in again at once, not when the dead one's session is over.
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_GROUP_INSTANCE_ID", name.as_str()),
        ]);
        variables.extend(store);
        Process::start(folder.path(), &variables)
    };
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let steady: Vec<_> = (1..members).map(start).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| send_until(topic, &sent, &stop));
        for round in 0..rounds() {
            let process = start(0);
            let stored = || consumed(&process);
            let first = wait_for("it has partitions", || Some(stored()).filter(|offset| *offset > 0.0));
            wait_for("it stores more", || (stored() > first).then_some(()));
            // A different moment each round; the length of a load, not a wait for something.
            std::thread::sleep(Duration::from_millis(50 + round * 137 % 400));
            process.signal(Signal::SIGKILL);
            let (status, _) = process.wait();
            assert_eq!(status.code(), None, "it ended by the signal");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let process = start(0);
    let sent = sent.load(Ordering::Relaxed);
    wait_for("everything is stored", || {
        let all = consumed(&process) + steady.iter().map(consumed).sum::<f64>();
        (all >= sent as f64).then_some(())
    });
    let mut oracle = Oracle::default();
    (0..sent).for_each(|number| oracle.note(number, Fate::Acknowledged));
    let faults = oracle.faults(process.address());
    assert!(faults.is_empty(), "{} of {sent} messages, such as {:?}", faults.len(), &faults[..faults.len().min(5)]);
    eprintln!("{} rounds, {members} members, {sent} messages, none lost or doubled", rounds());
}

#[test]
fn nothing_is_lost_or_doubled_when_the_single_member_on_sqlite_is_killed_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let store = [("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path.to_str().unwrap())];
    survive(&topic("crash-sqlite", PARTITIONS), &store, 1);
}

#[test]
fn nothing_is_lost_or_doubled_when_one_of_two_members_on_postgresql_is_killed_under_load() {
    let url = zipkind::storage::database_servers::postgres_database();
    let store = [("STORAGE_TYPE", "postgres"), ("POSTGRES_URL", url.as_str())];
    survive(&topic("crash-postgres", PARTITIONS), &store, 2);
}

#[test]
fn nothing_is_lost_or_doubled_when_one_of_two_members_on_mariadb_is_killed_under_load() {
    let url = zipkind::storage::database_servers::mysql_database("");
    let store = [("STORAGE_TYPE", "mysql"), ("MYSQL_JDBC_URL", url.as_str()), ("MYSQL_LAYOUT", "native")];
    survive(&topic("crash-mariadb", PARTITIONS), &store, 2);
}
