#![no_main]

use libfuzzer_sys::fuzz_target;
use zipkind::codec::{Format, check_list, detect};

fuzz_target!(|message: &[u8]| {
    for format in [Format::JsonV2, Format::JsonV1, Format::Proto3, Format::Thrift] {
        let _ = check_list(format, message);
    }
    if let Some(format) = detect(message) {
        zipkind_fuzz::check_decoder(format, message);
    }
});
