//! Spans from real Kafka brokers (`scripts/services/kafka`, which the tests start themselves), read back over HTTP.

mod away;
mod broker;
mod brokers;
mod brokers_away;
mod clients;
mod crash;
mod damage;
mod fail_points;
mod formats;
mod member;
mod members;
mod poison;
mod positions;
mod security;
mod sent;
mod storm;
mod tasks;

use std::time::{Duration, Instant};

use crate::support::server::Server;

/// How long something may take that should take moments: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until a question has an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Waits until all offsets are stored, for as long as more of them become so: what waits can be more than a busy machine works
/// off in the time that a standstill may last.
fn wait_until_stored(sent: f64, mut stored: impl FnMut() -> f64) {
    let (mut most, mut since) = (0.0, Instant::now());
    loop {
        let now = stored();
        if now >= sent {
            return;
        }
        if now > most {
            (most, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "it stands still at {now} of {sent} offsets");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// The sum of a metric's values whose labels hold all of these texts.
fn metric(server: &Server, name: &str, labels: &[&str]) -> f64 {
    metric_in(&server.get("/prometheus").text(), name, labels)
}

fn metric_in(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of_name = |line: &&str| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with('{') || rest.starts_with(' ')).then_some(())
    };
    let lines = text.lines().filter(|line| of_name(line).is_some());
    let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Variables of a server that reads this topic; the group has the topic's name.
fn reads<'a>(servers: &'a str, topic: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("KAFKA_BOOTSTRAP_SERVERS", servers),
        ("KAFKA_TOPIC", topic),
        ("KAFKA_GROUP_ID", topic),
        ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SESSION_TIMEOUT_MS", "6000"),
        ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_HEARTBEAT_INTERVAL_MS", "1000"),
    ]
}
