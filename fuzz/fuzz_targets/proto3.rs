#![no_main]

use libfuzzer_sys::fuzz_target;
use zipkind::codec::Format;

fuzz_target!(|message: &[u8]| zipkind_fuzz::check_decoder(Format::Proto3, message));
