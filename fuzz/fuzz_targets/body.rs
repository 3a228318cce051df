#![no_main]

mod common;

libfuzzer_sys::fuzz_target!(init: common::plant_seeds("body"), |input: &[u8]| zipkind_fuzz::body::check(input));
