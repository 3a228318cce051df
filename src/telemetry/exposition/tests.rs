use prometheus::{Gauge, HistogramOpts, HistogramVec, Registry};

use super::*;
use crate::telemetry::CollectorMetrics;

fn registry() -> Registry {
    let registry = Registry::new();
    let http = CollectorMetrics::register(&registry).unwrap().transport("http");
    http.messages.inc_by(3);
    http.bytes.inc_by(1234);
    http.message_spans.set(7.0);
    let opts = HistogramOpts::new("http_server_requests_seconds", "Response time histogram").buckets(vec![0.5, 1.0]);
    let histogram = HistogramVec::new(opts, &["uri"]).unwrap();
    histogram.with_label_values(&["/a\"b\\c\nd"]).observe(0.75);
    registry.register(Box::new(histogram)).unwrap();
    registry
}

#[test]
fn the_text_format_has_help_type_and_every_series() {
    let text = prometheus_text(&registry(), &[]);
    assert!(text.contains(
        "# HELP zipkin_collector_messages_total cumulative amount of messages received\n\
         # TYPE zipkin_collector_messages_total counter\n\
         zipkin_collector_messages_total{transport=\"http\"} 3\n"
    ));
    assert!(text.contains("zipkin_collector_message_spans{transport=\"http\"} 7\n"));
}

#[test]
fn a_label_value_is_escaped() {
    let text = prometheus_text(&registry(), &["http_server_requests_seconds_sum".to_owned()]);
    assert!(text.contains("http_server_requests_seconds_sum{uri=\"/a\\\"b\\\\c\\nd\"} 0.75\n"), "{text}");
}

#[test]
fn a_histogram_ends_with_the_infinite_bucket_sum_and_count() {
    let text = prometheus_text(&registry(), &["http_server_requests_seconds".to_owned()]);
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let label = "uri=\"/a\\\"b\\\\c\\nd\"";
    assert_eq!(
        series,
        [
            format!("http_server_requests_seconds_bucket{{{label},le=\"0.5\"}} 0"),
            format!("http_server_requests_seconds_bucket{{{label},le=\"1\"}} 1"),
            format!("http_server_requests_seconds_bucket{{{label},le=\"+Inf\"}} 1"),
            format!("http_server_requests_seconds_sum{{{label}}} 0.75"),
            format!("http_server_requests_seconds_count{{{label}}} 1"),
        ]
    );
}

#[test]
fn the_name_filter_picks_series_and_families() {
    let names = ["zipkin_collector_bytes_total".to_owned(), "http_server_requests_seconds_count".to_owned()];
    let text = prometheus_text(&registry(), &names);
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(series.len(), 2, "{text}");
    assert!(series[0].starts_with("http_server_requests_seconds_count{"));
    assert_eq!(series[1], "zipkin_collector_bytes_total{transport=\"http\"} 1234");
    assert_eq!(prometheus_text(&registry(), &["no_such_series".to_owned()]), "");
}

#[test]
fn openmetrics_names_counters_without_suffix_and_ends_with_eof() {
    let text = openmetrics_text(&registry(), &[]);
    assert!(text.contains("# TYPE zipkin_collector_bytes counter\nzipkin_collector_bytes_total{transport=\"http\"}"));
    assert!(text.contains("le=\"1.0\""));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn zipkins_json_lists_each_transport_with_doubles() {
    let registry = Registry::new();
    let metrics = CollectorMetrics::register(&registry).unwrap();
    metrics.transport("http").messages.inc_by(4);
    let _grpc = metrics.transport("grpc");
    let text = zipkin_metrics_json(&registry);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 14);
    assert!(text.contains("\n  \"counter.zipkin_collector.messages.http\" : 4.0,\n"), "{text}");
    assert!(text.contains("\"gauge.zipkin_collector.message_bytes.grpc\" : 0.0"));
}

#[test]
fn values_that_are_no_numbers_have_the_shared_spelling() {
    let registry = Registry::new();
    let gauge = Gauge::new("odd", "odd").unwrap();
    registry.register(Box::new(gauge.clone())).unwrap();
    for (value, text) in [(f64::NAN, "odd NaN\n"), (f64::INFINITY, "odd +Inf\n"), (f64::NEG_INFINITY, "odd -Inf\n")] {
        gauge.set(value);
        assert!(prometheus_text(&registry, &[]).ends_with(text));
    }
}

#[test]
fn a_transport_that_zipkin_does_not_have_is_listed_once_it_is_used() {
    let registry = Registry::new();
    let otlp = CollectorMetrics::register(&registry).unwrap().transport("otlp_http");
    assert!(!zipkin_metrics_json(&registry).contains("otlp_http"));
    otlp.messages.inc();
    assert!(zipkin_metrics_json(&registry).contains("\"counter.zipkin_collector.spans.otlp_http\" : 0.0"));
    assert!(prometheus_text(&registry, &[]).contains("otlp_http"));
}
