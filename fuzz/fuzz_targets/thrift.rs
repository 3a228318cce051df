#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("thrift"), |input: &[u8]| zipkind_fuzz::decoders::thrift(input));
