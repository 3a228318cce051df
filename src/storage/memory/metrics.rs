//! What the store holds, told at each scrape.

use std::sync::Weak;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter};

use super::shared::Shared;

/// Asks the store when it is asked. Holds no spans in memory: a store that is gone tells its last figures.
pub(super) struct MemoryCollector {
    shared: Weak<Shared>,
    spans: Gauge,
    traces: Gauge,
    bytes: Gauge,
    evicted_spans: IntCounter,
    evicted_traces: IntCounter,
    names_left_out: IntCounter,
    /// One scrape at a time, because counters are brought up to date by what they lack.
    scrape: Mutex<()>,
}

impl MemoryCollector {
    pub(super) fn new(shared: Weak<Shared>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            shared,
            spans: Gauge::new("storage_memory_spans", "spans held in memory")?,
            traces: Gauge::new("storage_memory_traces", "traces held in memory")?,
            bytes: Gauge::new("storage_memory_bytes", "bytes of spans and their indexes, about")?,
            evicted_spans: IntCounter::new("storage_memory_evicted_spans_total", "spans removed to make room")?,
            evicted_traces: IntCounter::new("storage_memory_evicted_traces_total", "traces removed to make room")?,
            names_left_out: IntCounter::new(
                "storage_memory_names_left_out_total",
                "names and values that were not listed because their list is full",
            )?,
            scrape: Mutex::new(()),
        })
    }

    fn all(&self) -> [&dyn Collector; 6] {
        [&self.spans, &self.traces, &self.bytes, &self.evicted_spans, &self.evicted_traces, &self.names_left_out]
    }
}

impl Collector for MemoryCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _alone = self.scrape.lock();
        if let Some(shared) = self.shared.upgrade() {
            let stats = shared.stats();
            self.spans.set(stats.spans as f64);
            self.traces.set(stats.traces as f64);
            self.bytes.set(stats.bytes as f64);
            let counters = [
                (&self.evicted_spans, stats.evicted_spans),
                (&self.evicted_traces, stats.evicted_traces),
                (&self.names_left_out, stats.names_left_out),
            ];
            counters.into_iter().for_each(|(counter, now)| counter.inc_by(now.saturating_sub(counter.get())));
        }
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}
