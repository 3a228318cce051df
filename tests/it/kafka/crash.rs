//! SIGKILL under load, again and again: Kafka's own offset is never committed, so each kill falls between the store's
//! commit and Kafka's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::broker::{producer, send_with, servers, topic};
use super::{metric_in, reads, wait_for};
use crate::binary::Process;
use crate::durability::oracle::{Fate, Oracle, body};
use crate::support::http::{Request, send as http};

const PARTITIONS: i32 = 3;
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
        for number in first..first + 20 {
            send_with(&producer, topic, (number % PARTITIONS as u64) as i32, [body(number)]);
        }
        sent.store(first + 20, Ordering::Relaxed);
    }
}

fn consumed(process: &Process) -> f64 {
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    metric_in(&text, "kafka_collector_consumed_offset", &[])
}

#[test]
fn nothing_is_lost_or_doubled_when_the_single_member_is_killed_under_load() {
    let topic = topic("crash", PARTITIONS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let mut variables = reads(servers(), &topic);
    variables.extend([
        ("STORAGE_TYPE", "sqlite"),
        ("SQLITE_PATH", path.to_str().unwrap()),
        ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_AUTO_COMMIT_INTERVAL_MS", "3600000"),
        // A member with a name of its own is let in again at once, not when the dead one's session is over.
        ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_GROUP_INSTANCE_ID", "crash"),
    ]);
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut stored_before = 0.0;
    std::thread::scope(|scope| {
        scope.spawn(|| send_until(&topic, &sent, &stop));
        for round in 0..rounds() {
            let process = Process::start(folder.path(), &variables);
            let stored =
                wait_for("something more is stored", || Some(consumed(&process)).filter(|now| *now > stored_before));
            // A different moment each round; the length of a load, not a wait for something.
            std::thread::sleep(Duration::from_millis(50 + round * 137 % 400));
            process.signal(Signal::SIGKILL);
            let (status, _) = process.wait();
            assert_eq!(status.code(), None, "it ended by the signal");
            stored_before = stored;
        }
        stop.store(true, Ordering::Relaxed);
    });
    let process = Process::start(folder.path(), &variables);
    let sent = sent.load(Ordering::Relaxed);
    wait_for("everything is stored", || (consumed(&process) >= sent as f64).then_some(()));
    let mut oracle = Oracle::default();
    (0..sent).for_each(|number| oracle.note(number, Fate::Acknowledged));
    let faults = oracle.faults(process.address());
    assert!(faults.is_empty(), "{} of {sent} messages, such as {:?}", faults.len(), &faults[..faults.len().min(5)]);
    println!("{} rounds, {sent} messages, none lost or doubled", rounds());
}
