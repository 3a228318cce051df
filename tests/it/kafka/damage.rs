//! Record batches whose bytes are not what their headers say: they stop nothing, and are counted.

use std::path::Path;

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
