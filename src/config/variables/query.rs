//! Read API and UI.

use super::Effect::{Nothing, Used};
use super::Kind::{Duration, Flag, List, Number, Text};
use super::Preset::{Computed, Text as Is, Unset};
use super::TimeUnit::{Milliseconds, Seconds};

const NOT_READ: super::Effect = Nothing("zipkin 3.6 documents it but does not read it, and neither does this server");

super::variables! {
    QUERY_ENABLED: Flag, Is("true"), Used, ["QUERY_ENABLED"], "zipkin.query.enabled",
        "serve the read API; also the default of UI_ENABLED";
    SEARCH_ENABLED: Flag, Is("true"), Used, ["SEARCH_ENABLED"], "zipkin.storage.search-enabled",
        "serve searches and names, and keep the indexes they need";
    UI_SEARCH_ENABLED: Flag, Computed("SEARCH_ENABLED"), Used, [], "zipkin.ui.search-enabled",
        "what config.json tells the UI about search";
    UI_ENABLED: Flag, Computed("QUERY_ENABLED"), Used, ["UI_ENABLED"], "zipkin.ui.enabled",
        "serve the UI under /zipkin";
    QUERY_TIMEOUT: Duration(Milliseconds), Is("11s"), Used, ["QUERY_TIMEOUT"], "zipkin.query.timeout",
        "time limit of the read API, 0 for none";
    QUERY_LOOKBACK: Duration(Milliseconds), Is("86400000"), Used, ["QUERY_LOOKBACK"], "zipkin.query.lookback",
        "lookback of /traces and /dependencies when a request names none";
    QUERY_SPANS_MAX: Number, Is("50000000"), Used, ["QUERY_SPANS_MAX"], "zipkind.query.spans-max",
        "most spans one query may read from the store";
    QUERY_RED_SERIES_MAX: Number, Is("100000"), Used, ["QUERY_RED_SERIES_MAX"], "zipkind.query.red-series-max",
        "most series of rates and durations that one answer of `GET /api/ext/v1/red` is made of; spans of others are stored and found all the same";
    PIN_ENABLED: Flag, Is("false"), Used, ["PIN_ENABLED"], "zipkind.pin.enabled",
        "let `POST /api/ext/v1/pin/{traceId}` keep traces beyond retention, up to a hundredth of the storage limit";
    QUERY_NAMES_CACHE: Duration(Seconds), Is("300"), Used, ["ZIPKIN_QUERY_NAMES_MAX_AGE"], "zipkin.query.names-max-age",
        "how long clients may cache names (Cache-Control)";
    QUERY_ALLOWED_ORIGINS: List, Is("*"), Used, ["ZIPKIN_QUERY_ALLOWED_ORIGINS"], "zipkin.query.allowed-origins",
        "origins that may call (CORS)";
    UI_QUERY_LIMIT: Number, Is("10"), Used, ["ZIPKIN_UI_QUERY_LIMIT"], "zipkin.ui.query-limit",
        "config.json: traces a search asks for";
    UI_ENVIRONMENT: Text, Unset, Used, ["ZIPKIN_UI_ENVIRONMENT"], "zipkin.ui.environment",
        "config.json: name of the environment, shown in the UI";
    UI_DEFAULT_LOOKBACK: Duration(Milliseconds), Is("900000"), Used, ["ZIPKIN_UI_DEFAULT_LOOKBACK"], "zipkin.ui.default-lookback",
        "config.json: lookback a search starts with";
    UI_LOGS_URL: Text, Unset, Used, ["ZIPKIN_UI_LOGS_URL"], "zipkin.ui.logs-url",
        "config.json: address of a trace's logs";
    UI_SUPPORT_URL: Text, Unset, Used, ["ZIPKIN_UI_SUPPORT_URL"], "zipkin.ui.support-url",
        "config.json: address of help";
    UI_ARCHIVE_POST_URL: Text, Unset, Used, ["ZIPKIN_UI_ARCHIVE_POST_URL"], "zipkin.ui.archive-post-url",
        "config.json: where the UI posts a trace to keep it";
    UI_ARCHIVE_URL: Text, Unset, Used, ["ZIPKIN_UI_ARCHIVE_URL"], "zipkin.ui.archive-url",
        "config.json: address of a kept trace";
    UI_DEPENDENCY_ENABLED: Flag, Is("true"), Used, ["ZIPKIN_UI_DEPENDENCY_ENABLED"], "zipkin.ui.dependency.enabled",
        "config.json: show the dependency view";
    UI_DEPENDENCY_LOW_ERROR_RATE: Number, Is("0.5"), Used, ["ZIPKIN_UI_DEPENDENCY_LOW_ERROR_RATE"], "zipkin.ui.dependency.low-error-rate",
        "config.json: share of errors from which a link is marked";
    UI_DEPENDENCY_HIGH_ERROR_RATE: Number, Is("0.75"), Used, ["ZIPKIN_UI_DEPENDENCY_HIGH_ERROR_RATE"], "zipkin.ui.dependency.high-error-rate",
        "config.json: share of errors from which a link is marked as bad";
    UI_BASEPATH: Text, Is("/zipkin"), Used, ["ZIPKIN_UI_BASEPATH"], "zipkin.ui.basepath",
        "path of the UI as the browser sees it, behind a proxy";
    UI_LINK_PATTERNS: Text, Unset, Used, ["UI_LINK_PATTERNS"], "zipkind.ui.link-patterns",
        "links beside tags, as JSON: `[{\"tag\": \"order.id\", \"url\": \"https://shop/{value}\", \"label\": \"order\"}]`, each with an optional `service`";
    UI_TRACE_BYTES_MAX: super::Kind::Bytes, Is("64MiB"), Used, ["UI_TRACE_BYTES_MAX"], "zipkind.ui.trace-bytes-max",
        "size of a trace as JSON from which the UI asks before it draws";
    UI_FRAME_ANCESTORS: Text, Is("'self'"), Used, ["UI_FRAME_ANCESTORS"], "zipkind.ui.frame-ancestors",
        "origins that may show the UI in a frame";
    UI_INSTRUMENTED: Text, Is(".*"), Nothing("zipkin's UI does not use it either"), [], "zipkin.ui.instrumented",
        "sites the UI once took for instrumented";
    QUERY_LOG_LEVEL: Text, Unset, NOT_READ, ["QUERY_LOG_LEVEL"], "",
        "use LOG_LEVEL";
    QUERY_NAMES_MAX_AGE: Text, Unset, NOT_READ, ["QUERY_NAMES_MAX_AGE"], "",
        "use ZIPKIN_QUERY_NAMES_MAX_AGE";
}
