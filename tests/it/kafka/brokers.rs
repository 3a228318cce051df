//! Three brokers that copy each other: a leader dies and returns, a topic grows, is made anew, loses messages, all while the
//! server reads. It goes on each time; what is gone is counted and logged.

use std::ops::Range;
use std::path::Path;

use nix::sys::signal::Signal;

use super::broker::{Broker, create_at, delete_at, delete_before_at, grow_at, leader_at, send_to};
use super::{metric_in, reads, wait_for};
use crate::binary::Process;
use crate::durability::oracle::{Fate, Oracle, body};
use crate::support::http::{Request, send as http};

const TOPIC: &str = "copied";

/// The server, its brokers, and what must be stored.
struct Scene {
    brokers: Broker,
    servers: String,
    process: Process,
    sent: Oracle,
    messages: u64,
}

impl Scene {
    fn begin(folder: &Path) -> Self {
        let brokers = Broker::several_not_started(3);
        brokers.start();
        let servers = brokers.servers();
        create_at(&servers, TOPIC, 2, 3);
        let path = folder.join("zipkind.db");
        let mut variables = reads(&servers, TOPIC);
        variables.extend([
            ("STORAGE_TYPE", "sqlite"),
            ("SQLITE_PATH", path.to_str().unwrap()),
            // New partitions are noticed at once and not after half a minute.
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000"),
        ]);
        let process = Process::start(folder, &variables);
        Self { brokers, servers, process, sent: Oracle::default(), messages: 0 }
    }

    fn send(&mut self, partition: i32, numbers: Range<u64>) {
        self.messages += numbers.end - numbers.start;
        numbers.clone().for_each(|number| self.sent.note(number, Fate::Acknowledged));
        send_to(&self.servers, TOPIC, partition, numbers.map(body));
    }

    fn value(&self, name: &str, label: &str) -> f64 {
        let text = http(self.process.address(), &Request::new("GET", "/prometheus")).unwrap().text();
        metric_in(&text, name, &[label])
    }

    /// Everything sent so far is read, and there once.
    fn all_is_stored(&self, after: &str) {
        wait_for(&format!("all is stored after {after}"), || {
            (self.value("kafka_collector_consumed_offset", "") == self.messages as f64).then_some(())
        });
        wait_for(&format!("no lag is left after {after}"), || {
            (self.value("kafka_collector_lag_messages", "") == 0.0).then_some(())
        });
        assert_eq!(self.sent.faults(self.process.address()), Vec::<String>::new(), "after {after}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server logged:\n{}", self.process.log());
        }
    }
}

#[test]
fn leaders_die_topics_grow_begin_anew_and_lose_messages_and_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin(folder.path());
    scene.send(0, 0..20);
    scene.send(1, 20..40);
    scene.all_is_stored("the start");

    let leader = leader_at(&scene.servers, TOPIC, 0);
    scene.brokers.kill_one(leader);
    scene.send(0, 40..60);
    scene.send(1, 60..80);
    scene.all_is_stored("a leader's end");
    scene.brokers.restart_one(leader);
    scene.send(0, 80..100);
    scene.all_is_stored("its return");

    grow_at(&scene.servers, TOPIC, 4);
    for partition in 0..4 {
        let first = 100 + 10 * partition as u64;
        scene.send(partition, first..first + 10);
    }
    scene.all_is_stored("growth");
    assert_eq!(scene.value("kafka_collector_assigned_partitions", ""), 4.0);
    assert_eq!(scene.value("kafka_collector_missing_messages_total", ""), 0.0);

    a_topic_made_anew_is_read_from_its_beginning(&mut scene);
    messages_deleted_before_they_were_read_are_told(&mut scene);
    for line in ["deleted and made again", "Kafka deleted messages before they were read"] {
        wait_for(&format!("the log says \"{line}\""), || scene.process.log().contains(line).then_some(()));
    }
}

fn a_topic_made_anew_is_read_from_its_beginning(scene: &mut Scene) {
    delete_at(&scene.servers, TOPIC);
    create_at(&scene.servers, TOPIC, 1, 3);
    scene.send(0, 200..210);
    wait_for("it is noticed", || (scene.value("kafka_collector_topics_made_anew_total", "") >= 1.0).then_some(()));
    wait_for("the new topic is read", || {
        (scene.value("kafka_collector_consumed_offset", "partition=\"0\"") == 10.0).then_some(())
    });
    assert_eq!(scene.sent.faults(scene.process.address()), Vec::<String>::new());
}

fn messages_deleted_before_they_were_read_are_told(scene: &mut Scene) {
    let read_before = scene.value("kafka_collector_messages_total", "");
    scene.process.signal(Signal::SIGSTOP);
    // A fetch of before may be under way still: what answers it is no more than the first message.
    send_to(&scene.servers, TOPIC, 0, [body(300)]);
    send_to(&scene.servers, TOPIC, 0, (301..320).map(body));
    delete_before_at(&scene.servers, TOPIC, 25);
    scene.process.signal(Signal::SIGCONT);
    wait_for("what is left is read", || {
        (scene.value("kafka_collector_consumed_offset", "partition=\"0\"") == 30.0).then_some(())
    });
    let read = scene.value("kafka_collector_messages_total", "") - read_before;
    wait_for("the gap is counted", || {
        let missing = scene.value("kafka_collector_missing_messages_total", "");
        (missing > 0.0 && read + missing == 20.0).then_some(())
    });
}
