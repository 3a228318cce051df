//! The list of cases, stamped once for each store. A test compares it with the folder.

use super::check;
use crate::support::server::Store;

/// One test for each case, and the list of their names.
macro_rules! cases {
    ($list:ident, $module:ident, $store:expr, $($test:ident = $name:literal),* $(,)?) => {
        pub(super) const $list: &[&str] = &[$($name),*];

        mod $module {
            use super::*;

            $(
                #[test]
                fn $test() {
                    check($store, $name);
                }
            )*
        }
    };
}

/// The cases of every store are the ones of `every`; `memory` adds those of the memory store alone.
macro_rules! stamp {
    (every { $($every:tt)* } memory { $($memory:tt)* }) => {
        cases!(MEMORY, memory, Store::Memory, $($every)* $($memory)*);
        cases!(SQLITE, sqlite, Store::Sqlite, $($every)*);
        cases!(POSTGRES, postgres, Store::Postgres, $($every)*);
        cases!(MYSQL, mysql, Store::MysqlNative, $($every)*);
    };
}

stamp! {
    every {
        autocomplete = "autocomplete",
        deps_client_no_remote = "deps-client-no-remote",
        deps_client_only = "deps-client-only",
        deps_client_with_local_child = "deps-client-with-local-child",
        deps_errors_client = "deps-errors-client",
        deps_errors_messaging = "deps-errors-messaging",
        deps_errors_shared = "deps-errors-shared",
        deps_errors_split = "deps-errors-split",
        deps_escape = "deps-escape",
        deps_headless = "deps-headless",
        deps_headless_server_remote = "deps-headless-server-remote",
        deps_kindless_both_sides = "deps-kindless-both-sides",
        deps_kindless_with_children = "deps-kindless-with-children",
        deps_local_between = "deps-local-between",
        deps_loopback = "deps-loopback",
        deps_messaging = "deps-messaging",
        deps_messaging_no_broker = "deps-messaging-no-broker",
        deps_messaging_shared = "deps-messaging-shared",
        deps_missing_link_backfill = "deps-missing-link-backfill",
        deps_missing_shared_flag = "deps-missing-shared-flag",
        deps_mixed_128 = "deps-mixed-128",
        deps_order_and_sum = "deps-order-and-sum",
        deps_reported_in_parts = "deps-reported-in-parts",
        deps_root_server_no_remote = "deps-root-server-no-remote",
        deps_root_server_with_remote = "deps-root-server-with-remote",
        deps_self_loop_cycle = "deps-self-loop-cycle",
        deps_server_under_local = "deps-server-under-local",
        deps_shared_no_client = "deps-shared-no-client",
        deps_shared_rpc = "deps-shared-rpc",
        deps_shared_two_servers = "deps-shared-two-servers",
        deps_split_rpc = "deps-split-rpc",
        deps_two_roots = "deps-two-roots",
        deps_window = "deps-window",
        escape_basic = "escape-basic",
        escape_names_endpoints = "escape-names-endpoints",
        escape_surrogates = "escape-surrogates",
        http_bad_percent = "http-bad-percent",
        http_collector_disabled = "http-collector-disabled",
        http_cors_configured = "http-cors-configured",
        http_cors_default = "http-cors-default",
        http_head = "http-head",
        http_head_files = "http-head-files",
        http_health = "http-health",
        http_info = "http-info",
        http_methods = "http-methods",
        http_not_found = "http-not-found",
        http_post_static = "http-post-static",
        http_query_disabled = "http-query-disabled",
        http_redirects = "http-redirects",
        http_slashes = "http-slashes",
        http_ui_basepath = "http-ui-basepath",
        http_ui_config = "http-ui-config",
        http_ui_config_env = "http-ui-config-env",
        http_ui_disabled = "http-ui-disabled",
        http_ui_index = "http-ui-index",
        id128_lenient = "id128-lenient",
        id128_strict = "id128-strict",
        json_fields = "json-fields",
        json_ids = "json-ids",
        json_malformed = "json-malformed",
        json_v1_errors = "json-v1-errors",
        metrics_collector = "metrics-collector",
        metrics_prometheus = "metrics-prometheus",
        names_sorted_cached = "names-sorted-cached",
        names_what_counts = "names-what-counts",
        norm_annotations = "norm-annotations",
        norm_bool_as_string = "norm-bool-as-string",
        norm_case = "norm-case",
        norm_duplicate_members = "norm-duplicate-members",
        norm_flags = "norm-flags",
        norm_ids = "norm-ids",
        norm_ids_padding = "norm-ids-padding",
        norm_ip = "norm-ip",
        norm_kinds = "norm-kinds",
        norm_minimal = "norm-minimal",
        norm_numeric_ids = "norm-numeric-ids",
        norm_order = "norm-order",
        norm_port = "norm-port",
        norm_self_parent = "norm-self-parent",
        norm_strings_from_scalars = "norm-strings-from-scalars",
        norm_timestamps = "norm-timestamps",
        norm_unknown_fields = "norm-unknown-fields",
        param_names_errors = "param-names-errors",
        param_trace_id = "param-trace-id",
        param_trace_many = "param-trace-many",
        param_traces_errors = "param-traces-errors",
        post_all_or_nothing = "post-all-or-nothing",
        post_content_types = "post-content-types",
        post_content_types_wrong = "post-content-types-wrong",
        post_duplicates = "post-duplicates",
        post_empty = "post-empty",
        post_gzip = "post-gzip",
        post_invalid_utf8 = "post-invalid-utf8",
        post_large = "post-large",
        post_many_spans = "post-many-spans",
        post_not_a_list = "post-not-a-list",
        post_not_a_list_binary = "post-not-a-list-binary",
        post_not_a_list_v1 = "post-not-a-list-v1",
        post_trailing = "post-trailing",
        post_v1_v2_mixups = "post-v1-v2-mixups",
        proto_full = "proto-full",
        proto_ids = "proto-ids",
        proto_kinds = "proto-kinds",
        proto_multi = "proto-multi",
        proto_partial = "proto-partial",
        proto_truncated = "proto-truncated",
        response_compression = "response-compression",
        sample_rate_half = "sample-rate-half",
        sample_rate_zero = "sample-rate-zero",
        search_annotations = "search-annotations",
        search_annotations_service = "search-annotations-service",
        search_disabled = "search-disabled",
        search_duration = "search-duration",
        search_limit_order = "search-limit-order",
        search_names = "search-names",
        search_no_timestamp = "search-no-timestamp",
        search_order_ties = "search-order-ties",
        search_strict_regroup = "search-strict-regroup",
        search_window = "search-window",
        search_window_micros = "search-window-micros",
        thrift_client_server = "thrift-client-server",
        thrift_errors = "thrift-errors",
        thrift_fields = "thrift-fields",
        trace_many = "trace-many",
        v1_addresses = "v1-addresses",
        v1_client_server = "v1-client-server",
        v1_incomplete = "v1-incomplete",
        v1_messaging = "v1-messaging",
        v1_one_way = "v1-one-way",
        v1_shared = "v1-shared",
        v1_values = "v1-values",
    }
    memory {
        evict_oldest_trace = "evict-oldest-trace",
    }
}
