//! Settings of the browser UI: zipkin's `config.json` to the byte, and ours in an element of the index page.

use serde::{Deserialize, Serialize};

use crate::web::answer;

/// What the UI is told (zipkin's `ZIPKIN_UI_*`).
#[derive(Clone, Debug, PartialEq)]
pub struct UiConfig {
    /// Label in the header.
    pub environment: String,
    /// Traces a search asks for.
    pub query_limit: i32,
    /// Window of a search, milliseconds.
    pub default_lookback_ms: i64,
    /// The UI has a page to search on (`zipkin.ui.search-enabled`, by default as `SEARCH_ENABLED`).
    pub search_enabled: bool,
    /// Address of logs with `{traceId}`.
    pub logs_url: Option<String>,
    /// Address of help.
    pub support_url: Option<String>,
    /// Where the UI posts a trace to be kept.
    pub archive_post_url: Option<String>,
    /// Address of an archived trace with `{traceId}`.
    pub archive_url: Option<String>,
    /// The UI has a page of services and their calls.
    pub dependency_enabled: bool,
    /// Share of errors (0..1) from which a call is drawn as a warning.
    pub dependency_low_error_rate: f32,
    /// Share of errors (0..1) from which a call is drawn as critical.
    pub dependency_high_error_rate: f32,
    /// Path that a proxy in front serves the UI under; `/` and empty are the root.
    pub base_path: String,
    /// Links made from tags.
    pub link_patterns: Vec<LinkPattern>,
    /// Size of a trace, in bytes of JSON, from which the UI asks before it draws.
    pub trace_bytes_max: u64,
    /// Origins that may show the UI in a frame, as the CSP's `frame-ancestors` says them.
    pub frame_ancestors: String,
}

impl Default for UiConfig {
    fn default() -> Self {
        Self {
            environment: String::new(),
            query_limit: 10,
            default_lookback_ms: 900_000,
            search_enabled: true,
            logs_url: None,
            support_url: None,
            archive_post_url: None,
            archive_url: None,
            dependency_enabled: true,
            dependency_low_error_rate: 0.5,
            dependency_high_error_rate: 0.75,
            base_path: "/zipkin".to_owned(),
            link_patterns: Vec::new(),
            trace_bytes_max: 64 << 20,
            frame_ancestors: "'self'".to_owned(),
        }
    }
}

/// A link that the UI offers beside a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPattern {
    /// Key of the tag.
    pub tag: String,
    /// Only for spans of this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Address with `{value}`, `{traceId}`, `{spanId}`.
    pub url: String,
    /// What the link says.
    pub label: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson<'a> {
    environment: &'a str,
    query_limit: i32,
    default_lookback: i64,
    search_enabled: bool,
    logs_url: Option<&'a str>,
    support_url: Option<&'a str>,
    archive_post_url: Option<&'a str>,
    archive_url: Option<&'a str>,
    dependency: DependencyJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DependencyJson {
    enabled: bool,
    low_error_rate: f32,
    high_error_rate: f32,
}

/// The body of `config.json`. An empty address counts as none, as in zipkin.
pub(super) fn config_json(config: &UiConfig) -> Vec<u8> {
    answer::pretty_json(&ConfigJson {
        environment: &config.environment,
        query_limit: config.query_limit,
        default_lookback: config.default_lookback_ms,
        search_enabled: config.search_enabled,
        logs_url: address(&config.logs_url),
        support_url: address(&config.support_url),
        archive_post_url: address(&config.archive_post_url),
        archive_url: address(&config.archive_url),
        dependency: DependencyJson {
            enabled: config.dependency_enabled,
            low_error_rate: config.dependency_low_error_rate,
            high_error_rate: config.dependency_high_error_rate,
        },
    })
}

fn address(url: &Option<String>) -> Option<&str> {
    url.as_deref().filter(|url| !url.is_empty())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetaJson<'a> {
    link_patterns: &'a [LinkPattern],
    extensions: &'a [&'a str],
    max_trace_bytes: u64,
}

/// The content of `<meta name="zipkin-ui">`: settings that zipkin's `config.json` has no place for.
pub(super) fn meta_json(config: &UiConfig, extensions: &[&str]) -> String {
    let meta = MetaJson { link_patterns: &config.link_patterns, extensions, max_trace_bytes: config.trace_bytes_max };
    // Plain structs of text and numbers always serialize.
    serde_json::to_string(&meta).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_doubles_and_quotes_are_escaped() {
        let config = UiConfig {
            search_enabled: false,
            environment: "stage \"1\"".to_owned(),
            dependency_low_error_rate: 0.1,
            dependency_high_error_rate: 2.0,
            logs_url: Some(String::new()),
            ..UiConfig::default()
        };
        let text = String::from_utf8(config_json(&config)).unwrap();
        for part in [
            "\"environment\" : \"stage \\\"1\\\"\"",
            "\"lowErrorRate\" : 0.1,",
            "\"highErrorRate\" : 2.0\n",
            "\"searchEnabled\" : false",
            "\"logsUrl\" : null",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
