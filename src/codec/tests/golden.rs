//! What zipkin 3.6.1 was seen to answer: `tests/golden/<codec>/recorded.json`, one case a line.
//!
//! `in` or `in_hex` is the message; `spans` what a read of the trace gave afterwards, to the byte; `refused` the body
//! of the 400; `refused_ending` the end of it where zipkin's parser talks and we have words of our own.

use crate::codec::{DecodeLimits, Format, decode, detect, json_v2};
use serde_json::Value;

/// Decodes a message and writes it as a query would answer it.
pub(crate) fn answered(format: Format, message: impl AsRef<[u8]>) -> Result<String, String> {
    let batch = decode(format, message.as_ref(), &DecodeLimits::default()).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    json_v2::write_spans(&batch, &mut out);
    Ok(String::from_utf8(out).expect("JSON is UTF-8"))
}

pub(crate) fn read_golden(path: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn message_of(case: &Value) -> Vec<u8> {
    match (&case["in"], &case["in_hex"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(hex)) => from_hex(hex),
        _ => panic!("case without a message: {case}"),
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Replays every recorded case of one codec; returns how many there were.
pub(crate) fn replay_recorded(format: Format, folder: &str) -> usize {
    let cases: Vec<Value> =
        serde_json::from_slice(&read_golden(&format!("{folder}/recorded.json"))).expect("recorded.json is JSON");
    for case in &cases {
        let message = message_of(case);
        let answer = answered(format, &message);
        let about = || format!("{}: {}\n  gave {answer:?}", case["case"], String::from_utf8_lossy(&message));
        if let Some(spans) = case["spans"].as_str() {
            assert_eq!(answer.as_deref(), Ok(spans), "{}", about());
        } else if let Some(refused) = case["refused"].as_str() {
            assert_eq!(answer.as_ref().unwrap_err(), refused, "{}", about());
        } else {
            let ending = case["refused_ending"].as_str().expect("a case with an outcome");
            let refused = answer.clone().unwrap_err();
            assert!(refused.ends_with(ending) && refused.len() > ending.len() + 10, "{}", about());
        }
    }
    cases.len()
}

/// Decodes what a real client sent (`tests/golden/<codec>/<client>/in.*`) and compares it with the spans that zipkin
/// answered for it (`spans.json`), as sets: zipkin keeps equal spans once and in an order of its own.
fn compare_client(format: Format, folder: &std::path::Path) {
    let mut spans = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path()) {
        if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("in.")) {
            let message = std::fs::read(&entry).expect("a readable message");
            // Queues tell no content type, so zipkin went by the content.
            let detected = detect(&message).expect("a known format");
            assert!(detected == format || folder.ends_with("zipkin-js-kafka-json-v2"), "{}", entry.display());
            let answer = answered(detected, &message).unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
            spans.extend(list_of(answer.as_bytes()));
        }
    }
    let mut expected = list_of(&std::fs::read(folder.join("spans.json")).expect("spans.json"));
    for list in [&mut spans, &mut expected] {
        list.sort();
        list.dedup();
    }
    assert_eq!(spans, expected, "{}", folder.display());
    assert!(!spans.is_empty());
}

fn list_of(json: &[u8]) -> Vec<String> {
    let values: Vec<Value> = serde_json::from_slice(json).expect("a list of spans");
    values.iter().map(Value::to_string).collect()
}

/// Compares every client of one codec; returns how many there were.
pub(crate) fn compare_clients(format: Format, folder: &str) -> usize {
    let folder = format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).map(|client| compare_client(format, &client)).count()
}
