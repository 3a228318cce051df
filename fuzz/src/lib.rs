//! What every fuzz target of a decoder checks.

use zipkind::codec::{DecodeLimits, Format, decode, json_v2, proto3};
use zipkind::model::{SpanBatch, SpanRef};

/// Memory that a batch may hold per byte of its message.
const MEMORY_FACTOR: usize = 12;

/// Any bytes: an error, or whole spans that can be written and read again.
pub fn check_decoder(format: Format, message: &[u8]) {
    if let Ok(batch) = decode(format, message, &DecodeLimits::default()) {
        assert!(batch.memory_bytes() <= MEMORY_FACTOR * message.len() + 1024);
        check_batch(&batch);
    }
}

/// Spans that a decoder accepted can be written in every format, and JSON gives the same spans again.
pub fn check_batch(batch: &SpanBatch) {
    for record in batch.records() {
        SpanRef::check(record).expect("only whole records get in");
    }
    let mut json = Vec::new();
    json_v2::write_spans(batch, &mut json);
    serde_json::from_slice::<serde_json::Value>(&json).expect("what was accepted can be written as JSON");
    let _ = proto3::encode(batch);
    // An id of a few zeros is taken and written as 16, which are refused.
    if batch.iter().all(|span| span.id.value() != 0) {
        let again = decode(Format::JsonV2, &json, &DecodeLimits::default()).expect("written spans are readable");
        assert_eq!(&again.to_spans(), &batch.to_spans());
    }
}
