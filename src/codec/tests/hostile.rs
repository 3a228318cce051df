//! Bytes that nobody sane sends: an error or spans, never a panic, and nothing that grows faster than the message.

use std::time::Duration;

use super::golden::{message_of, read_golden};
use crate::codec::{DecodeLimits, Format, decode, json_v2};
use crate::model::cpu_time::CpuTime;
use crate::model::{SpanBatch, SpanRef};

const FORMATS: [(Format, &str); 4] =
    [(Format::JsonV2, "json_v2"), (Format::JsonV1, "json_v1"), (Format::Proto3, "proto3"), (Format::Thrift, "thrift")];

/// Every recorded message of a format.
fn messages(folder: &str) -> Vec<Vec<u8>> {
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&read_golden(&format!("{folder}/recorded.json"))).expect("recorded.json is JSON");
    cases.iter().map(message_of).collect()
}

/// Memory that a batch may hold per byte of its message. A lower-cased `İ` grows from two bytes to three, invalid
/// bytes from one to three, an annotation of the v1 format may become a span.
const MEMORY_FACTOR: usize = 12;

fn check(format: Format, message: &[u8]) -> Option<SpanBatch> {
    let batch = decode(format, message, &DecodeLimits::default()).ok()?;
    for record in batch.records() {
        SpanRef::check(record).expect("only whole records get in");
    }
    let memory_bytes = batch.memory_bytes();
    assert!(memory_bytes <= MEMORY_FACTOR * message.len() + 1024, "{memory_bytes} of {}", message.len());
    let mut json = Vec::new();
    json_v2::write_spans(&batch, &mut json);
    serde_json::from_slice::<serde_json::Value>(&json).expect("what was accepted can be written as JSON");
    // An id of a few zeros is taken and written as 16, which are refused; everything else can be read again.
    if batch.iter().all(|span| span.id.value() != 0) {
        let again = decode(Format::JsonV2, &json, &DecodeLimits::default()).expect("written spans are readable");
        assert_eq!(again.to_spans(), batch.to_spans(), "{}", String::from_utf8_lossy(message));
    }
    Some(batch)
}

#[test]
fn messages_cut_at_every_byte_are_refused_or_hold_whole_spans() {
    for (format, folder) in FORMATS {
        for message in messages(folder) {
            for end in 0..message.len() {
                check(format, &message[..end]);
            }
        }
    }
}

/// Decodes what would take minutes if any of it were quadratic, even at this size in a debug build.
fn decode_quickly(format: Format, message: &[u8]) -> Option<SpanBatch> {
    let started = CpuTime::start();
    let batch = check(format, message);
    assert!(started.elapsed() < Duration::from_secs(30), "{format}: {:?}", started.elapsed());
    batch
}

#[test]
fn a_span_of_very_many_parts_takes_linear_time() {
    const COUNT: usize = 100_000;
    let tags: String = (0..COUNT).map(|index| format!(",\"{}\":\"\"", COUNT - index)).collect();
    let json = format!(r#"[{{"traceId":"1","id":"1","tags":{{"a":"" {tags}}}}}]"#);
    assert_eq!(decode_quickly(Format::JsonV2, json.as_bytes()).unwrap().get(0).unwrap().tags().count(), COUNT + 1);

    let json = format!(r#"[{{"traceId":"1","id":"1","tags":{{"a":"1"{}}}}}]"#, r#","a":"2""#.repeat(COUNT));
    assert_eq!(decode_quickly(Format::JsonV2, json.as_bytes()).unwrap().get(0).unwrap().tags().count(), 1);

    let annotations: String = (0..COUNT).map(|at| format!(r#",{{"timestamp":{},"value":"x"}}"#, COUNT - at)).collect();
    let json = format!(r#"[{{"traceId":"1","id":"1","annotations":[{}]}}]"#, &annotations[1..]);
    let batch = decode_quickly(Format::JsonV2, json.as_bytes()).unwrap();
    assert_eq!(batch.get(0).unwrap().annotations().count(), COUNT);
    let batch = decode_quickly(Format::JsonV1, json.as_bytes()).unwrap();
    assert_eq!(batch.get(0).unwrap().annotations().count(), COUNT);

    let sides = annotations.replace("\"x\"", "\"x\",\"endpoint\":{\"port\":1}");
    let json = format!(r#"[{{"traceId":"1","id":"1","annotations":[{}]}}]"#, &sides[1..]);
    assert_eq!(decode_quickly(Format::JsonV1, json.as_bytes()).unwrap().len(), 1);
}

#[test]
fn endless_strings_numbers_names_and_escapes_take_linear_time() {
    const LENGTH: usize = 1_000_000;
    for (head, unit) in [
        ("[{\"traceId\":\"", "1"),
        ("[{\"traceId\":", "1"),
        ("[{\"timestamp\":", "9"),
        ("[{\"timestamp\":1.", "0"),
        ("[{\"timestamp\":1e", "9"),
        ("[{\"", "n"),
        ("[{\"name\":\"", "\\u00e9"),
        ("[{\"name\":\"", "\\\\"),
        ("[{\"x\":", "["),
        ("[{\"x\":", "{\"x\":"),
        ("[", " "),
        ("[", "{},"),
        ("[{\"tags\":{\"a\":\"\"", ",\"a\":\"\""),
        ("[{\"name\":\"", "\u{fffd}"),
    ] {
        let mut message = format!("{head}{}", unit.repeat(LENGTH / unit.len())).into_bytes();
        assert_eq!(decode_quickly(Format::JsonV2, &message), None);
        message.extend_from_slice(b"\xff\"}]");
        assert_eq!(decode_quickly(Format::JsonV2, &message), None);
        assert_eq!(decode_quickly(Format::JsonV1, &message), None);
    }
    let zeros = vec![0; LENGTH];
    for (head, format) in
        [(&[12, 0, 15, 0, 0][..], Format::Thrift), (&[10, 0, 99, 0], Format::Thrift), (&[10, 1], Format::Proto3)]
    {
        decode_quickly(format, &[head, &zeros].concat());
    }
}

#[test]
fn a_length_beyond_the_message_reserves_nothing() {
    let started = CpuTime::start();
    for _ in 0..1000 {
        assert!(check(Format::Thrift, &[12, 0x7f, 0xff, 0xff, 0xff]).is_none());
        assert!(check(Format::Thrift, &[10, 0, 1, 11, 0x7f, 0xff, 0xff, 0xff]).is_none());
        assert!(check(Format::Proto3, &[10, 0xff, 0xff, 0xff, 0xff, 0x07]).is_none());
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}
