//! What zipkin 3.6.1 was seen to answer: `tests/golden/<codec>/recorded.json`, one case a line.
//!
//! `in` or `in_hex` is the message; `spans` what a read of the trace gave afterwards, to the byte; `refused` the body
//! of the 400; `refused_ending` the end of it where zipkin's parser talks and we have words of our own.

use crate::codec::{DecodeLimits, Format, decode, json_v2};
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
