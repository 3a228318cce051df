//! The read side: queries, API, UI.

use std::time::Duration;

use crate::api::{ApiConfig, UiConfig};
use crate::config::reader::Reader;
use crate::config::variables as rows;
use crate::query::QueryConfig;
use crate::storage::StorageOptions;
use crate::web::compression::CompressionConfig;

pub(super) fn query(reader: &mut Reader, options: &StorageOptions) -> QueryConfig {
    QueryConfig {
        search_enabled: options.search_enabled,
        timeout: reader.duration_unless_zero(&rows::QUERY_TIMEOUT),
        lookback_default_ms: milliseconds(reader.duration(&rows::QUERY_LOOKBACK)),
        spans_read_max: reader.number(&rows::QUERY_SPANS_MAX, 1..=u64::MAX),
        red_series_max: reader.number(&rows::QUERY_RED_SERIES_MAX, 1..=1_000_000),
        autocomplete_keys: options.autocomplete_keys.clone(),
    }
}

pub(super) fn api(reader: &mut Reader, options: &StorageOptions) -> ApiConfig {
    let query_enabled = reader.flag(&rows::QUERY_ENABLED);
    ApiConfig {
        query_enabled,
        ui_enabled: reader.flag_or(&rows::UI_ENABLED, query_enabled),
        names_max_age: reader.duration(&rows::QUERY_NAMES_CACHE),
        compression: compression(reader),
        pin_enabled: reader.flag(&rows::PIN_ENABLED),
        ui: ui(reader, options.search_enabled),
    }
}

fn compression(reader: &mut Reader) -> CompressionConfig {
    CompressionConfig {
        enabled: reader.flag(&rows::COMPRESSION_ENABLED),
        types: reader.list(&rows::COMPRESSION_MIME_TYPES),
        bytes_min: reader.bytes(&rows::COMPRESSION_MIN_BYTES, 0) as u64,
    }
}

fn ui(reader: &mut Reader, search_enabled: bool) -> UiConfig {
    UiConfig {
        environment: reader.text(&rows::UI_ENVIRONMENT).unwrap_or_default(),
        query_limit: reader.number(&rows::UI_QUERY_LIMIT, 1..=i32::MAX),
        default_lookback_ms: milliseconds(reader.duration(&rows::UI_DEFAULT_LOOKBACK)),
        search_enabled: reader.flag_or(&rows::UI_SEARCH_ENABLED, search_enabled),
        logs_url: reader.text(&rows::UI_LOGS_URL),
        support_url: reader.text(&rows::UI_SUPPORT_URL),
        archive_post_url: reader.text(&rows::UI_ARCHIVE_POST_URL),
        archive_url: reader.text(&rows::UI_ARCHIVE_URL),
        dependency_enabled: reader.flag(&rows::UI_DEPENDENCY_ENABLED),
        dependency_low_error_rate: reader.number(&rows::UI_DEPENDENCY_LOW_ERROR_RATE, 0.0..=1_000_000.0),
        dependency_high_error_rate: reader.number(&rows::UI_DEPENDENCY_HIGH_ERROR_RATE, 0.0..=1_000_000.0),
        base_path: reader.text(&rows::UI_BASEPATH).unwrap_or_default(),
        link_patterns: reader.json(&rows::UI_LINK_PATTERNS).unwrap_or_default(),
        trace_bytes_max: reader.bytes(&rows::UI_TRACE_BYTES_MAX, 1) as u64,
        frame_ancestors: reader.text(&rows::UI_FRAME_ANCESTORS).unwrap_or_default(),
    }
}

/// Whole milliseconds of a time.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
