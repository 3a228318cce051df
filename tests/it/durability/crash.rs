//! SIGKILL of the real binary under concurrent load, again and again on one store.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::oracle::{Fate, Oracle, post};
use crate::binary::{PATIENCE, Process};

const SENDERS: usize = 6;
/// Rounds unless `ZIPKIND_CRASH_ROUNDS` says otherwise (the long form).
const ROUNDS: u64 = 5;

#[allow(clippy::disallowed_methods, reason = "the long form is the same test with more rounds")]
fn rounds() -> u64 {
    std::env::var("ZIPKIND_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Messages acknowledged in a round before its kill, so that each has something to lose on the slowest machine.
const ACKNOWLEDGED_MIN: u64 = 60;

/// Sends numbered messages until the connection breaks.
fn send_until_dead(address: SocketAddr, numbers: &AtomicU64, stored: &AtomicU64, killed: &AtomicBool) -> Oracle {
    let mut oracle = Oracle::default();
    while !killed.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let answer = post(address, number);
        let fate = if answer == Some(202) { Fate::Acknowledged } else { Fate::Unknown };
        if fate == Fate::Acknowledged {
            stored.fetch_add(1, Ordering::Relaxed);
        }
        oracle.note(number, fate);
        // Nobody is there any more. Refused connections cost no time: thousands of messages would have to be repeated.
        if answer.is_none() {
            break;
        }
    }
    oracle
}

/// Sends a message until it is taken, as senders do that are told to come again.
fn deliver(address: SocketAddr, number: u64) {
    let begun = Instant::now();
    loop {
        match post(address, number) {
            Some(202) => return,
            answer => assert!(answer == Some(503) && begun.elapsed() < PATIENCE, "message {number}: {answer:?}"),
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    // Little stays in memory and housekeeping never rests: kills meet sealing, merging, removing and checkpoints.
    let variables = [
        ("STORAGE_TYPE", "sqlite"),
        ("SQLITE_PATH", path.to_str().unwrap()),
        ("SQLITE_RECENT_SPANS_MAX", "1000"),
        ("SQLITE_WAL_BYTES", "1MiB"),
        ("RETENTION_INTERVAL", "100ms"),
    ];
    let numbers = AtomicU64::new(0);
    let mut oracle = Oracle::default();
    for round in 0..rounds() {
        let process = Process::start(folder.path(), &variables);
        let address = process.address();
        // Senders repeat what they have no answer for, so the same message may come a second time after the crash.
        for number in oracle.unknown() {
            deliver(address, number);
            oracle.note(number, Fate::Acknowledged);
        }
        let (stored, killed) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let senders: Vec<_> =
                (0..SENDERS).map(|_| scope.spawn(|| send_until_dead(address, &numbers, &stored, &killed))).collect();
            let begun = Instant::now();
            while stored.load(Ordering::Relaxed) < ACKNOWLEDGED_MIN && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
            // A different moment each round; the length of a load, not a wait for something.
            std::thread::sleep(Duration::from_millis(50 + round * 137 % 400));
            process.signal(Signal::SIGKILL);
            killed.store(true, Ordering::Relaxed);
            senders.into_iter().for_each(|sender| oracle.merge(sender.join().unwrap()));
        });
        let (status, _) = process.wait();
        assert_eq!(status.code(), None, "it ended by the signal");
        let process = Process::start(folder.path(), &variables);
        let faults = oracle.faults(process.address());
        assert!(
            faults.is_empty(),
            "round {round}: {} faults, such as {:?}",
            faults.len(),
            &faults[..faults.len().min(5)]
        );
        process.signal(Signal::SIGKILL);
        process.wait();
    }
    assert!(
        oracle.acknowledged() >= (ACKNOWLEDGED_MIN * rounds()) as usize,
        "only {} messages were stored",
        oracle.acknowledged()
    );
    println!("{} rounds, {} messages acknowledged, none lost or doubled", rounds(), oracle.acknowledged());
}

#[test]
fn the_oracle_finds_what_a_store_loses() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[("STORAGE_TYPE", "mem")]);
    let mut oracle = Oracle::default();
    assert_eq!(post(process.address(), 1), Some(202));
    oracle.note(1, Fate::Acknowledged);
    assert_eq!(oracle.faults(process.address()), Vec::<String>::new());
    oracle.note(2, Fate::Acknowledged);
    assert_eq!(oracle.faults(process.address()).len(), 1);
}
