#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("detect"), |input: &[u8]| zipkind_fuzz::decoders::detected(input));
