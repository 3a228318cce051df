//! Messages to begin with: what real clients sent, and what was recorded of zipkin.

use std::path::Path;

use base64::Engine as _;
use serde_json::Value;

use super::body;

/// Longest seed: larger ones make a fuzzer slow and show nothing new.
const BYTES_MAX: usize = 64 << 10;

/// The seeds of a target. `root` is the folder of the product's sources.
pub fn of(root: &Path, target: &str) -> Vec<Vec<u8>> {
    let golden = root.join("tests/golden");
    let mut seeds = match target {
        "annotation_query" => annotation_queries(root),
        "otlp" => exports(&golden),
        "detect" => body::ROUTES
            .iter()
            .filter(|route| route.folder != "otlp")
            .flat_map(|route| messages(&golden, route.folder))
            .collect(),
        "body" => bodies(&golden),
        format => messages(&golden, format),
    };
    seeds.retain(|seed| seed.len() <= BYTES_MAX);
    seeds
}

/// Captured (`CLIENT/in.*`) and recorded (`recorded.json`) messages of one format.
fn messages(golden: &Path, format: &str) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for entry in entries(&golden.join(format)) {
        if entry.is_dir() {
            let is_input = |path: &std::path::PathBuf| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("in."))
            };
            messages
                .extend(entries(&entry).into_iter().filter(is_input).map(|path| std::fs::read(path).expect("a seed")));
        }
    }
    for case in read_json(&golden.join(format).join("recorded.json")).as_array().expect("cases") {
        match (&case["in"], &case["in_hex"]) {
            (Value::String(text), _) => messages.push(text.clone().into_bytes()),
            (_, Value::String(hex)) => messages.push(from_hex(hex)),
            _ => {}
        }
    }
    messages
}

/// OTLP messages of clients, in both encodings.
fn exports(golden: &Path) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for path in entries(&golden.join("otlp")) {
        for request in read_json(&path)["requests"].as_array().expect("requests") {
            let field = if request["transport"] == "grpc" { "message_base64" } else { "body_base64" };
            let text = request[field].as_str().expect("a body");
            messages.push(base64::engine::general_purpose::STANDARD.decode(text).expect("base64"));
        }
    }
    messages
}

/// Every `annotationQuery` that was recorded, and some with what only looks like the language.
fn annotation_queries(root: &Path) -> Vec<Vec<u8>> {
    let mut queries: Vec<Vec<u8>> =
        ["error", "http.method=GET", "a and b=c and d", "a=b=c", " and ", "= and =", "a  and  a=\u{130}"]
            .map(Into::into)
            .into();
    for path in entries(&root.join("tests/recorded")) {
        let text = std::fs::read_to_string(path).expect("a recording");
        for piece in text.split("annotationQuery=").skip(1) {
            let query = piece.split(['"', '&', ' ']).next().unwrap_or_default().replace('+', " ").replace("%20", " ");
            queries.push(query.into_bytes());
        }
    }
    queries.sort();
    queries.dedup();
    queries
}

/// Some messages of each format, plain and packed in every way.
fn bodies(golden: &Path) -> Vec<Vec<u8>> {
    const OF_EACH: usize = 6;
    let mut seeds = Vec::new();
    for (number, route) in body::ROUTES.iter().enumerate() {
        let all = if route.folder == "otlp" { exports(golden) } else { messages(golden, route.folder) };
        let step = (all.len() / OF_EACH).max(1);
        for (index, message) in all.into_iter().step_by(step).enumerate() {
            for packing in 0..body::ENCODINGS.len() {
                seeds.push([&[number as u8, packing as u8 | body::PACK, (index * 40) as u8][..], &message].concat());
                seeds.push(
                    [&[number as u8, packing as u8, (index * 40) as u8][..], &body::packed(packing, &message)].concat(),
                );
            }
        }
    }
    seeds
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn read_json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}
