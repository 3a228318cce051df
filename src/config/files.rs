//! Files of settings in the working directory.

use std::io::ErrorKind;
use std::path::Path;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file that is looked for, and how it is read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    parse: fn(&[u8]) -> Result<Entries, String>,
}

/// Properties as written, and their texts.
type Entries = Vec<(String, String)>;

/// The files, the weakest first.
pub(super) static FILES: &[File] = &[
    File { name: "zipkind.toml", parse: parse_toml },
    File { name: "zipkin-server.yaml", parse: parse_yaml },
    File { name: "zipkin-server.yml", parse: parse_yaml },
    File { name: "zipkin-server.properties", parse: parse_properties },
];

impl File {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, directory: &Path) -> Result<Option<Entries>, String> {
        let path = directory.join(self.name);
        let size = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        if size > FILE_BYTES_MAX {
            return Err(format!("has {size} bytes, more than {FILE_BYTES_MAX}"));
        }
        let bytes = std::fs::read(&path).map_err(|error| format!("cannot be read: {error}"))?;
        (self.parse)(&bytes).map(Some)
    }
}

fn parse_properties(bytes: &[u8]) -> Result<Entries, String> {
    let mut entries = Entries::new();
    java_properties::PropertiesIter::new(bytes)
        .read_into(|name, text| entries.push((name, text)))
        .map_err(|error| error.to_string())?;
    Ok(entries)
}

fn parse_toml(bytes: &[u8]) -> Result<Entries, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string().trim().to_owned())?;
    let value = serde_json::to_value(table).map_err(|error| error.to_string())?;
    let mut entries = Entries::new();
    flatten(String::new(), value, &mut entries);
    Ok(entries)
}

/// All documents of a YAML file that hold in every profile, later ones over earlier ones.
fn parse_yaml(bytes: &[u8]) -> Result<Entries, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    let mut all = Entries::new();
    for document in documents {
        let mut entries = Entries::new();
        flatten(String::new(), document, &mut entries);
        let of_a_profile = |name: &str| name == "spring.profiles" || name == "spring.config.activate.on-profile";
        if !entries.iter().any(|(name, _)| of_a_profile(name)) {
            all.append(&mut entries);
        }
    }
    Ok(all)
}

/// Joins nested names by dots, and the items of a list of plain values by commas.
fn flatten(name: String, value: serde_json::Value, entries: &mut Entries) {
    use serde_json::Value;

    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member } else { format!("{name}.{member}") };
                flatten(name, value, entries);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (position, item) in items.into_iter().enumerate() {
                flatten(format!("{name}[{position}]"), item, entries);
            }
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(plain).collect();
            entries.push((name, texts.join(",")));
        }
        other => entries.push((name, plain(&other))),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
