//! The store behind its lock. Queries hold the lock for short visits and work on copies in between.

use std::collections::HashSet;

use parking_lot::{Mutex, RwLock};

use super::links::LinkCache;
use super::pins::Pins;
use super::{MemoryConfig, MemoryStats, NAME};
use crate::model::{QueryRequest, SpanBatch, TraceId, group_by_millisecond, search};
use crate::storage::index::names::sorted;
use crate::storage::index::prepare::{Hashes, Prepared};
use crate::storage::index::red::RedCache;
use crate::storage::index::walk::{Probe, Walk};
use crate::storage::index::{Index, Limits};
use crate::storage::{ErrorKind, PinnedTrace, QueryBudget, StorageError, StorageOptions};

/// Candidates asked for at once: at first as many as the limit, then more and more, up to this.
const CANDIDATES_MAX: usize = 1_024;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: MemoryConfig,
    pub(super) options: StorageOptions,
    pub(super) hashes: Hashes,
    pub(super) index: RwLock<Index>,
    pub(super) links: LinkCache,
    pub(super) red: RedCache,
    pub(super) pins: Mutex<Pins>,
}

impl Shared {
    pub(super) fn new(config: MemoryConfig, options: StorageOptions) -> Self {
        let index =
            RwLock::new(Index::new(Limits { spans_max: config.spans_max, bytes_max: config.bytes_max }, &options));
        let (links, red) = (LinkCache::default(), RedCache::default());
        Self { config, options, hashes: Hashes::default(), index, links, red, pins: Mutex::default() }
    }

    pub(super) fn write(&self, spans: &SpanBatch) {
        let StorageOptions { search_enabled, autocomplete_keys, .. } = &self.options;
        let mut prepared = Prepared::new(spans, &self.hashes, *search_enabled, autocomplete_keys);
        prepared.keep_newest(self.config.spans_max, self.config.bytes_max / 2);
        let mut index = self.index.write();
        index.insert(&prepared, &self.hashes);
    }

    pub(super) fn stats(&self) -> MemoryStats {
        let index = self.index.read();
        MemoryStats {
            spans: index.spans(),
            traces: index.trace_count(),
            bytes: index.bytes(),
            evicted_spans: index.evicted().spans,
            evicted_traces: index.evicted().traces,
            names_left_out: index.names.left_out(),
        }
    }

    pub(super) fn search(&self, request: &QueryRequest, budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let mut selection = search::Selection::new(request, self.options.strict_trace_id);
        let seen = self.index.read().seen();
        let probe = Probe::new(request, &self.hashes);
        let mut walk = Walk::new(probe, request.start_ts_ms(), request.end_ts_ms, seen);
        let mut wanted = request.limit.clamp(1, CANDIDATES_MAX);
        let mut candidates = Vec::new();
        while !walk.is_over() && !selection.is_full() {
            budget.spend(NAME, 0)?;
            candidates.clear();
            walk.visit(&self.index.read(), &self.hashes, wanted, &mut candidates);
            let mut rest = candidates.as_slice();
            while !rest.is_empty() && !selection.is_full() {
                let spans = self.index.read().copy_some(&mut rest, seen);
                for spans in spans {
                    if !selection.is_full() {
                        budget.spend(NAME, spans.len())?;
                        selection.offer(group_by_millisecond(spans));
                    }
                }
            }
            wanted = (wanted * 2).min(CANDIDATES_MAX);
        }
        Ok(selection.into_traces())
    }

    /// Spans of the traces with these ids, about: tells whether reading them takes long.
    pub(super) fn count_spans(&self, ids: &[TraceId]) -> usize {
        let index = self.index.read();
        let found = ids.iter().filter_map(|id| index.find(id.low(), self.hashes.low(id.low())));
        found.map(|at| index.traces[at as usize].slots().len()).sum()
    }

    pub(super) fn traces(&self, ids: &[TraceId], budget: &QueryBudget) -> Result<Vec<SpanBatch>, StorageError> {
        let asked: HashSet<TraceId> = ids.iter().copied().collect();
        let mut seen = HashSet::new();
        let lows = ids.iter().map(|id| id.low()).filter(|low| seen.insert(*low));
        let seen = self.index.read().seen();
        let mut traces = Vec::new();
        for low in lows {
            let spans = {
                let index = self.index.read();
                let trace = index.find(low, self.hashes.low(low)).map(|at| &index.traces[at as usize]);
                trace.map(|trace| index.copy(trace, seen)).unwrap_or_default()
            };
            budget.spend(NAME, spans.len())?;
            let spans = self.pins.lock().fold(low, group_by_millisecond(spans));
            if self.options.strict_trace_id {
                let mut parts = search::split_strict(spans);
                parts.retain(|part| part.get(0).is_some_and(|span| asked.contains(&span.trace_id)));
                traces.append(&mut parts);
            } else if !spans.is_empty() {
                traces.push(spans);
            }
        }
        Ok(traces)
    }

    /// Copies what the trace has now.
    pub(super) fn pin(&self, id: TraceId) -> Result<PinnedTrace, StorageError> {
        let spans = {
            let index = self.index.read();
            let trace = index.find(id.low(), self.hashes.low(id.low())).map(|at| &index.traces[at as usize]);
            trace.map(|trace| index.copy(trace, index.seen())).unwrap_or_default()
        };
        let mut pins = self.pins.lock();
        // With the copy there is, if any: part of the trace may be gone.
        let mut spans = pins.fold(id.low(), spans);
        if !spans.iter().any(|span| !self.options.strict_trace_id || span.trace_id == id) {
            return Err(StorageError::new(ErrorKind::NotFound, NAME, "pin", format!("{id} not found")));
        }
        spans.shrink_to_fit();
        pins.pin(id, spans, &self.config)
    }

    pub(super) fn service_names(&self) -> Vec<String> {
        let names = self.index.read().names.service_names();
        sorted(names)
    }

    pub(super) fn span_names(&self, service: &str) -> Vec<String> {
        let names = self.index.read().names.span_names(self.hashes.name(service));
        sorted(names)
    }

    pub(super) fn remote_names(&self, service: &str) -> Vec<String> {
        let names = self.index.read().names.remote_names(self.hashes.name(service));
        sorted(names)
    }

    pub(super) fn values(&self, key: &str) -> Vec<String> {
        let Some(at) = self.options.autocomplete_keys.iter().position(|known| known == key) else { return Vec::new() };
        let values = self.index.read().names.values(at);
        sorted(values)
    }
}
