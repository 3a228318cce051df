//! What must hold for every span, whatever it looks like.

use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{Shape, span};
use super::v1_writers;
use crate::codec::{DecodeLimits, Format, decode, json_v2, proto3};
use crate::model::v1::V1Span;
use crate::model::{Span, SpanBatch};

fn json_of(batch: &SpanBatch) -> Vec<u8> {
    let mut out = Vec::new();
    json_v2::write_spans(batch, &mut out);
    out
}

fn read(format: Format, message: &[u8]) -> SpanBatch {
    decode(format, message, &DecodeLimits::default())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(message)))
}

/// A string of a JSON text with everything escaped that can be, so that nothing of it is borrowed.
fn escaped_json_of(span: &Span) -> String {
    let plain = String::from_utf8(json_of(&[span].into_iter().collect())).expect("JSON is UTF-8");
    let value: serde_json::Value = serde_json::from_str(&plain).expect("JSON");
    let mut out = String::new();
    write_escaped(&value, &mut out);
    out
}

fn write_escaped(value: &serde_json::Value, out: &mut String) {
    let quoted = |text: &str, out: &mut String| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        out.push_str(&format!(" \"{units}\"\t"));
    };
    match value {
        serde_json::Value::String(text) => quoted(text, out),
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "[\n" } else { ",\r\n" });
                write_escaped(item, out);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        serde_json::Value::Object(members) => {
            for (index, (name, value)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "{ " } else { ", " });
                quoted(name, out);
                out.push(':');
                write_escaped(value, out);
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_v2_reads_what_it_wrote(spans in vec(span(Shape::Any), 0..5)) {
        let batch: SpanBatch = spans.iter().collect();
        let json = json_of(&batch);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
        prop_assert_eq!(read(Format::JsonV2, &json), batch);
    }

    #[test]
    fn escapes_and_white_space_change_nothing(span in span(Shape::Any)) {
        let json = escaped_json_of(&span);
        prop_assert_eq!(read(Format::JsonV2, json.as_bytes()).to_spans(), [span]);
    }

    #[test]
    fn proto3_reads_what_it_wrote(spans in vec(span(Shape::Binary), 1..5)) {
        let batch: SpanBatch = spans.iter().collect();
        prop_assert_eq!(read(Format::Proto3, &proto3::encode(&batch)), batch);
    }

    #[test]
    fn all_formats_say_the_same(spans in vec(span(Shape::Common), 1..5)) {
        let batch: SpanBatch = spans.iter().collect();
        let v1: Vec<V1Span> = batch.iter().map(|span| V1Span::from(&span)).collect();
        prop_assert_eq!(read(Format::JsonV2, &json_of(&batch)), batch.clone());
        prop_assert_eq!(read(Format::Proto3, &proto3::encode(&batch)), batch.clone());
        prop_assert_eq!(read(Format::JsonV1, &v1_writers::json_v1(&v1)).to_spans(), batch.to_spans());
        prop_assert_eq!(read(Format::Thrift, &v1_writers::thrift(&v1)).to_spans(), batch.to_spans());
    }

    #[test]
    fn names_are_written_as_json_of_the_same_text(names in vec(".*", 0..4)) {
        let mut out = Vec::new();
        json_v2::write_names(&names, &mut out);
        prop_assert_eq!(serde_json::from_slice::<Vec<String>>(&out).expect("JSON"), names);
    }
}
