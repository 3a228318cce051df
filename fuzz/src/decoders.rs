//! Any bytes through the decoders: an error, or whole spans that can be written and read again.

use zipkind::codec::{
    DecodeLimits, Format, check_list, decode, detect, json_v2 as json, otlp as export, proto3 as proto,
};
use zipkind::model::{QueryRequest, SpanBatch, SpanRef};

/// Memory that a batch may hold per byte of its message. A lower-cased `İ` grows from two bytes to three, invalid bytes
/// from one to three, an annotation of the v1 format may become a span.
const MEMORY_FACTOR: usize = 12;
/// Zipkin splits an annotation query into this many pieces at most.
const TERMS_MAX: usize = 100;

pub fn json_v2(message: &[u8]) {
    check_decoder(Format::JsonV2, message);
}

pub fn json_v1(message: &[u8]) {
    check_decoder(Format::JsonV1, message);
}

pub fn proto3(message: &[u8]) {
    check_decoder(Format::Proto3, message);
}

pub fn thrift(message: &[u8]) {
    check_decoder(Format::Thrift, message);
}

/// The format that a queue's message seems to have.
pub fn detected(message: &[u8]) {
    for format in [Format::JsonV2, Format::JsonV1, Format::Proto3, Format::Thrift] {
        let _ = check_list(format, message);
    }
    if let Some(format) = detect(message) {
        check_decoder(format, message);
    }
}

/// Both encodings of OTLP.
pub fn otlp(message: &[u8]) {
    let limits = DecodeLimits::default();
    for export in
        [export::decode_protobuf(message, &limits), export::decode_json(message, &limits)].into_iter().flatten()
    {
        check_batch(&export.spans);
    }
}

/// The small language of a search's `annotationQuery`.
pub fn annotation_query(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let terms = QueryRequest::parse_annotation_query(&text);
    assert!(terms.len() <= TERMS_MAX);
    for (index, (key, value)) in terms.iter().enumerate() {
        // Each key is asked for once.
        assert!(terms[..index].iter().all(|(other, _)| other != key));
        assert!(text.contains(key.as_str()) && text.contains(value.as_str()));
    }
}

fn check_decoder(format: Format, message: &[u8]) {
    if let Ok(batch) = decode(format, message, &DecodeLimits::default()) {
        let memory_bytes = batch.memory_bytes();
        assert!(memory_bytes <= MEMORY_FACTOR * message.len() + 1024, "{memory_bytes} of {}", message.len());
        check_batch(&batch);
    }
}

/// Spans that a decoder accepted can be written in every format, and JSON gives the same spans again.
fn check_batch(batch: &SpanBatch) {
    for record in batch.records() {
        SpanRef::check(record).expect("only whole records get in");
    }
    let mut text = Vec::new();
    json::write_spans(batch, &mut text);
    serde_json::from_slice::<serde_json::Value>(&text).expect("what was accepted can be written as JSON");
    let _ = proto::encode(batch);
    // An id of a few zeros is taken and written as 16, which are refused.
    if batch.iter().all(|span| span.id.value() != 0) {
        let again = decode(Format::JsonV2, &text, &DecodeLimits::default()).expect("written spans are readable");
        assert_eq!(&again.to_spans(), &batch.to_spans());
    }
}
