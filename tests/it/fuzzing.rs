//! The fuzz targets in short: mutations of their seeds, the same at each run. `scripts/prove fuzz` is the long form.

#[allow(unreachable_pub, missing_docs, reason = "a library of its own in fuzz/")]
#[path = "../../fuzz/src/lib.rs"]
pub(crate) mod targets;

use std::path::Path;

use targets::mutate::{Random, mutate};

/// Each seed as it is, then so many mutations of seeds.
fn run(name: &str, mutations: usize) {
    let (_, check) = targets::TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target");
    let seeds = targets::seeds::of(Path::new(env!("CARGO_MANIFEST_DIR")), name);
    assert!(seeds.len() >= 8, "{name}: {} seeds", seeds.len());
    seeds.iter().for_each(|seed| check(seed));
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for number in 0..mutations {
        let mut input = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        mutate(&mut random, &mut input, other);
        let checked = std::panic::catch_unwind(|| check(&input));
        assert!(checked.is_ok(), "{name}, mutation {number}: {input:?}");
    }
}

#[test]
fn mutated_json_v2_is_refused_or_can_be_read_again() {
    run("json_v2", 25_000);
}

#[test]
fn mutated_json_v1_is_refused_or_can_be_read_again() {
    run("json_v1", 25_000);
}

#[test]
fn mutated_protobuf_is_refused_or_can_be_read_again() {
    run("proto3", 25_000);
}

#[test]
fn mutated_thrift_is_refused_or_can_be_read_again() {
    run("thrift", 25_000);
}

#[test]
fn mutated_messages_of_queues_are_refused_or_can_be_read_again() {
    run("detect", 10_000);
}

#[test]
fn mutated_otlp_is_refused_or_can_be_read_again() {
    run("otlp", 5_000);
}

#[test]
fn mutated_annotation_queries_are_understood_without_panic() {
    run("annotation_query", 10_000);
}

#[test]
fn mutated_bodies_are_answered_alike_packed_and_plain_and_give_their_memory_back() {
    run("body", 5_000);
}

#[test]
fn every_target_has_a_program_and_a_short_form() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let here = include_str!("fuzzing.rs");
    let programs = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in targets::TARGETS {
        assert!(here.contains(&format!("run(\"{name}\", ")), "{name}");
        assert!(programs.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
