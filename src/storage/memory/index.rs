//! The spans and what finds them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::MemoryConfig;
use crate::model::{SpanBatch, SpanRef, arrival_order, cmp_utf16};
use crate::storage::StorageOptions;

/// What is known of one service.
#[derive(Debug, Default)]
struct Service {
    traces: HashSet<u64>,
    span_names: HashSet<String>,
    remote_names: HashSet<String>,
}

/// All spans of one low 64-bit trace id.
#[derive(Debug, Default)]
struct Trace {
    spans: SpanBatch,
    records: HashSet<Box<[u8]>>,
    /// Milliseconds of its spans.
    times_ms: HashSet<i64>,
}

#[derive(Debug)]
pub(super) struct Index {
    config: MemoryConfig,
    options: StorageOptions,
    spans: usize,
    traces: HashMap<u64, Trace>,
    /// (millisecond, low trace id): the order of answers, backwards, and of eviction.
    keys: BTreeSet<(i64, u64)>,
    services: HashMap<String, Service>,
    autocomplete: BTreeMap<String, HashSet<String>>,
}

impl Index {
    pub(super) fn new(config: MemoryConfig, options: StorageOptions) -> Self {
        Self {
            config,
            options,
            spans: 0,
            traces: HashMap::new(),
            keys: BTreeSet::new(),
            services: HashMap::new(),
            autocomplete: BTreeMap::new(),
        }
    }

    pub(super) fn insert(&mut self, batch: &SpanBatch) {
        let mut need = (self.spans + batch.len()).saturating_sub(self.config.spans_max);
        while need > 0 {
            let Some(&(_, low)) = self.keys.first() else { break };
            need = need.saturating_sub(self.evict(low));
        }
        let mut newest: Vec<(i64, usize)> =
            batch.iter().enumerate().map(|(index, span)| (span.timestamp_ms(), index)).collect();
        if newest.len() > self.config.spans_max {
            newest.sort_by_key(|&(time_ms, _)| std::cmp::Reverse(time_ms));
            newest.truncate(self.config.spans_max);
            newest.sort_by_key(|&(_, index)| index);
        }
        for (_, index) in newest {
            if let Some(span) = batch.get(index) {
                self.insert_span(&span);
            }
        }
    }

    fn insert_span(&mut self, span: &SpanRef<'_>) {
        let low = span.trace_id.low();
        let trace = self.traces.entry(low).or_default();
        if !trace.records.insert(span.record().into()) {
            return;
        }
        self.spans += 1;
        trace.spans.push_record(span.record());
        if trace.times_ms.insert(span.timestamp_ms()) {
            self.keys.insert((span.timestamp_ms(), low));
        }
        if self.options.search_enabled {
            self.insert_names(span, low);
        }
    }

    fn insert_names(&mut self, span: &SpanRef<'_>, low: u64) {
        for key in &self.options.autocomplete_keys {
            if let Some(value) = span.tag(key) {
                self.autocomplete.entry(key.clone()).or_default().insert(value.to_owned());
            }
        }
        let Some(name) = span.local_service_name() else { return };
        let service = self.services.entry(name.to_owned()).or_default();
        service.traces.insert(low);
        let max = self.options.names_per_service_max;
        for (names, name) in
            [(&mut service.span_names, span.name), (&mut service.remote_names, span.remote_service_name())]
        {
            if let (Some(name), true) = (name, names.len() < max) {
                names.insert(name.to_owned());
            }
        }
    }

    fn evict(&mut self, low: u64) -> usize {
        let Some(trace) = self.traces.remove(&low) else { return 0 };
        for time_ms in &trace.times_ms {
            self.keys.remove(&(*time_ms, low));
        }
        for span in trace.spans.iter() {
            let Some(name) = span.local_service_name() else { continue };
            if let Some(service) = self.services.get_mut(name) {
                service.traces.remove(&low);
                if service.traces.is_empty() {
                    self.services.remove(name);
                }
            }
        }
        self.spans -= trace.spans.len();
        trace.spans.len()
    }

    /// Low trace ids with a span in the window, by their newest span inside it.
    pub(super) fn newest_first<'a>(
        &'a self,
        from_ms: i64,
        to_ms: i64,
        service: Option<&'a str>,
    ) -> impl Iterator<Item = u64> + 'a {
        let mut seen = HashSet::new();
        let service = service.map(|name| self.services.get(name));
        self.keys.range((from_ms, 0)..=(to_ms, u64::MAX)).rev().map(|&(_, low)| low).filter(move |low| {
            let wanted = service.is_none_or(|service| service.is_some_and(|service| service.traces.contains(low)));
            wanted && seen.insert(*low)
        })
    }

    /// The spans of a trace in arrival order.
    pub(super) fn trace(&self, low: u64) -> SpanBatch {
        self.traces.get(&low).map(|trace| arrival_order(trace.spans.clone())).unwrap_or_default()
    }

    pub(super) fn service_names(&self) -> Vec<String> {
        sorted(self.services.keys().take(self.options.service_names_max))
    }

    pub(super) fn span_names(&self, service: &str) -> Vec<String> {
        self.services.get(service).map(|service| sorted(service.span_names.iter())).unwrap_or_default()
    }

    pub(super) fn remote_service_names(&self, service: &str) -> Vec<String> {
        self.services.get(service).map(|service| sorted(service.remote_names.iter())).unwrap_or_default()
    }

    pub(super) fn autocomplete_values(&self, key: &str) -> Vec<String> {
        self.autocomplete.get(key).map(|values| sorted(values.iter())).unwrap_or_default()
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort_by(|a, b| cmp_utf16(a, b));
    names
}
