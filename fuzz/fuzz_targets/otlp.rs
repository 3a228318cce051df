#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("otlp"), |input: &[u8]| zipkind_fuzz::decoders::otlp(input));
