//! v1 as zipkin's MySQL tables hold it: a case is some spans and the rows of `zipkin_annotations` they became.

use crate::codec::tests::golden::read_golden;
use crate::codec::{DecodeLimits, Format, decode};
use crate::model::Endpoint;
use crate::model::v1::{V1Span, V1Value};

#[test]
fn what_zipkin_wrote_into_its_tables_is_what_v2_becomes() {
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&read_golden("v1/stored.json")).unwrap();
    for case in &cases {
        let limits = DecodeLimits::default();
        let spans = case["spans"].as_str().unwrap().as_bytes();
        let batch = decode(Format::JsonV2, spans, &limits).unwrap();
        let mut rows: Vec<String> = Vec::new();
        for span in batch.iter().map(|span| V1Span::from(&span)) {
            rows.extend(span.annotations.iter().map(|a| row(&a.value, -1, "", Some(a.timestamp_us), &a.endpoint)));
            rows.extend(span.binary_annotations.iter().map(|b| match &b.value {
                V1Value::Text(text) => row(&b.key, 6, text, None, &b.endpoint),
                V1Value::Address => row(&b.key, 0, "\u{1}", None, &b.endpoint),
            }));
        }
        let mut expected: Vec<String> = case["rows"].as_array().unwrap().iter().map(recorded_row).collect();
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected, "{}", case["spans"]);
    }
    assert!(cases.len() > 10);
}

fn row(key: &str, kind: i64, value: &str, timestamp_us: Option<i64>, endpoint: &Option<Box<Endpoint>>) -> String {
    let endpoint = endpoint.as_deref().cloned().unwrap_or_default();
    format!(
        "{key} {kind} {value:?} {timestamp_us:?} {:?} {:?} {:?}",
        endpoint.service_name, endpoint.ipv4, endpoint.port
    )
}

fn recorded_row(row: &serde_json::Value) -> String {
    let text = |name: &str| row[name].as_str();
    format!(
        "{} {} {:?} {:?} {:?} {:?} {:?}",
        text("key").unwrap(),
        row["type"],
        text("value").unwrap(),
        row["timestamp"].as_i64(),
        text("service"),
        text("ipv4"),
        row["port"].as_u64()
    )
}
