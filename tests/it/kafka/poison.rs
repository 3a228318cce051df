//! Messages that cannot be kept stop nothing, are counted by reason, and go to their topic unchanged.

use std::path::Path;
use std::time::Duration;

use rdkafka::producer::{BaseRecord, Producer};

use super::broker::{Broker, producer, producer_at, read, send, send_to, send_with, servers, topic};
use super::{metric, reads, wait_for};
use crate::support::server::{Server, Store};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);

fn good(id: u64) -> String {
    format!(r#"[{{"traceId":"{id:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}]"#)
}

/// What must not be kept, and why.
fn poison() -> Vec<(Vec<u8>, &'static str)> {
    let list = good(1).into_bytes();
    let one_bad = format!("{},{}", &good(1)[..good(1).len() - 1], r#"{"traceId":"","id":"1"}]"#);
    vec![
        (b"x".to_vec(), "unknown_format"),
        (b"[".to_vec(), "malformed"),
        (vec![0xff; 1_000], "unknown_format"),
        (list[..list.len() / 2].to_vec(), "malformed"),
        // Compressed by the program, not by its Kafka client.
        (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "unknown_format"),
        ([b"[".as_slice(), &vec![b' '; 5 << 20]].concat(), "malformed"),
        (one_bad.into_bytes(), "malformed"),
        (vec![12, 0, 0, 0, 200], "malformed"),
        (vec![10, 200, 1, 2, 3], "malformed"),
    ]
}

fn poison_set(store: Store) {
    let (topic, letters) = (topic("poison", 1), topic("letters", 1));
    let mut variables = reads(servers(), &topic);
    variables.push(("KAFKA_DEAD_LETTER_TOPIC", &letters));
    let server = Server::start(store, &variables);
    let poison = poison();
    send(&topic, 0, [Vec::new(), good(7).into_bytes()]);
    send(&topic, 0, poison.iter().map(|(payload, _)| payload));
    send(&topic, 0, [good(8)]);
    let end = poison.len() as f64 + 3.0;
    wait_for("the whole topic is passed", || {
        (metric(&server, "kafka_collector_consumed_offset", &[&topic]) >= end).then_some(())
    });
    for id in [7, 8] {
        assert_eq!(server.get(&format!("/api/v2/trace/{id:016x}")).status, 200);
    }
    assert_eq!(server.get("/api/v2/trace/0000000000000001").status, 404, "nothing of a bad message is kept");
    let kinds = |reason: &str| poison.iter().filter(|(_, found)| *found == reason).count() as f64;
    for reason in ["unknown_format", "malformed"] {
        assert_eq!(metric(&server, "kafka_collector_poison_messages_total", &[reason]), kinds(reason), "{reason}");
    }
    assert_eq!(metric(&server, "zipkin_collector_messages_dropped_total", &["kafka"]), poison.len() as f64);
    assert_eq!(metric(&server, "zipkin_collector_messages_total", &["kafka"]), end);
    for (index, (letter, (payload, reason))) in read(&letters, poison.len()).iter().zip(&poison).enumerate() {
        assert!(letter.payload == *payload, "letter {index} is changed");
        let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("zipkind-reason"), Some(*reason), "letter {index}");
        assert_eq!(header("zipkind-topic"), Some(topic.as_str()));
        assert_eq!(header("zipkind-partition"), Some("0"));
        assert_eq!(header("zipkind-offset"), Some((index + 2).to_string().as_str()));
        assert!(header("zipkind-detail").is_some_and(|detail| !detail.is_empty()));
    }
}

#[test]
fn poison_is_set_aside_and_its_neighbours_are_kept_in_memory() {
    poison_set(Store::Memory);
}

#[test]
fn poison_is_set_aside_and_its_neighbours_are_kept_in_sqlite() {
    poison_set(Store::Sqlite);
}

#[test]
fn records_of_an_aborted_transaction_are_not_kept_and_leave_no_lag() {
    let topic = topic("aborted", 1);
    let server = Server::start(Store::Sqlite, &reads(servers(), &topic));
    let producer = producer(&[("transactional.id", &topic)]);
    producer.init_transactions(CALL_TIMEOUT).unwrap();
    for (id, commit) in [(1, true), (2, false), (3, true), (4, false)] {
        producer.begin_transaction().unwrap();
        let body = good(id);
        producer.send(BaseRecord::<(), str>::to(&topic).payload(&body)).map_err(|(error, _)| error).unwrap();
        producer.flush(CALL_TIMEOUT).unwrap();
        if commit {
            producer.commit_transaction(CALL_TIMEOUT).unwrap();
        } else {
            producer.abort_transaction(CALL_TIMEOUT).unwrap();
        }
    }
    // Four records and four markers.
    wait_for("everything is passed", || {
        let consumed = metric(&server, "kafka_collector_consumed_offset", &[&topic]);
        let lag = metric(&server, "kafka_collector_lag_messages", &[&topic]);
        (consumed == 8.0 && lag == 0.0).then_some(())
    });
    for (id, kept) in [(1, 200), (2, 404), (3, 200), (4, 404)] {
        assert_eq!(server.get(&format!("/api/v2/trace/{id:016x}")).status, kept, "{id}");
    }
    assert_eq!(metric(&server, "kafka_collector_missing_messages_total", &[]), 0.0);
    assert_eq!(metric(&server, "kafka_collector_topics_made_anew_total", &[]), 0.0);
}

/// The checksum of record batches (Castagnoli).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, byte)
}

