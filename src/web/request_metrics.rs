//! `http_server_requests_seconds`: how long requests took, by method, status and route, as zipkin's dashboards expect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use http::{Method, StatusCode};
use parking_lot::{Mutex, RwLock};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts, Registry};
use tokio::time::Instant;

const NAME: &str = "http_server_requests_seconds";
const HELP: &str = "Response time histogram";
const LABELS: [&str; 3] = ["method", "status", "uri"];
/// The maximum is that of the last one to two windows, so a peak is seen by every scraper and then forgotten.
const MAX_WINDOW: Duration = Duration::from_secs(60);

/// One histogram per (method, status, route). All three come from closed sets: routes are templates, never paths.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    histograms: HistogramVec,
    maxima: GaugeVec,
    series: RwLock<HashMap<Key, Arc<Series>>>,
    window: Mutex<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    method: &'static str,
    status: u16,
    uri: Arc<str>,
}

#[derive(Debug)]
struct Series {
    histogram: Histogram,
    /// Longest request of this window and of the one before, in nanoseconds.
    maximum: AtomicU64,
    maximum_before: AtomicU64,
}

impl RequestMetrics {
    /// Registers the families.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let histograms = HistogramVec::new(HistogramOpts::new(NAME, HELP).buckets(buckets()), &LABELS)?;
        let maxima = GaugeVec::new(Opts::new(format!("{NAME}_max"), HELP), &LABELS)?;
        let series = RwLock::new(HashMap::new());
        let metrics =
            Self { inner: Arc::new(Inner { histograms, maxima, series, window: Mutex::new(Instant::now()) }) };
        registry.register(Box::new(metrics.clone()))?;
        Ok(metrics)
    }

    /// Counts one answered request. `route` is the matched template; paths outside the API are not counted.
    pub fn observe(&self, method: &Method, status: StatusCode, route: Option<&str>, path: &str, took: Duration) {
        let Some(uri) = uri_label(status, route, path) else { return };
        let key = Key { method: method_label(method), status: status.as_u16(), uri: uri.into() };
        let series = self.series(key);
        series.histogram.observe(took.as_secs_f64());
        series.maximum.fetch_max(took.as_nanos() as u64, Ordering::Relaxed);
    }

    fn series(&self, key: Key) -> Arc<Series> {
        if let Some(series) = self.inner.series.read().get(&key) {
            return series.clone();
        }
        let status = key.status.to_string();
        let histogram = self.inner.histograms.with_label_values(&[key.method, &status, &key.uri]);
        let series = Series { histogram, maximum: AtomicU64::new(0), maximum_before: AtomicU64::new(0) };
        self.inner.series.write().entry(key).or_insert_with(|| Arc::new(series)).clone()
    }

    /// Starts a new window when the current one is over, and shows the longer of the two.
    fn publish_maxima(&self) {
        let mut window = self.inner.window.lock();
        let turns = (window.elapsed().as_secs() / MAX_WINDOW.as_secs()).min(2);
        for (key, series) in self.inner.series.read().iter() {
            for _ in 0..turns {
                let ended = series.maximum.swap(0, Ordering::Relaxed);
                series.maximum_before.store(ended, Ordering::Relaxed);
            }
            let nanos = series.maximum.load(Ordering::Relaxed).max(series.maximum_before.load(Ordering::Relaxed));
            let status = key.status.to_string();
            self.inner
                .maxima
                .with_label_values(&[key.method, &status, &key.uri])
                .set(Duration::from_nanos(nanos).as_secs_f64());
        }
        if turns > 0 {
            *window = Instant::now();
        }
    }
}

impl Collector for RequestMetrics {
    fn desc(&self) -> Vec<&Desc> {
        let mut descriptions = self.inner.histograms.desc();
        descriptions.extend(self.inner.maxima.desc());
        descriptions
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.publish_maxima();
        let mut families = self.inner.histograms.collect();
        families.extend(self.inner.maxima.collect());
        families
    }
}

