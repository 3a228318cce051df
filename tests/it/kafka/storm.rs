//! Members that join and leave all the time: nothing is missing, nothing doubled, and it goes on.
//!
//! Here for seconds; the long form (`scripts/prove kafka-storm`) for two minutes, with its own bounds on standstills.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::member::{Member, config};
use super::members::{assert_once, new_topic, send_numbers, wait_for_all, wait_until};
use crate::faulty_storage::{FaultyStorage, Mood};

/// How long a guest stays in the long form, and how long no message may be stored: during the storm where partitions stay
/// with their members, after it where all are given back each time.
const VISIT: Duration = Duration::from_secs(5);
const STANDSTILL_MAX: Duration = Duration::from_secs(15);
const MEMORY_BYTES: usize = 256 << 20;
/// Between two looks at what is stored.
const LOOK: Duration = Duration::from_millis(100);
/// Messages sent at once, and the pause after them.
const SENT_AT_ONCE: u64 = 100;
const SEND_PAUSE: Duration = Duration::from_millis(300);

/// How members share partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Cooperative,
    Eager,
}

/// How long the storm is, and a visit in it.
#[derive(Clone, Copy, Debug)]
struct Storm {
    lasts: Duration,
    visit: Duration,
    is_long: bool,
}

#[allow(clippy::disallowed_methods, reason = "the long form is the same test for a longer time")]
fn storm() -> Storm {
    match std::env::var("ZIPKIND_STORM_SECONDS") {
        Ok(seconds) => {
            let lasts = Duration::from_secs(seconds.parse().expect("a number of seconds"));
            Storm { lasts, visit: VISIT, is_long: true }
        }
        Err(_) => Storm { lasts: Duration::from_secs(8), visit: Duration::from_secs(1), is_long: false },
    }
}

/// The longest time in which nothing new was stored.
#[derive(Debug)]
struct Standstill {
    stored: usize,
    since: Instant,
    longest: Duration,
}

impl Standstill {
    fn new() -> Self {
        Self { stored: 0, since: Instant::now(), longest: Duration::ZERO }
    }

    fn look(&mut self, storage: &FaultyStorage) {
        let stored = storage.stored().len();
        if stored > self.stored {
            (self.stored, self.since) = (stored, Instant::now());
        }
        self.longest = self.longest.max(self.since.elapsed());
    }
}

/// Sends messages all the time; how many it were.
async fn send_until(topic: String, sent: Arc<AtomicU64>, end: Instant) {
    while Instant::now() < end {
        let first = sent.load(Ordering::Relaxed);
        let numbers: Range<u64> = first..first + SENT_AT_ONCE;
        send_numbers(&topic, numbers).await;
        sent.store(first + SENT_AT_ONCE, Ordering::Relaxed);
        tokio::time::sleep(SEND_PAUSE).await;
    }
}

async fn survive(name: &'static str, protocol: Protocol) {
    let strategy = if protocol == Protocol::Cooperative { "cooperative-sticky" } else { "range" };
    let (topic, storm) = (new_topic(name).await, storm());
    let storage = Arc::new(FaultyStorage::new(Mood::Slow(Duration::from_millis(5)), 2));
    let config = config(&topic, &[("partition.assignment.strategy", strategy)]);
    let steady = Member::join(&config, &storage, MEMORY_BYTES);
    let sent = Arc::new(AtomicU64::new(0));
    send_numbers(&topic, 0..SENT_AT_ONCE).await;
    sent.store(SENT_AT_ONCE, Ordering::Relaxed);
    wait_for_all(&storage, 0..SENT_AT_ONCE).await;

    let begin = Instant::now();
    let sending = tokio::spawn(send_until(topic.clone(), Arc::clone(&sent), begin + storm.lasts));
    let (mut standstill, mut visits) = (Standstill::new(), 0);
    while begin.elapsed() < storm.lasts {
        let guest = Member::join(&config, &storage, MEMORY_BYTES);
        let joined = Instant::now();
        // A guest that left before it had anything would be none.
        let has_partitions = || guest.metric("kafka_collector_assigned_partitions", "") > 0.0;
        while joined.elapsed() < storm.visit || !has_partitions() {
            assert!(joined.elapsed() < PATIENCE, "a guest gets no partition");
            standstill.look(&storage);
            tokio::time::sleep(LOOK).await;
        }
        let leaving = guest.leave();
        tokio::pin!(leaving);
        while tokio::time::timeout(LOOK, &mut leaving).await.is_err() {
            standstill.look(&storage);
        }
        visits += 1;
    }
    sending.await.unwrap();
    let after = Instant::now();
    let sent = sent.load(Ordering::Relaxed);
    assert_once(&wait_for_all(&storage, 0..sent).await);
    let (after, longest) = (after.elapsed(), standstill.longest);
    wait_until("the steady member took partitions again", || {
        steady.metric("kafka_collector_rebalances_total", "assigned") > 1.0
    })
    .await;
    let rebalances = steady.metric("kafka_collector_rebalances_total", "");
    eprintln!(
        "{strategy}: {sent} messages once each, {visits} visits, {rebalances} rebalances of the steady member, longest \
         standstill {longest:.1?}, the rest {after:.1?} after the storm"
    );
    if storm.is_long {
        assert!(after < STANDSTILL_MAX, "the rest took {after:?}");
        assert!(protocol == Protocol::Eager || longest < STANDSTILL_MAX, "nothing was stored for {longest:?}");
    }
    steady.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_members_come_and_go_cooperatively() {
    survive("storm-cooperative", Protocol::Cooperative).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_members_come_and_go_eagerly() {
    survive("storm-eager", Protocol::Eager).await;
}
