//! Where reading begins, and that each message counts once, whatever ended the process before.

use std::path::Path;

use nix::sys::signal::Signal;

use super::broker::{commit, committed, create, delete, delete_before, send, servers, topic};
use super::{metric_in, reads, wait_for};
use crate::binary::Process;
use crate::durability::oracle::{Fate, Oracle, body};
use crate::support::http::{Request, send as http};

/// Kafka is never told: what the store says must be enough.
const NEVER_COMMITS: (&str, &str) = ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_AUTO_COMMIT_INTERVAL_MS", "3600000");

fn sqlite<'a>(path: &'a str, topic: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut variables = reads(servers(), topic);
    variables.extend([("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", path)]);
    variables.extend(more);
    variables
}

fn prometheus(process: &Process) -> String {
    http(process.address(), &Request::new("GET", "/prometheus")).unwrap().text()
}

fn value(process: &Process, name: &str, label: &str) -> f64 {
    metric_in(&prometheus(process), name, &[label])
}

fn wait_until_consumed(process: &Process, topic: &str, offset: i64) {
    wait_for(&format!("{topic} is stored up to {offset}"), || {
        (value(process, "kafka_collector_consumed_offset", topic) >= offset as f64).then_some(())
    });
}

fn all_stored(numbers: std::ops::Range<u64>) -> Oracle {
    let mut oracle = Oracle::default();
    numbers.for_each(|number| oracle.note(number, Fate::Acknowledged));
    oracle
}

fn start(folder: &Path, variables: &[(&str, &str)]) -> Process {
    Process::start(folder, variables)
}

#[test]
fn after_a_kill_the_stored_position_counts_and_not_kafkas() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let topic = topic("killed", 1);
    let variables = sqlite(path.to_str().unwrap(), &topic, &[NEVER_COMMITS]);
    send(&topic, 0, (0..50).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 50);
    process.signal(Signal::SIGKILL);
    process.wait();
    assert_eq!(committed(&topic, &topic, 0), None, "Kafka knows nothing");
    send(&topic, 0, (50..60).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 60);
    // Ten are new; the last one of before is read once more for comparison, and not counted.
    assert_eq!(value(&process, "zipkin_collector_messages_total", "kafka"), 10.0);
    assert_eq!(value(&process, "kafka_collector_topics_made_anew_total", ""), 0.0);
    assert_eq!(all_stored(0..60).faults(process.address()), Vec::<String>::new());
}

#[test]
fn a_clean_end_commits_to_kafka_and_leaves_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let topic = topic("ended", 2);
    let variables = sqlite(path.to_str().unwrap(), &topic, &[NEVER_COMMITS]);
    let process = start(folder.path(), &variables);
    send(&topic, 0, (0..5).map(body));
    send(&topic, 1, (5..7).map(body));
    wait_until_consumed(&process, &topic, 7);
    let (status, log) = process.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!((committed(&topic, &topic, 0), committed(&topic, &topic, 1)), (Some(5), Some(2)));
}

#[test]
fn the_first_start_goes_on_where_the_group_was() {
    for store in ["mem", "sqlite"] {
        let topic = topic("half-read", 1);
        send(&topic, 0, (0..10).map(body));
        commit(&topic, &topic, 0, 6);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zipkind.db");
        let mut variables = sqlite(path.to_str().unwrap(), &topic, &[]);
        variables.push(("STORAGE_TYPE", store));
        let process = start(folder.path(), &variables);
        wait_until_consumed(&process, &topic, 10);
        assert_eq!(value(&process, "zipkin_collector_messages_total", "kafka"), 4.0, "{store}");
        assert_eq!(all_stored(6..10).faults(process.address()), Vec::<String>::new());
    }
}

#[test]
fn the_stored_position_wins_over_a_reset_in_kafka_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let topic = topic("reset", 1);
    let variables = sqlite(path.to_str().unwrap(), &topic, &[]);
    send(&topic, 0, (0..10).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 10);
    process.terminate();
    commit(&topic, &topic, 0, 3);
    send(&topic, 0, (10..12).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 12);
    assert_eq!(value(&process, "zipkin_collector_messages_total", "kafka"), 2.0);
    let (_, log) = process.terminate();
    let line = log.lines().find(|line| line.contains("differs from the stored one")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("\"stored_offset\":10") && line.contains("\"kafka_offset\":3"), "{line}");
}

#[test]
fn a_topic_that_was_deleted_and_made_again_is_noticed_and_read_from_its_beginning() {
    // Shorter than before, as long as before, longer than before.
    for (case, count) in [("shorter", 4), ("equal", 10), ("longer", 15)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zipkind.db");
        let topic = topic(&format!("again-{case}"), 1);
        let variables = sqlite(path.to_str().unwrap(), &topic, &[]);
        send(&topic, 0, (0..10).map(body));
        let process = start(folder.path(), &variables);
        wait_until_consumed(&process, &topic, 10);
        process.terminate();
        delete(&topic);
        create(&topic, 1);
        send(&topic, 0, (100..100 + count).map(body));
        let process = start(folder.path(), &variables);
        wait_for("the new topic is stored", || {
            let anew = value(&process, "kafka_collector_topics_made_anew_total", "") == 1.0;
            let consumed = value(&process, "kafka_collector_consumed_offset", &topic) == count as f64;
            (anew && consumed).then_some(())
        });
        assert_eq!(all_stored(100..100 + count).faults(process.address()), Vec::<String>::new(), "{case}");
        assert_eq!(all_stored(0..10).faults(process.address()), Vec::<String>::new(), "{case}: the old spans stay");
        let (_, log) = process.terminate();
        assert!(log.contains("deleted and made again"), "{log}");
    }
}

#[test]
fn a_topic_that_was_made_again_and_is_empty_is_noticed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let topic = topic("emptied", 1);
    let variables = sqlite(path.to_str().unwrap(), &topic, &[]);
    send(&topic, 0, (0..10).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 10);
    process.terminate();
    delete(&topic);
    create(&topic, 1);
    let process = start(folder.path(), &variables);
    wait_for("it is noticed", || (value(&process, "kafka_collector_topics_made_anew_total", "") == 1.0).then_some(()));
    wait_for("the position moves to its beginning", || {
        (value(&process, "kafka_collector_consumed_offset", &topic) == 0.0).then_some(())
    });
    send(&topic, 0, (100..104).map(body));
    wait_until_consumed(&process, &topic, 4);
    assert_eq!(all_stored(100..104).faults(process.address()), Vec::<String>::new());
    assert_eq!(value(&process, "kafka_collector_topics_made_anew_total", ""), 1.0);
    assert_eq!(value(&process, "kafka_collector_repositions_total", "stalled"), 0.0, "the group was not joined anew");
}

#[test]
fn messages_that_kafka_deleted_before_they_were_read_are_counted_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zipkind.db");
    let topic = topic("deleted", 1);
    let variables = sqlite(path.to_str().unwrap(), &topic, &[]);
    send(&topic, 0, (0..10).map(body));
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 10);
    process.terminate();
    send(&topic, 0, (10..30).map(body));
    delete_before(&topic, 17);
    let process = start(folder.path(), &variables);
    wait_until_consumed(&process, &topic, 30);
    wait_for("the gap is counted", || {
        (value(&process, "kafka_collector_missing_messages_total", &topic) == 7.0).then_some(())
    });
    assert_eq!(all_stored(17..30).faults(process.address()), Vec::<String>::new());
    let (_, log) = process.terminate();
    assert!(log.contains("Kafka deleted messages before they were read"), "{log}");
}
