//! Zipkin's store in plain maps: every span with its key, every list as a set.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::red::{RedAnswer, RedRequest, RedTable};
use crate::model::{DependencyLink, DependencyLinker, QueryRequest, SpanBatch, arrival_order, cmp_utf16, search};

#[derive(Default)]
struct Service {
    traces: BTreeSet<u64>,
    span_names: BTreeSet<String>,
    remote_names: BTreeSet<String>,
}

#[derive(Default)]
pub(super) struct Reference {
    spans_max: usize,
    /// (millisecond, low trace id)
    keys: BTreeSet<(i64, u64)>,
    traces: BTreeMap<u64, SpanBatch>,
    services: BTreeMap<String, Service>,
}

impl Reference {
    pub(super) fn new(spans_max: usize) -> Self {
        Self { spans_max, ..Self::default() }
    }

    pub(super) fn spans(&self) -> usize {
        self.traces.values().map(SpanBatch::len).sum()
    }

    pub(super) fn write(&mut self, batch: &SpanBatch) {
        let mut need = (self.spans() + batch.len()).saturating_sub(self.spans_max);
        while need > 0 {
            let Some(&(_, low)) = self.keys.first() else { break };
            need = need.saturating_sub(self.evict(low));
        }
        let mut newest: Vec<usize> = (0..batch.len()).collect();
        newest.sort_by_key(|&at| {
            let span = batch.get(at).unwrap();
            std::cmp::Reverse((span.timestamp_ms(), span.trace_id.low()))
        });
        newest.truncate(self.spans_max);
        newest.sort_unstable();
        for span in newest.into_iter().map(|at| batch.get(at).unwrap()) {
            let low = span.trace_id.low();
            let spans = self.traces.entry(low).or_default();
            if spans.records().any(|record| record == span.record()) {
                continue;
            }
            spans.push_record(span.record());
            self.keys.insert((span.timestamp_ms(), low));
            let Some(service) = span.local_service_name() else { continue };
            let service = self.services.entry(service.to_owned()).or_default();
            service.traces.insert(low);
            service.span_names.extend(span.name.map(str::to_owned));
            service.remote_names.extend(span.remote_service_name().map(str::to_owned));
        }
    }

    fn evict(&mut self, low: u64) -> usize {
        self.keys.retain(|key| key.1 != low);
        self.services.retain(|_, service| {
            service.traces.remove(&low);
            !service.traces.is_empty()
        });
        self.traces.remove(&low).unwrap().len()
    }

    fn newest_first(&self, from_ms: i64, to_ms: i64) -> Vec<u64> {
        let mut lows = Vec::new();
        for &(time_ms, low) in self.keys.iter().rev() {
            if (from_ms..=to_ms).contains(&time_ms) && !lows.contains(&low) {
                lows.push(low);
            }
        }
        lows
    }

    fn trace(&self, low: u64) -> SpanBatch {
        self.traces.get(&low).cloned().map(arrival_order).unwrap_or_default()
    }

    pub(super) fn search(&self, request: &QueryRequest, strict: bool) -> Vec<SpanBatch> {
        let mut selection = search::Selection::new(request, strict);
        self.newest_first(request.start_ts_ms(), request.end_ts_ms)
            .into_iter()
            .for_each(|low| selection.offer(self.trace(low)));
        selection.into_traces()
    }

    pub(super) fn links(&self, end_ts_ms: i64, lookback_ms: i64) -> Vec<DependencyLink> {
        let mut linker = DependencyLinker::new();
        for low in self.newest_first(end_ts_ms - lookback_ms, end_ts_ms) {
            linker.put_trace(self.trace(low).iter());
        }
        linker.into_links()
    }

    pub(super) fn red(&self, request: &RedRequest) -> RedAnswer {
        let mut table = RedTable::new(request.clone());
        self.traces.keys().for_each(|low| table.put_trace(self.trace(*low).iter()));
        table.into_answer()
    }

    /// Every trace by its low id.
    pub(super) fn all(&self) -> Vec<(u64, SpanBatch)> {
        self.traces.keys().map(|low| (*low, self.trace(*low))).collect()
    }

    /// Services with their span names and remote names.
    pub(super) fn names(&self) -> Vec<(String, Vec<String>, Vec<String>)> {
        let sorted = |names: &BTreeSet<String>| {
            let mut names: Vec<String> = names.iter().cloned().collect();
            names.sort_by(|a, b| cmp_utf16(a, b));
            names
        };
        let of = |(name, service): (&String, &Service)| {
            (name.clone(), sorted(&service.span_names), sorted(&service.remote_names))
        };
        self.services.iter().map(of).collect()
    }
}
