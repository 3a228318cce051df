//! Messages cut at every byte and mutated, over HTTP: 400 exactly when the codec refuses them, else 202.

use zipkind::codec::{DecodeLimits, Format, check_list, decode};

use super::*;
use crate::fuzzing::targets::mutate::{Random, mutate};
use crate::fuzzing::targets::seeds;

const FORMATS: [(Format, &str, &str, &str); 4] = [
    (Format::JsonV2, "json_v2", "/api/v2/spans", "application/json"),
    (Format::Proto3, "proto3", "/api/v2/spans", "application/x-protobuf"),
    (Format::JsonV1, "json_v1", "/api/v1/spans", "application/json"),
    (Format::Thrift, "thrift", "/api/v1/spans", "application/x-thrift"),
];

fn messages(format: &str) -> Vec<Vec<u8>> {
    seeds::of(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), format)
}

fn expected_status(format: Format, message: &[u8]) -> u16 {
    let is_nothing = message.is_empty() || message == b"[]";
    let is_taken = || check_list(format, message).is_ok() && decode(format, message, &DecodeLimits::default()).is_ok();
    if is_nothing || is_taken() { 202 } else { 400 }
}

#[test]
fn messages_cut_at_every_byte_are_answered_as_their_codec_decides() {
    let siege = Siege::begin(&[]);
    for (format, folder, path, media_type) in FORMATS {
        // What clients sent has every kind of field; the shortest of these in the short form.
        let mut messages = messages(folder);
        messages.retain(|message| message.len() > 300);
        messages.sort_by_key(Vec::len);
        messages.truncate(scaled(1, 4));
        assert!(!messages.is_empty(), "{folder}");
        let mut refused = 0;
        for message in messages {
            for end in 0..=message.len() {
                let response = siege.post(path, media_type, &message[..end]);
                assert_eq!(response.status, expected_status(format, &message[..end]), "{folder} cut to {end}");
                refused += usize::from(response.status == 400);
            }
        }
        assert!(refused > 100, "{folder}: {refused}");
    }
    siege.end("messages cut at every byte", 300);
}

#[test]
fn mutated_messages_are_answered_as_their_codec_decides() {
    let siege = Siege::begin(&[]);
    let mut random = Random::new(4);
    for (format, folder, path, media_type) in FORMATS {
        let messages = messages(folder);
        let mut taken = 0;
        let count = scaled(500, 25_000);
        for _ in 0..count {
            let mut message = messages[random.below(messages.len())].clone();
            let other = &messages[random.below(messages.len())];
            mutate(&mut random, &mut message, other);
            let response = siege.post(path, media_type, message.clone());
            assert_eq!(response.status, expected_status(format, &message), "{folder}: {message:?}");
            taken += usize::from(response.status == 202);
        }
        assert!(taken > count / 50, "{folder}: {taken}");
    }
    siege.end("mutated messages", 300);
}
