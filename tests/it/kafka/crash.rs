//! SIGKILL under load, again and again: at any moment, and at fail points between the store's commit and Kafka's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rdkafka::producer::BaseRecord;

use super::broker::{flush, producer, servers, topic};
use super::fail_points::{self, Plan, Point};
use super::sent::Messages;
use super::{metric_in, reads, wait_for, wait_until_stored};
use crate::binary::Process;
use crate::support::http::{Request, send as http};

const PARTITIONS: i32 = 3;
/// Messages between two looks at whether the brokers have them, and the pause after them: a load that a debug build of the
/// server and the comparison at the end keep up with.
const CHUNK: u64 = 20;
const CHUNK_PAUSE: Duration = Duration::from_millis(60);
/// Rounds unless `ZIPKIND_CRASH_ROUNDS` says otherwise (the long form).
const ROUNDS: u64 = 4;

#[allow(clippy::disallowed_methods, reason = "the long form is the same test with more rounds")]
fn rounds() -> u64 {
    std::env::var("ZIPKIND_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Sends numbered messages until told to stop; each is in Kafka when its number is counted.
fn send_until(topic: &str, messages: Messages, sent: &AtomicU64, stop: &AtomicBool) {
    let producer = producer(&[("acks", "all"), ("linger.ms", "0")]);
    while !stop.load(Ordering::Relaxed) {
        let first = sent.load(Ordering::Relaxed);
        for number in first..first + CHUNK {
            let partition = (number % PARTITIONS as u64) as i32;
            let message = messages.body(number);
            let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&message);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        flush(&producer);
        sent.store(first + CHUNK, Ordering::Relaxed);
        std::thread::sleep(CHUNK_PAUSE);
    }
}

/// Tells the sender to stop, also when the test fails.
struct StopsSending<'a>(&'a AtomicBool);

impl Drop for StopsSending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Offsets stored, over the partitions of a member.
fn consumed(process: &Process) -> f64 {
    let text = http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
    metric_in(&text, "kafka_collector_consumed_offset", &[])
}

/// Members over one store, of which the first dies again and again.
struct Members<'a> {
    folder: tempfile::TempDir,
    topic: &'a str,
    store: &'a [(&'a str, &'a str)],
}

impl Members<'_> {
    fn variables<'a>(&'a self, name: &'a str, commit_interval_ms: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut variables = reads(servers(), self.topic);
        variables.extend([
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_AUTO_COMMIT_INTERVAL_MS", commit_interval_ms),
            // A member with a name of its own is let in again at once, not when the dead one's session is over.
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_GROUP_INSTANCE_ID", name),
        ]);
        variables.extend(self.store);
        variables
    }

    fn start(&self, name: &str, commit_interval_ms: &str) -> Process {
        Process::start(self.folder.path(), &self.variables(name, commit_interval_ms))
    }

    /// One life of the first member.
    fn live_and_die(&self, round: u64) {
        // Kafka is never told, or all the time: kills fall on either side of its commit.
        let commit_interval_ms = if round % 8 < 4 { "3600000" } else { "50" };
        if round.is_multiple_of(2) {
            return self.die_at_any_moment(round, commit_interval_ms);
        }
        let (point, errors_every) =
            if round % 4 == 1 { (Point::BeforeStore, 0) } else { (Point::AfterStore, round / 4 % 2 * 3) };
        let variables = self.variables("crash-0", commit_interval_ms).into_iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        fail_points::wait_until_killed(fail_points::start(&Plan {
            point,
            write: 2 + round % 7,
            errors_every,
            variables,
        }));
    }

    fn die_at_any_moment(&self, round: u64, commit_interval_ms: &str) {
        let process = self.start("crash-0", commit_interval_ms);
        let first = wait_for("it has partitions", || Some(consumed(&process)).filter(|offset| *offset > 0.0));
        wait_for("it stores more", || (consumed(&process) > first).then_some(()));
        // A different moment each round; the length of a load, not a wait for something.
        std::thread::sleep(Duration::from_millis(50 + round * 137 % 400));
        process.signal(Signal::SIGKILL);
        let (status, _) = process.wait();
        assert_eq!(status.code(), None, "it ended by the signal");
    }
}

/// Starts and kills the first of the members again and again while messages are sent; then everything must be there once.
fn survive(topic: &str, store: &[(&str, &str)], members: usize) {
    let group = Members { folder: tempfile::tempdir().unwrap(), topic, store };
    let messages = Messages::new();
    let (sent, stop, begin) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    let steady: Vec<_> = (1..members).map(|member| group.start(&format!("crash-{member}"), "1000")).collect();
    std::thread::scope(|scope| {
        let _stops = StopsSending(&stop);
        scope.spawn(|| send_until(topic, messages, &sent, &stop));
        (0..rounds()).for_each(|round| group.live_and_die(round));
    });
    let process = group.start("crash-0", "1000");
    let sent = sent.load(Ordering::Relaxed);
    wait_until_stored(sent as f64, || consumed(&process) + steady.iter().map(consumed).sum::<f64>());
    let took = begin.elapsed().as_secs();
    let faults = messages.faults(process.address(), sent);
    assert!(
        faults.is_empty(),
        "{} faults in {sent} messages, such as {:?}",
        faults.len(),
        &faults[..faults.len().min(5)]
    );
    let rounds = rounds();
    eprintln!(
        "{topic}: {rounds} kills in {took} s, {members} members, {sent} messages: every field of every span, links and \
         requests as sent, none lost or doubled"
    );
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
