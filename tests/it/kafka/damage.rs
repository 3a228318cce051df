//! Record batches whose bytes are not what their headers say: they stop nothing, and are counted.

use std::ops::Range;
use std::sync::OnceLock;

use super::broker::{Broker, producer_at, send_to, send_with};
use super::poison::good;
use super::{metric, reads, wait_for};
use crate::support::server::{Server, Store};

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

/// Calls `change` with the first offset and the bytes of each record batch of a topic's file.
fn change_batches(broker: &Broker, topic: &str, mut change: impl FnMut(u64, &mut [u8])) {
    let file = broker.data().join(format!("{topic}-0/00000000000000000000.log"));
    let mut bytes = std::fs::read(&file).unwrap();
    let mut at = 0;
    while at + RECORDS_AT < bytes.len() {
        let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        let offset = u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        change(offset, &mut bytes[at..at + 12 + length]);
        at += 12 + length;
    }
    std::fs::write(&file, bytes).unwrap();
}

/// Overwrites the records of each batch in gzip, with a checksum as if they had been sent so.
fn damage_batches_in_gzip(broker: &Broker, topic: &str) {
    let mut damaged = 0;
    change_batches(broker, topic, |_, batch| {
        if batch[ATTRIBUTES_AT + 1] & 7 == GZIP {
            batch[RECORDS_AT..].fill(0x5a);
            let checksum = crc32c(&batch[ATTRIBUTES_AT..]);
            batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&checksum.to_be_bytes());
            damaged += 1;
        }
    });
    assert!(damaged >= 1, "{damaged} batches of {topic} are in gzip");
}

/// Overwrites the records of batches that begin within these offsets, as a bad disk does.
fn overwrite_batches(broker: &Broker, topic: &str, offsets: Range<u64>) {
    change_batches(broker, topic, |offset, batch| {
        if offsets.contains(&offset) {
            batch[RECORDS_AT..].fill(0x5a);
        }
    });
}

/// A broker whose topics have damaged batches, for all tests here: their files are changed behind its back.
fn servers() -> String {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    let broker = BROKER.get_or_init(|| {
        let broker = Broker::not_started();
        broker.start();
        let servers = broker.servers();
        let gzip = [("compression.type", "gzip"), ("linger.ms", "500"), ("acks", "all")];
        let bad = |topic: &str, ids: Range<u64>| send_with(&producer_at(&servers, &gzip), topic, 0, ids.map(good));
        let well = |topic: &str, ids: Range<u64>| send_to(&servers, topic, 0, ids.map(good));
        ["around", "between", "first", "overwritten"].iter().for_each(|topic| broker.create(topic));
        well("around", 1..2);
        bad("around", 100..120);
        well("around", 2..4);
        // At the end, too, where nothing follows at first.
        bad("around", 120..125);
        well("between", 1..2);
        bad("between", 100..105);
        well("between", 2..3);
        bad("between", 105..108);
        well("between", 3..4);
        bad("first", 100..104);
        well("overwritten", 1..2);
        well("overwritten", 100..103);
        well("overwritten", 2..3);
        broker.kill();
        ["around", "between", "first"].iter().for_each(|topic| damage_batches_in_gzip(&broker, topic));
        broker.restart();
        // A broker that starts cuts such batches off by itself.
        overwrite_batches(&broker, "overwritten", 1..4);
        broker
    });
    broker.servers()
}

fn wait_until_consumed(server: &Server, offset: u64) {
    wait_for(&format!("all is passed up to {offset}"), || {
        (metric(server, "kafka_collector_consumed_offset", &[]) == offset as f64).then_some(())
    });
}

fn are_there(server: &Server, ids: Range<u64>) {
    for id in ids {
        wait_for(&format!("message {id} is there"), || {
            (server.get(&format!("/api/v2/trace/{id:016x}")).status == 200).then_some(())
        });
    }
}

fn damaged(server: &Server) -> f64 {
    metric(server, "kafka_collector_poison_messages_total", &["damaged"])
}

#[test]
fn batches_whose_bytes_are_not_what_they_say_stop_nothing_and_are_counted() {
    let servers = servers();
    let server = Server::start(Store::Sqlite, &reads(&servers, "around"));
    wait_until_consumed(&server, 28);
    assert_eq!(damaged(&server), 25.0);
    assert_eq!(metric(&server, "zipkin_collector_messages_dropped_total", &["kafka"]), 25.0);
    send_to(&servers, "around", 0, [good(4)]);
    are_there(&server, 1..5);
    wait_for("the log says so", || server.log().contains("messages cannot be read").then_some(()));
}

#[test]
fn what_can_be_read_between_damaged_batches_is_kept() {
    let server = Server::start(Store::Memory, &reads(&servers(), "between"));
    wait_until_consumed(&server, 11);
    are_there(&server, 1..4);
    assert_eq!(damaged(&server), 8.0);
}

#[test]
fn damage_before_the_first_message_is_passed_too() {
    let servers = servers();
    for (store, group) in [(Store::Sqlite, "first-sqlite"), (Store::Memory, "first-memory")] {
        let mut variables = reads(&servers, "first");
        variables.push(("KAFKA_GROUP_ID", group));
        let server = Server::start(store, &variables);
        wait_for("the damage is passed", || (damaged(&server) == 4.0).then_some(()));
        send_to(&servers, "first", 0, [good(1)]);
        are_there(&server, 1..2);
    }
}

#[test]
fn overwritten_batches_are_passed_and_nothing_of_them_is_stored() {
    let server = Server::start(Store::Sqlite, &reads(&servers(), "overwritten"));
    wait_until_consumed(&server, 5);
    are_there(&server, 1..3);
    assert_eq!(damaged(&server), 3.0);
    assert_eq!(metric(&server, "kafka_collector_poison_messages_total", &[]), 3.0);
}