/// The `uri` label, or `None` for a path that is not counted (health, metrics, static files).
fn uri_label<'a>(status: StatusCode, route: Option<&'a str>, path: &str) -> Option<&'a str> {
    let of_api = |path: &str| path.starts_with("/api/") || path == "/api";
    let below_ui = |path: &'a str| path.strip_prefix("/zipkin").filter(|rest| of_api(rest));
    if !of_api(path) && !path.strip_prefix("/zipkin").is_some_and(of_api) {
        return None;
    }
    if status == StatusCode::NOT_FOUND {
        return Some("NOT_FOUND");
    }
    if status.is_redirection() {
        return Some("REDIRECTION");
    }
    let route = route.unwrap_or("UNKNOWN");
    let known = below_ui(route).or_else(|| of_api(route).then_some(route));
    Some(known.unwrap_or("UNKNOWN"))
}

/// Methods that HTTP knows; anything else a client may think of is one label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}

/// Micrometer's percentile buckets from 1 ms to 30 s: between two powers of four nanoseconds, steps of a third of the lower.
fn buckets() -> Vec<f64> {
    let (first, last) = (1_000_000_u64, 30_000_000_000_u64);
    let mut bounds = vec![first];
    for exponent in (2..62).step_by(2) {
        let power = 1_u64 << exponent;
        let step = power / 3;
        let end = (power << 2) - step;
        let steps = (power..end).step_by(step as usize);
        bounds.extend(steps.filter(|bound| (first + 1..last).contains(bound)));
    }
    bounds.push(last);
    bounds.into_iter().map(|nanos| nanos as f64 / 1e9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_peers_library() {
        let bounds = buckets();
        assert_eq!(bounds[..4], [0.001, 0.001_048_576, 0.001_398_101, 0.001_747_626]);
        assert!(bounds.contains(&0.268_435_456) && bounds.contains(&1.073_741_824) && bounds.contains(&22.906_492_245));
        assert_eq!(bounds.last(), Some(&30.0));
        assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
    }

    #[test]
    fn the_route_is_a_template_and_never_what_a_client_sent() {
        let label = |status: u16, route, path| uri_label(StatusCode::from_u16(status).unwrap(), route, path);
        let trace = Some("/api/v2/trace/{traceId}");
        assert_eq!(label(200, trace, "/api/v2/trace/1"), trace);
        assert_eq!(label(404, trace, "/api/v2/trace/1"), Some("NOT_FOUND"));
        assert_eq!(label(200, Some("/zipkin/api/v2/services"), "/zipkin/api/v2/services"), Some("/api/v2/services"));
        assert_eq!(label(405, Some("/zipkin/{*path}"), "/zipkin/api/v2/x"), Some("UNKNOWN"));
        assert_eq!(label(405, None, "/api/anything"), Some("UNKNOWN"));
        assert_eq!(label(200, Some("/health"), "/health"), None);
        assert_eq!(label(200, Some("/zipkin/"), "/zipkin/"), None);
    }

    fn maximum(metrics: &RequestMetrics) -> f64 {
        let families = metrics.collect();
        let family = families.iter().find(|family| family.name().ends_with("_max")).unwrap();
        family.get_metric()[0].get_gauge().get_value()
    }

    #[tokio::test(start_paused = true)]
    async fn the_maximum_is_forgotten_after_two_windows() {
        let metrics = RequestMetrics::register(&Registry::new()).unwrap();
        let route = Some("/api/v2/services");
        metrics.observe(&Method::GET, StatusCode::OK, route, "/api/v2/services", Duration::from_secs(3));
        assert_eq!(maximum(&metrics), 3.0);
        tokio::time::advance(MAX_WINDOW).await;
        assert_eq!(maximum(&metrics), 3.0);
        tokio::time::advance(MAX_WINDOW).await;
        assert_eq!(maximum(&metrics), 0.0);
    }
}
