//! What became of every span: received = sampled out + dropped{reason} + stored + in flight.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets};

/// Why spans that were to be stored were not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Their lane had no room in time.
    Full,
    /// The store did not take them for now.
    Unavailable,
    /// They waited in their lane for too long.
    Expired,
    /// The store will never take them.
    Rejected,
    /// They lie behind the stored position of their source: written before.
    StalePosition,
    /// The sender went away while its message waited for room.
    Cancelled,
    /// The process ended.
    Shutdown,
}

impl DropReason {
    const ALL: [Self; 7] = [
        Self::Full,
        Self::Unavailable,
        Self::Expired,
        Self::Rejected,
        Self::StalePosition,
        Self::Cancelled,
        Self::Shutdown,
    ];

    /// Label value for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::StalePosition => "stale_position",
            Self::Cancelled => "cancelled",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The pipeline's own metrics. Counted per message or per batch, never per span.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) received: IntCounter,
    pub(super) sampled_out: IntCounter,
    pub(super) stored: IntCounter,
    pub(super) in_flight: IntGauge,
    dropped: Vec<IntCounter>,
    pub(super) batch_spans: Histogram,
    pub(super) queue_wait: Histogram,
    pub(super) write_seconds: Histogram,
    pub(super) batches_divided: IntCounter,
}

impl Counters {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| -> Result<Histogram, prometheus::Error> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let dropped = IntCounterVec::new(
            Opts::new("ingest_dropped_spans_total", "spans that were to be stored and were not"),
            &["reason"],
        )?;
        registry.register(Box::new(dropped.clone()))?;
        let in_flight = IntGauge::new("ingest_in_flight_spans", "spans on their way to the store")?;
        registry.register(Box::new(in_flight.clone()))?;
        let seconds = exponential_buckets(0.000_1, 2.5, 13)?;
        Ok(Self {
            received: counter("ingest_received_spans_total", "spans handed to the pipeline")?,
            sampled_out: counter("ingest_sampled_out_spans_total", "spans of traces that are not kept")?,
            stored: counter("ingest_stored_spans_total", "spans the store has taken")?,
            in_flight,
            dropped: DropReason::ALL.iter().map(|reason| dropped.with_label_values(&[reason.as_str()])).collect(),
            batch_spans: histogram("ingest_batch_spans", "spans written at once", exponential_buckets(1.0, 4.0, 9)?)?,
            queue_wait: histogram(
                "ingest_queue_wait_seconds",
                "time the oldest message of a batch spent in its lane",
                seconds.clone(),
            )?,
            write_seconds: histogram("ingest_write_seconds", "time a write to the store took", seconds)?,
            batches_divided: counter("ingest_divided_batches_total", "batches divided to find a refused message")?,
        })
    }

    pub(super) fn dropped(&self, reason: DropReason) -> &IntCounter {
        &self.dropped[reason as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let registry = Registry::new();
        let counters = Counters::register(&registry).unwrap();
        for (count, reason) in DropReason::ALL.into_iter().enumerate() {
            counters.dropped(reason).inc_by(count as u64 + 1);
        }
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == "ingest_dropped_spans_total").unwrap();
        for (count, reason) in DropReason::ALL.into_iter().enumerate() {
            let of_reason = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == reason.as_str();
            let metric = family.get_metric().iter().find(of_reason).unwrap();
            assert_eq!(metric.get_counter().get_value(), count as f64 + 1.0, "{reason:?}");
        }
    }
}
