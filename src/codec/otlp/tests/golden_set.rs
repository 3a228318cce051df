//! The golden set: `tests/golden/otlp_set/<case>/{in.pb,in.json,spans.json}`. `in.pb` was written by Google's protobuf library
//! from `in.json`; `spans.json` is what both must give, written by hand after the specification.

use serde_json::Value as Json;

use super::{LIMITS, as_json};
use crate::codec::otlp::{Export, decode_json, decode_protobuf};

fn read(case: &str, file: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/otlp_set/{case}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn check(case: &str) {
    let expected: Vec<Json> = serde_json::from_slice(&read(case, "spans.json")).unwrap();
    let check = |export: Export, about: &str| {
        assert_eq!((export.rejected, export.reason.as_str()), (0, ""), "{case}, {about}");
        let found = as_json(&export.spans);
        assert_eq!(found.len(), expected.len(), "{case}, {about}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{case}, {about}");
        }
    };
    check(decode_protobuf(&read(case, "in.pb"), &LIMITS).unwrap(), "protobuf");
    let json = read(case, "in.json");
    check(decode_json(&json, &LIMITS).unwrap(), "json");
    check(decode_json(loosened(&json).as_bytes(), &LIMITS).unwrap(), "json of another sender");
}

/// The same message as other senders write it: 64-bit numbers as numbers, enums by name, `null` and unknown members.
fn loosened(json: &[u8]) -> String {
    fn loosen(value: &mut Json) {
        match value {
            Json::Array(values) => values.iter_mut().for_each(loosen),
            Json::Object(members) => {
                for (name, value) in members.iter_mut() {
                    match (name.as_str(), &*value) {
                        ("intValue" | "startTimeUnixNano" | "endTimeUnixNano" | "timeUnixNano", Json::String(text)) => {
                            *value = serde_json::from_str(text).unwrap();
                        }
                        ("kind", Json::Number(kind)) => {
                            let kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
                            *value = format!("SPAN_KIND_{}", kinds[kind.as_u64().unwrap() as usize]).into();
                        }
                        ("code", Json::Number(code)) => {
                            let codes = ["UNSET", "OK", "ERROR"];
                            *value = format!("STATUS_CODE_{}", codes[code.as_u64().unwrap() as usize]).into();
                        }
                        _ => loosen(value),
                    }
                }
                if members.contains_key("spanId") || members.contains_key("scopeSpans") {
                    for absent in ["traceState", "status", "events", "links", "resource", "parentSpanId"] {
                        members.entry(absent).or_insert(Json::Null);
                    }
                    members.insert("future".to_owned(), serde_json::json!({"a": [1, {"b": null}]}));
                }
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(json).unwrap();
    loosen(&mut value);
    value.to_string()
}

/// Stamps a test for each case, and one that no folder is left out.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                check(stringify!($case));
            }
        )*

        #[test]
        fn every_case_has_a_test() {
            let listed = [$(stringify!($case)),*];
            let folder = format!("{}/tests/golden/otlp_set", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(folder).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(listed.contains(&name.as_str()), "{name}");
            }
        }
    };
}

cases!(attributes, empty, events, ids, kinds, links, remote_endpoints, resources_and_scopes, status, times);
