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
use crate::support::server::{Server, Store};

/// Accidents of the recorded server. What we do instead is tested where it is built.
const QUIRKS: &[&str] =
    &["post-too-large", "quirk-first-byte", "quirk-gzip", "quirk-number-overflow", "quirk-wrong-binary"];

/// Cases that do not pass yet, with the reason. One that passes must leave the list.
const NOT_YET: &[(&str, &str)] = &[];

/// Cases whose answers name the memory store: against another store its own name is expected.
const NAMES_THE_STORE: &[&str] = &["http-health", "http-cors-default", "http-query-disabled"];

/// Cases about eviction by number of spans, which is the memory store's alone.
const MEMORY_ONLY: &[&str] = &["evict-oldest-trace"];

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
    let mut with_sqlite: Vec<_> = cases::SQLITE.iter().chain(MEMORY_ONLY).copied().collect();
    with_sqlite.sort_unstable();
    assert_eq!((cases::POSTGRES, cases::MYSQL), (cases::SQLITE, cases::SQLITE));
    let mut with_memory = cases::MEMORY.to_vec();
    with_memory.sort_unstable();
    assert_eq!(with_sqlite, with_memory);
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

/// The counterpart of `evict-oldest-trace`: the limit is the memory store's alone.
#[test]
fn the_durable_store_keeps_what_the_memory_store_evicts() {
    let case = replay::load("evict-oldest-trace");
    let server = Server::start(Store::Sqlite, &case.env());
    for post in case.posts() {
        assert_eq!(server.send(&post).status, 202);
    }
    for trace_id in 1..=5 {
        assert_eq!(server.get(&format!("/api/v2/trace/{trace_id}")).status, 200, "trace {trace_id}");
    }
    assert_eq!(server.get("/api/v2/services").text(), r#"["a","b","c","d","e"]"#);
}
