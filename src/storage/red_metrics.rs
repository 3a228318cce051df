//! Requests of services as metrics, when switched on: counters and a histogram per service and span name.
//!
//! They count what the store accepted, span by span as it came: a span that is reported twice counts twice, and of a span in
//! parts the part that says its kind counts. Exact figures, and those of calls, are the views ([`SpanStore::red`](super::SpanStore::red)).

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::model::{SpanBatch, SpanKind, SpanRef};

const LABELS: &[&str] = &["service", "span_name"];
/// Upper bounds of the durations, seconds.
const DURATION_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The metrics of requests.
#[derive(Debug)]
pub struct RedMetrics {
    requests: IntCounterVec,
    errors: IntCounterVec,
    seconds: HistogramVec,
    left_out: IntCounter,
    series_max: usize,
    series: Mutex<HashTable<Series>>,
    hasher: RandomState,
}

/// The metrics of one service and span name.
#[derive(Debug)]
struct Series {
    service: Box<str>,
    name: Box<str>,
    requests: IntCounter,
    errors: IntCounter,
    seconds: Histogram,
}

impl RedMetrics {
    /// Registers the families. Requests of more than `series_max` pairs of service and span name are only counted together.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry, series_max: usize) -> Result<Self, prometheus::Error> {
        let requests =
            Opts::new("red_requests_total", "requests of services as they were accepted, repeated reports too");
        let errors = Opts::new("red_errors_total", "those of red_requests_total with an error");
        let seconds =
            HistogramOpts::new("red_request_seconds", "durations of those of red_requests_total that have one");
        let metrics = Self {
            requests: IntCounterVec::new(requests, LABELS)?,
            errors: IntCounterVec::new(errors, LABELS)?,
            seconds: HistogramVec::new(seconds.buckets(DURATION_SECONDS.to_vec()), LABELS)?,
            left_out: IntCounter::new(
                "red_requests_left_out_total",
                "requests that are not in red_requests_total because it has too many series",
            )?,
            series_max,
            series: Mutex::default(),
            hasher: RandomState::default(),
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.left_out.clone()))?;
        Ok(metrics)
    }

    /// Counts the requests among the spans of a batch that was stored.
    pub(super) fn count(&self, spans: &SpanBatch) {
        let mut series = self.series.lock();
        let mut left_out = 0;
        for span in spans.iter().filter(is_request) {
            let Some(service) = span.local_service_name() else { continue };
            match self.find_or_add(&mut series, service, span.name.unwrap_or_default()) {
                Some(series) => series.count(&span),
                None => left_out += 1,
            }
        }
        self.left_out.inc_by(left_out);
    }

    fn find_or_add<'s>(&self, series: &'s mut HashTable<Series>, service: &str, name: &str) -> Option<&'s Series> {
        let hash = self.hasher.hash_one((service, name));
        let is_it = |known: &Series| (&*known.service, &*known.name) == (service, name);
        if series.find(hash, is_it).is_none() {
            if series.len() >= self.series_max {
                return None;
            }
            let labels = [service, name];
            let new = Series {
                service: service.into(),
                name: name.into(),
                requests: self.requests.with_label_values(&labels),
                errors: self.errors.with_label_values(&labels),
                seconds: self.seconds.with_label_values(&labels),
            };
            series.insert_unique(hash, new, |known| self.hasher.hash_one((&*known.service, &*known.name)));
        }
        series.find(hash, is_it)
    }
}

impl Series {
    fn count(&self, span: &SpanRef<'_>) {
        self.requests.inc();
        if span.tag("error").is_some() {
            self.errors.inc();
        }
        if let Some(duration_us) = span.duration_us {
            self.seconds.observe(duration_us as f64 / 1_000_000.0);
        }
    }
}

/// As far as one span alone tells: it answered, took a message, or began its trace without kind.
fn is_request(span: &SpanRef<'_>) -> bool {
    match span.kind {
        Some(SpanKind::Server | SpanKind::Consumer) => true,
        Some(SpanKind::Client | SpanKind::Producer) => false,
        None => span.parent_id.is_none() && span.timestamp_us.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::spans_from_json;
    use crate::telemetry::exposition::prometheus_text;

    fn lines(registry: &Registry, wanted: &str) -> Vec<String> {
        let text = prometheus_text(registry, &[]);
        text.lines().filter(|line| line.starts_with(wanted)).map(str::to_owned).collect()
    }

    #[test]
    fn requests_errors_and_durations_are_counted_by_service_and_name() {
        let registry = Registry::new();
        let metrics = RedMetrics::register(&registry, 10).unwrap();
        metrics.count(&spans_from_json(
            r#"[{"traceId":"1","id":"1","kind":"SERVER","name":"get","timestamp":1,"duration":3000,"localEndpoint":{"serviceName":"a"}},
                {"traceId":"1","id":"2","parentId":"1","kind":"CLIENT","name":"get","duration":9,"localEndpoint":{"serviceName":"a"}},
                {"traceId":"1","id":"3","parentId":"1","name":"local","timestamp":1,"localEndpoint":{"serviceName":"a"}},
                {"traceId":"1","id":"4","kind":"CONSUMER","tags":{"error":""},"localEndpoint":{"serviceName":"a"}},
                {"traceId":"2","id":"1","name":"job","timestamp":1,"duration":7000000,"localEndpoint":{"serviceName":"b"}},
                {"traceId":"2","id":"2","kind":"SERVER","name":"nobody's"}]"#,
        ));
        let requests = [
            r#"red_requests_total{service="a",span_name=""} 1"#,
            r#"red_requests_total{service="a",span_name="get"} 1"#,
            r#"red_requests_total{service="b",span_name="job"} 1"#,
        ];
        let of =
            |prefix: &str| lines(&registry, prefix).into_iter().map(|line| line.replace(".0", "")).collect::<Vec<_>>();
        assert_eq!(of("red_requests_total{"), requests);
        assert_eq!(of("red_errors_total{")[0], r#"red_errors_total{service="a",span_name=""} 1"#);
        assert!(
            of("red_request_seconds_bucket")
                .contains(&r#"red_request_seconds_bucket{service="a",span_name="get",le="0.25"} 1"#.to_owned())
        );
        assert!(
            of("red_request_seconds_sum")
                .contains(&r#"red_request_seconds_sum{service="b",span_name="job"} 7"#.to_owned())
        );
        assert!(RedMetrics::register(&registry, 10).is_err());
    }

    #[test]
    fn series_are_bounded_and_what_is_left_out_is_counted() {
        let registry = Registry::new();
        let metrics = RedMetrics::register(&registry, 2).unwrap();
        for service in ["a", "b", "c", "a", "d"] {
            metrics.count(&spans_from_json(&format!(
                r#"[{{"traceId":"1","id":"1","kind":"SERVER","localEndpoint":{{"serviceName":"{service}"}}}}]"#
            )));
        }
        assert_eq!(lines(&registry, "red_requests_total{").len(), 2);
        assert_eq!(metrics.left_out.get(), 2);
        assert_eq!(metrics.requests.with_label_values(&["a", ""]).get(), 2);
    }
}
