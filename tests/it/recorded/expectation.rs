//! What a recording says about an answer, and how strictly.
//!
//! Status, the listed headers (null: absent) and the body count; the order of headers and all others do not. A 400 whose
//! recorded words are those of the peer's parser libraries is compared by its ending alone.

use serde_json::Value;

use super::replay::decode_base64;
use crate::support::http::Response;
use crate::support::json::same;

/// What differs, in words.
pub(super) fn check(expect: &Value, response: &Response) -> Vec<String> {
    let mut problems = Vec::new();
    let status = expect["status"].as_u64().expect("a status");
    if status != u64::from(response.status) {
        problems.push(format!("status: expected {status}, got {}: {}", response.status, short(&response.text())));
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        let got = response.header(&name.to_ascii_lowercase());
        if got != value.as_str() {
            problems.push(format!("header {name}: expected {value}, got {got:?}"));
        }
    }
    if let Some(expected) = expected_body(expect) {
        check_body(status, &expected, &response.body, &mut problems);
    }
    check_json(expect, response, &mut problems);
    for part in expect["body_contains"].as_array().into_iter().flatten() {
        let part = part.as_str().expect("text");
        if !response.text().contains(part) {
            problems.push(format!("body does not contain {part:?}: {}", short(&response.text())));
        }
    }
    for series in expect["body_prometheus"].as_array().into_iter().flatten() {
        check_series(series, &response.text(), &mut problems);
    }
    problems
}

fn expected_body(expect: &Value) -> Option<Vec<u8>> {
    let base64 = expect["body_base64"].as_str().map(decode_base64);
    base64.or_else(|| expect["body"].as_str().map(|text| text.as_bytes().to_vec()))
}

fn check_body(status: u64, expected: &[u8], got: &[u8], problems: &mut Vec<String>) {
    let (expected_text, got_text) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(got));
    if expected == got || (status == 400 && is_same_parser_error(&expected_text, &got_text)) {
        return;
    }
    let differ = expected_text.chars().zip(got_text.chars()).position(|(a, b)| a != b);
    let at = differ.unwrap_or_else(|| expected_text.chars().count().min(got_text.chars().count()));
    let around = |text: &str| text.chars().skip(at.saturating_sub(80)).take(280).collect::<String>();
    problems.push(format!(
        "body differs at character {at} (lengths {}, {})\n expected ...{}\n      got ...{}",
        expected.len(),
        got.len(),
        around(&expected_text),
        around(&got_text)
    ));
}

/// Beginnings of messages that are the peer's JSON, protobuf and thrift readers talking.
const PARSER_WORDS: [&str; 10] = [
    "Malformed",
    "End of input",
    "Expected a ",
    "Expected an ",
    "For input string",
    "No enum constant",
    "Incomplete annotation",
    "No value at",
    "No key at",
    "Truncated",
];
/// As `PARSER_WORDS`, for protobuf numbers.
const GREATER: &str = "Greater than";

/// The same ending ` reading List<Span> from <format>`, and a reason of one's own before it.
fn is_same_parser_error(expected: &str, got: &str) -> bool {
    let said_by_parser = expected.starts_with(GREATER) || PARSER_WORDS.iter().any(|word| expected.starts_with(word));
    let Some(ending) = expected.rfind(" reading List<Span> from ").map(|start| &expected[start..]) else {
        return false;
    };
    let names_a_format = ending[" reading List<Span> from ".len()..].chars().all(char::is_alphanumeric);
    said_by_parser && names_a_format && got.ends_with(ending) && got.len() > ending.len() + 3
}

fn check_json(expect: &Value, response: &Response, problems: &mut Vec<String>) {
    let whole = expect.get("body_json");
    let part = expect.get("body_json_subset").and_then(Value::as_object);
    if whole.is_none() && part.is_none() {
        return;
    }
    let Ok(got) = serde_json::from_slice::<Value>(&response.body) else {
        problems.push(format!("body is not JSON: {}", short(&response.text())));
        return;
    };
    if let Some(expected) = whole.filter(|expected| !same(expected, &got)) {
        problems.push(format!("JSON differs:\n expected {expected}\n      got {got}"));
    }
    for (key, value) in part.into_iter().flatten() {
        if !got.get(key).is_some_and(|got| same(value, got)) {
            problems.push(format!("JSON member {key}: expected {value}, got {:?}", got.get(key)));
        }
    }
}

fn check_series(expected: &Value, text: &str, problems: &mut Vec<String>) {
    let name = expected["name"].as_str().expect("a name");
    let labels = expected["labels"].as_object().expect("labels");
    let mut labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str().expect("text"))).collect();
    labels.sort_unstable();
    let found = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse_series)
        .find(|series| series.name == name && series.labels == labels);
    match (found, expected.get("value").and_then(Value::as_f64)) {
        (None, _) => problems.push(format!("no series {name} {labels:?}")),
        (Some(series), Some(value)) if series.value != value => {
            problems.push(format!("series {name} {labels:?}: expected {value}, got {}", series.value));
        }
        _ => {}
    }
}

struct Series<'a> {
    name: &'a str,
    /// Sorted.
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

/// One line of the text format. No label value of the recordings holds a quote, comma or brace but the route's.
fn parse_series(line: &str) -> Option<Series<'_>> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}')?;
    let mut labels: Vec<_> = labels
        .split("\",")
        .filter(|label| !label.is_empty())
        .filter_map(|label| label.split_once("=\""))
        .map(|(key, value)| (key, value.trim_end_matches('"')))
        .collect();
    labels.sort_unstable();
    Some(Series { name, labels, value: value.parse().ok()? })
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
