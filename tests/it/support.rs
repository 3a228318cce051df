//! The real server binary, started for one test and killed after it, and a client that sends exactly what it is told.

pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod proxy;
pub(crate) mod server;

use std::path::{Path, PathBuf};

/// A file or folder of the test data.
pub(crate) fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// The content of a file of the test data; `.gz` is unpacked.
pub(crate) fn read(path: &str) -> Vec<u8> {
    let bytes = std::fs::read(data(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut plain = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&bytes[..]);
    std::io::Read::read_to_end(&mut reader, &mut plain).unwrap_or_else(|error| panic!("{path}: {error}"));
    plain
}

/// The statements that make zipkin's tables.
pub(crate) fn zipkin_tables() -> String {
    String::from_utf8(read("../migrations/mysql/zipkin.sql")).unwrap_or_else(|error| panic!("no text: {error}"))
}

/// The content of a JSON file of the test data.
pub(crate) fn read_json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The content of a JSON file anywhere in the repository.
pub(crate) fn repository_json(path: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the JSON files of a folder, without the ending, sorted.
pub(crate) fn json_files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(data(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
}
