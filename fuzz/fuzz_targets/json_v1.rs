#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("json_v1"), |input: &[u8]| zipkind_fuzz::decoders::json_v1(input));
