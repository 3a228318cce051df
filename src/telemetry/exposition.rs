//! The registry as text: Prometheus 0.0.4, OpenMetrics 1.0, and zipkin's `/metrics` JSON.
//!
//! One writer serves both text formats, because a `name[]` filter picks single series of a histogram, which the
//! encoder of the metrics library cannot do.

use std::fmt::Write as _;

use prometheus::Registry;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

/// Content type of [`prometheus_text`].
pub const PROMETHEUS_TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of [`openmetrics_text`].
pub const OPENMETRICS_TEXT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prometheus text format 0.0.4. `names` is the `name[]` filter: names of series or of whole families, empty for all.
#[must_use]
pub fn prometheus_text(registry: &Registry, names: &[String]) -> String {
    write_families(&registry.gather(), names, Dialect::Prometheus)
}

/// OpenMetrics text format 1.0; `names` as in [`prometheus_text`].
#[must_use]
pub fn openmetrics_text(registry: &Registry, names: &[String]) -> String {
    let mut text = write_families(&registry.gather(), names, Dialect::OpenMetrics);
    text.push_str("# EOF\n");
    text
}

/// Zipkin's `/metrics`: the collector's counters and gauges of each transport, pretty printed, all numbers as doubles.
///
/// Transports that zipkin does not have are listed from their first message on, so that a server used as zipkin is answers
/// as zipkin does.
#[must_use]
pub fn zipkin_metrics_json(registry: &Registry) -> String {
    let families = registry.gather();
    let used = used_transports(&families);
    let mut members = Vec::new();
    for (series, kind, member) in ZIPKIN_MEMBERS {
        let Some(family) = families.iter().find(|family| family.name() == *series) else { continue };
        for metric in family.get_metric() {
            let Some(transport) = transport(metric) else { continue };
            if !ZIPKIN_TRANSPORTS.contains(&transport) && !used.contains(&transport) {
                continue;
            }
            let value = match family.get_field_type() {
                MetricType::COUNTER => metric.get_counter().get_value(),
                _ => metric.get_gauge().get_value(),
            };
            members.push(format!("  \"{kind}.zipkin_collector.{member}.{}\" : {value:?}", transport));
        }
    }
    format!("{{\n{}\n}}", members.join(",\n"))
}

fn transport(metric: &Metric) -> Option<&str> {
    metric.get_label().iter().find(|label| label.name() == "transport").map(LabelPair::value)
}

/// Transports that received a message.
fn used_transports(families: &[MetricFamily]) -> Vec<&str> {
    let messages = families.iter().find(|family| family.name() == ZIPKIN_MEMBERS[0].0);
    let received = messages.into_iter().flat_map(MetricFamily::get_metric);
    received.filter(|metric| metric.get_counter().get_value() > 0.0).filter_map(transport).collect()
}

/// The transports of zipkin.
const ZIPKIN_TRANSPORTS: [&str; 8] = ["http", "grpc", "kafka", "rabbitmq", "activemq", "pulsar", "scribe", "local"];

/// Series of the registry, and what zipkin's JSON calls them.
const ZIPKIN_MEMBERS: &[(&str, &str, &str)] = &[
    ("zipkin_collector_messages_total", "counter", "messages"),
    ("zipkin_collector_messages_dropped_total", "counter", "messages_dropped"),
    ("zipkin_collector_bytes_total", "counter", "bytes"),
    ("zipkin_collector_spans_total", "counter", "spans"),
    ("zipkin_collector_spans_dropped_total", "counter", "spans_dropped"),
    ("zipkin_collector_message_spans", "gauge", "message_spans"),
    ("zipkin_collector_message_bytes", "gauge", "message_bytes"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Prometheus,
    OpenMetrics,
}

fn write_families(families: &[MetricFamily], names: &[String], dialect: Dialect) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in families {
        let mut writer = SeriesWriter { family: family.name(), names, body: String::new() };
        for metric in family.get_metric() {
            writer.write_metric(family.get_field_type(), metric, dialect);
        }
        if writer.body.is_empty() {
            continue;
        }
        write_head(&mut text, family, dialect);
        text.push_str(&writer.body);
    }
    text
}

/// HELP and TYPE lines. OpenMetrics names a counter without the suffix that its series carry.
fn write_head(text: &mut String, family: &MetricFamily, dialect: Dialect) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED if dialect == Dialect::OpenMetrics => "unknown",
        MetricType::UNTYPED => "untyped",
    };
    let name = match (dialect, kind) {
        (Dialect::OpenMetrics, "counter") => family.name().trim_end_matches("_total"),
        _ => family.name(),
    };
    let help = family.help().replace('\\', "\\\\").replace('\n', "\\n");
    if !help.is_empty() {
        let _ = writeln!(text, "# HELP {name} {help}");
    }
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

/// Collects the series of one family that the filter lets through.
struct SeriesWriter<'a> {
    family: &'a str,
    names: &'a [String],
    body: String,
}

impl SeriesWriter<'_> {
    fn write_metric(&mut self, kind: MetricType, metric: &Metric, dialect: Dialect) {
        let labels = metric.get_label();
        match kind {
            MetricType::COUNTER => {
                let bare = dialect == Dialect::OpenMetrics && !self.family.ends_with("_total");
                self.series(if bare { "_total" } else { "" }, labels, None, metric.get_counter().get_value());
            }
            MetricType::GAUGE => self.series("", labels, None, metric.get_gauge().get_value()),
            // The metrics library has no such metrics, only the name.
            MetricType::UNTYPED => {}
            MetricType::HISTOGRAM => self.histogram(metric, dialect),
            MetricType::SUMMARY => {
                let summary = metric.get_summary();
                for quantile in summary.get_quantile() {
                    let bound = number(quantile.quantile());
                    self.series("", labels, Some(("quantile", &bound)), quantile.value());
                }
                self.series("_sum", labels, None, summary.sample_sum());
                self.series("_count", labels, None, summary.sample_count() as f64);
            }
        }
    }

    fn histogram(&mut self, metric: &Metric, dialect: Dialect) {
        let (labels, histogram) = (metric.get_label(), metric.get_histogram());
        for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
            let bound = match dialect {
                Dialect::Prometheus => number(bucket.upper_bound()),
                Dialect::OpenMetrics => format!("{:?}", bucket.upper_bound()),
            };
            self.series("_bucket", labels, Some(("le", &bound)), bucket.cumulative_count() as f64);
        }
        let count = histogram.get_sample_count() as f64;
        self.series("_bucket", labels, Some(("le", "+Inf")), count);
        self.series("_sum", labels, None, histogram.get_sample_sum());
        self.series("_count", labels, None, count);
    }

    fn series(&mut self, suffix: &str, labels: &[LabelPair], extra: Option<(&str, &str)>, value: f64) {
        if !self.wanted(suffix) {
            return;
        }
        self.body.push_str(self.family);
        self.body.push_str(suffix);
        let own = labels.iter().map(|label| (label.name(), label.value()));
        let mut separator = '{';
        for (name, value) in own.chain(extra) {
            self.body.push(separator);
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.body, "{name}=\"{value}\"");
            separator = ',';
        }
        if separator == ',' {
            self.body.push('}');
        }
        let _ = writeln!(self.body, " {}", number(value));
    }

    fn wanted(&self, suffix: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|name| name == self.family || name.strip_prefix(self.family).is_some_and(|rest| rest == suffix))
    }
}

/// A sample value; infinities and NaN in the spelling both formats share.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests;