/// Where attributes and records begin in a record batch, and its checksum.
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const RECORDS_AT: usize = 61;
const GZIP: u8 = 1;

/// Overwrites the records of each batch in gzip, with a checksum as if they had been sent so.
fn damage_batches_in_gzip(file: &Path) -> usize {
    let mut bytes = std::fs::read(file).unwrap();
    let (mut at, mut damaged) = (0, 0);
    while at + RECORDS_AT < bytes.len() {
        let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        let batch = &mut bytes[at..at + 12 + length];
        if batch[ATTRIBUTES_AT + 1] & 7 == GZIP {
            batch[RECORDS_AT..].fill(0x5a);
            let checksum = crc32c(&batch[ATTRIBUTES_AT..]);
            batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&checksum.to_be_bytes());
            damaged += 1;
        }
        at += 12 + length;
    }
    std::fs::write(file, bytes).unwrap();
    damaged
}

#[test]
fn batches_whose_bytes_are_not_what_they_say_stop_nothing_and_are_counted() {
    let broker = Broker::not_started();
    broker.start();
    let servers = broker.servers();
    broker.create("zipkin");
    let bad = |ids: std::ops::Range<u64>| {
        let gzip = [("compression.type", "gzip"), ("linger.ms", "500"), ("acks", "all")];
        send_with(&producer_at(&servers, &gzip), "zipkin", 0, ids.map(good));
    };
    send_to(&servers, "zipkin", 0, [good(1)]);
    bad(100..120);
    send_to(&servers, "zipkin", 0, [good(2), good(3)]);
    // At the end, too, where nothing follows at first.
    bad(120..125);
    broker.kill();
    let damaged = damage_batches_in_gzip(&broker.data().join("zipkin-0/00000000000000000000.log"));
    assert!(damaged >= 2, "{damaged} batches are in gzip");
    broker.restart();

    let server = Server::start(Store::Sqlite, &reads(&servers, "zipkin"));
    wait_for("all is passed", || (metric(&server, "kafka_collector_consumed_offset", &[]) == 28.0).then_some(()));
    assert_eq!(metric(&server, "kafka_collector_poison_messages_total", &["damaged"]), 25.0);
    send_to(&servers, "zipkin", 0, [good(4)]);
    for id in 1..=4 {
        wait_for("its neighbours are there", || {
            (server.get(&format!("/api/v2/trace/{id:016x}")).status == 200).then_some(())
        });
    }
    assert!(server.log().contains("messages cannot be read"), "{}", server.log());
}
