//! Making a block out of traces.

use std::collections::BTreeMap;

use super::chunk::{ChunkEncoder, EncodedChunk, is_some};
use super::frame::FrameError;
use super::names::BlockNames;
use super::red::RedView;
use super::terms::{TermFilter, key_term, tag_term};
use super::traces::{Traces, TracesBuilder};
use crate::model::red::RedTable;
use crate::model::{SpanBatch, group_by_millisecond, service_of, split_tag};

/// Spans of a chunk, about; a trace is never divided.
const CHUNK_SPANS: usize = 2_048;

/// Figures of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Figures {
    pub(in super::super) spans: u64,
    pub(in super::super) traces: u64,
    /// Oldest and newest key: milliseconds of a span, 0 without timestamp.
    pub(in super::super) min_ms: i64,
    pub(in super::super) max_ms: i64,
}

/// All values of a block.
#[derive(Debug)]
pub(in super::super) struct BuiltBlock {
    pub(in super::super) figures: Figures,
    pub(in super::super) chunks: Vec<EncodedChunk>,
    pub(in super::super) traces: Traces,
    pub(in super::super) names: BlockNames,
    pub(in super::super) traces_value: Vec<u8>,
    pub(in super::super) names_value: Vec<u8>,
    pub(in super::super) terms_value: Vec<u8>,
    pub(in super::super) red_value: Vec<u8>,
}

/// Takes traces by ascending low id.
#[derive(Debug)]
pub(in super::super) struct BlockBuilder<'a> {
    autocomplete_keys: &'a [String],
    search_enabled: bool,
    encoder: ChunkEncoder,
    chunks: Vec<EncodedChunk>,
    traces: TracesBuilder,
    names: BlockNames,
    red: RedTable,
    terms: TermFilter,
    /// Terms of the chunk under way.
    chunk_terms: Vec<u64>,
    figures: Figures,
}

impl<'a> BlockBuilder<'a> {
    pub(in super::super) fn new(autocomplete_keys: &'a [String], search_enabled: bool) -> Self {
        Self {
            autocomplete_keys,
            search_enabled,
            encoder: ChunkEncoder::default(),
            chunks: Vec::new(),
            traces: TracesBuilder::default(),
            names: BlockNames::default(),
            red: RedTable::of_everything(),
            terms: TermFilter::default(),
            chunk_terms: Vec::new(),
            figures: Figures { min_ms: i64::MAX, ..Figures::default() },
        }
    }

    /// Appends a trace: all its spans, different from each other, in order of arrival.
    pub(in super::super) fn push(&mut self, low: u64, spans: &SpanBatch) -> Result<(), FrameError> {
        let place = self.encoder.traces() as u32;
        self.encoder.add_trace(low, spans).map_err(|_| FrameError::Torn)?;
        let ordered = group_by_millisecond(spans.clone());
        self.traces.push(low, &ordered, self.chunks.len() as u32, place);
        let Self { red, traces, .. } = self;
        red.put_trace_with_calls(ordered.iter(), |call| traces.push_call(&call));
        if let Some(entry) = self.traces.traces.entries.last() {
            let Figures { spans, traces, min_ms, max_ms } = &mut self.figures;
            (*spans, *traces) = (*spans + u64::from(entry.spans), *traces + 1);
            (*min_ms, *max_ms) = ((*min_ms).min(entry.min_ms), (*max_ms).max(entry.max_ms));
        }
        if self.encoder.spans() >= CHUNK_SPANS { self.end_chunk() } else { Ok(()) }
    }

    /// Ends the chunk under way, if it has a trace.
    pub(in super::super) fn end_chunk(&mut self) -> Result<(), FrameError> {
        if self.encoder.traces() == 0 {
            return Ok(());
        }
        if self.search_enabled {
            self.note_names();
            self.note_terms();
        }
        self.chunks.push(self.encoder.finish()?);
        Ok(())
    }

    fn note_names(&mut self) {
        let Self { encoder, names, .. } = self;
        // First by endpoint and not by text: there are many combinations of few endpoints.
        let services: Vec<Option<&str>> = encoder.endpoints.strings.iter().map(service_of).collect();
        let service = |number: u32| services.get(number as usize).copied().flatten();
        let mut by_service: BTreeMap<&str, Vec<(u32, u32, u64)>> = BTreeMap::new();
        for (combination, longest_us) in &encoder.combinations {
            let local = service(combination.local).unwrap_or_default();
            by_service.entry(local).or_default().push((combination.name, combination.remote, *longest_us));
        }
        for (local, combinations) in by_service {
            let known = names.services.entry(local.to_owned()).or_default();
            for (name, remote, longest_us) in combinations {
                known.longest_us = known.longest_us.max(longest_us);
                let name = if is_some(name) { std::str::from_utf8(encoder.names.strings.get(name)).ok() } else { None };
                for (set, name) in [(&mut known.span_names, name), (&mut known.remote_names, service(remote))] {
                    if let Some(name) = name.filter(|name| !set.contains(*name)) {
                        set.insert(name.to_owned());
                    }
                }
            }
        }
    }

    fn note_terms(&mut self) {
        let Self { encoder, names, terms, chunk_terms, autocomplete_keys, .. } = self;
        chunk_terms.clear();
        for (key, value) in encoder.tags.strings.iter().filter_map(split_tag) {
            chunk_terms.extend([key_term(key), tag_term(key, value)]);
            if autocomplete_keys.iter().any(|wanted| wanted == key) {
                names.values.entry(key.to_owned()).or_default().insert(value.to_owned());
            }
        }
        chunk_terms
            .extend(encoder.texts.strings.iter().filter_map(|text| std::str::from_utf8(text).ok()).map(key_term));
        terms.push(chunk_terms);
    }

    /// The whole block; `None` without traces.
    pub(in super::super) fn finish(mut self) -> Result<Option<BuiltBlock>, FrameError> {
        self.end_chunk()?;
        if self.chunks.is_empty() {
            return Ok(None);
        }
        let traces_value = self.traces.traces.encode()?;
        let names_value = self.names.encode()?;
        let terms_value = self.terms.encode()?;
        let red_value = RedView::of(&self.red).encode()?;
        Ok(Some(BuiltBlock {
            figures: self.figures,
            chunks: self.chunks,
            traces: self.traces.traces,
            names: self.names,
            traces_value,
            names_value,
            terms_value,
            red_value,
        }))
    }
}
