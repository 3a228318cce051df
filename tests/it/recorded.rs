//! Requests and answers recorded from zipkin-server 3.6.1 (`tests/recorded/*.json`), replayed against this server: one test
//! for each case and store.
//!
//! A case: `steps` of `method`, `path`, `headers`, `body` (or `body_base64`, or `body_gen`) and what to `expect`; `env` for the
//! server; `quirk` for an accident of the recorded server that is not copied. Every case gets a server of its own, and a read
//! after a 202 must see what was written at once.

mod cases;
mod expectation;
mod replay;

use crate::support::json_files;
use crate::support::server::Store;

/// Accidents of the recorded server. What we do instead is tested where it is built.
const QUIRKS: &[&str] =
    &["post-too-large", "quirk-first-byte", "quirk-gzip", "quirk-number-overflow", "quirk-wrong-binary"];

/// Cases that do not pass yet, with the reason. One that passes must leave the list.
const NOT_YET: &[(&str, &str)] = &[];

/// Cases whose answers name the memory store: against another store its own name is expected.
const NAMES_THE_STORE: &[&str] = &["http-health", "http-cors-default", "http-query-disabled"];

/// Plays a case, and fails when it should pass and does not, or the other way round.
fn check(store: Store, name: &str) {
    let problems = replay::replay(store, name);
    match NOT_YET.iter().find(|(case, _)| *case == name) {
        None => assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n")),
        Some((_, reason)) => {
            assert!(!problems.is_empty(), "{name} passes: take it off the list (its reason was: {reason})");
        }
    }
}

#[test]
fn every_recorded_case_is_replayed_or_left_out_by_name() {
    let mut listed: Vec<_> = cases::MEMORY.iter().chain(QUIRKS).map(|name| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, json_files("recorded"));
}

#[test]
fn what_is_left_out_is_marked_in_the_recordings() {
    for name in QUIRKS {
        assert!(replay::load(name).is_quirk(), "{name} is no quirk");
    }
    for name in cases::MEMORY {
        assert!(!replay::load(name).is_quirk(), "{name} is a quirk");
    }
    for (name, _) in NOT_YET {
        assert!(cases::MEMORY.contains(name), "{name} is not a case");
    }
}
