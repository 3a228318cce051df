#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("annotation_query"), |input: &[u8]| zipkind_fuzz::decoders::annotation_query(input));
