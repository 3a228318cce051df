#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| zipkind_fuzz::decoders::json_v2(input));
