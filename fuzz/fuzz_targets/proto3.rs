#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("proto3"), |input: &[u8]| zipkind_fuzz::decoders::proto3(input));
