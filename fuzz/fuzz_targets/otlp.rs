#![no_main]

use libfuzzer_sys::fuzz_target;
use zipkind::codec::{DecodeLimits, otlp};

fuzz_target!(|message: &[u8]| {
    let limits = DecodeLimits::default();
    for export in [otlp::decode_protobuf(message, &limits), otlp::decode_json(message, &limits)].into_iter().flatten() {
        zipkind_fuzz::check_batch(&export.spans);
    }
});
