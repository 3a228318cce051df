//! What of a write can be done before the lock is taken: reading records, hashing texts.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::filter::Term;
use super::names::Name;
use super::trace::duration_code;
use crate::model::{SpanBatch, SpanRef};

/// The store's hash functions; random, so that no sender can make texts collide.
#[derive(Debug, Default)]
pub(in crate::storage) struct Hashes {
    state: RandomState,
}

impl Hashes {
    pub(in crate::storage) fn low(&self, low: u64) -> u64 {
        self.state.hash_one(low)
    }

    pub(in crate::storage) fn record(&self, record: &[u8]) -> u32 {
        self.state.hash_one(record) as u32
    }

    pub(in crate::storage) fn name<'a>(&self, text: &'a str) -> Name<'a> {
        Name { text, hash: self.state.hash_one(text) }
    }

    pub(in crate::storage) fn term(&self, term: Term, text: &str) -> u64 {
        self.derived(term, self.state.hash_one(text))
    }

    pub(in crate::storage) fn tag(&self, key: &str, value: &str) -> u64 {
        self.derived(Term::Tag, self.state.hash_one((key, value)))
    }

    fn derived(&self, term: Term, hash: u64) -> u64 {
        self.state.hash_one((term as u8, hash))
    }

    /// Every term that a span can be found by.
    pub(in crate::storage) fn terms(&self, span: &SpanRef<'_>, mut emit: impl FnMut(u64)) {
        let named = [
            (Term::Service, span.local_service_name()),
            (Term::RemoteService, span.remote_service_name()),
            (Term::SpanName, span.name),
        ];
        for (term, text) in named {
            text.into_iter().for_each(|text| emit(self.term(term, text)));
        }
        for (key, value) in span.tags() {
            emit(self.term(Term::Key, key));
            emit(self.tag(key, value));
        }
        span.annotations().for_each(|(_, value)| emit(self.term(Term::Key, value)));
    }
}

/// A span, read and hashed.
#[derive(Debug)]
pub(in crate::storage) struct PreparedSpan<'a> {
    pub(in crate::storage) record: &'a [u8],
    pub(in crate::storage) hash: u32,
    pub(in crate::storage) low: u64,
    pub(in crate::storage) low_hash: u64,
    pub(in crate::storage) time_ms: i64,
    pub(in crate::storage) duration: u16,
    pub(in crate::storage) service: Option<Name<'a>>,
    pub(in crate::storage) remote_service: Option<Name<'a>>,
    pub(in crate::storage) name: Option<Name<'a>>,
    /// Its part of [`Prepared::terms`].
    pub(in crate::storage) terms: Range<usize>,
    /// Its part of [`Prepared::values`].
    pub(in crate::storage) values: Range<usize>,
}

/// The spans of a batch, ready to be stored.
#[derive(Debug, Default)]
pub(in crate::storage) struct Prepared<'a> {
    pub(in crate::storage) spans: Vec<PreparedSpan<'a>>,
    pub(in crate::storage) terms: Vec<u64>,
    /// Values of autocomplete keys: index of the key, value.
    pub(in crate::storage) values: Vec<(usize, Name<'a>)>,
    pub(in crate::storage) record_bytes: usize,
}

impl<'a> Prepared<'a> {
    /// Prepares a batch. Without search only what finds a trace by its id.
    pub(in crate::storage) fn new(
        batch: &'a SpanBatch,
        hashes: &Hashes,
        search_enabled: bool,
        autocomplete_keys: &[String],
    ) -> Self {
        let mut prepared = Self { spans: Vec::with_capacity(batch.len()), ..Self::default() };
        if search_enabled {
            prepared.terms.reserve(batch.len() * 8);
        }
        for span in batch.iter() {
            let (first_term, first_value) = (prepared.terms.len(), prepared.values.len());
            if search_enabled {
                hashes.terms(&span, |term| prepared.terms.push(term));
                prepared.find_values(&span, hashes, autocomplete_keys);
            }
            let name = |text: Option<&'a str>| text.filter(|_| search_enabled).map(|text| hashes.name(text));
            prepared.record_bytes += span.record().len();
            prepared.spans.push(PreparedSpan {
                record: span.record(),
                hash: hashes.record(span.record()),
                low: span.trace_id.low(),
                low_hash: hashes.low(span.trace_id.low()),
                time_ms: span.timestamp_ms(),
                duration: duration_code(span.duration_us),
                service: name(span.local_service_name()),
                remote_service: name(span.remote_service_name()),
                name: name(span.name),
                terms: first_term..prepared.terms.len(),
                values: first_value..prepared.values.len(),
            });
        }
        prepared
    }

    fn find_values(&mut self, span: &SpanRef<'a>, hashes: &Hashes, autocomplete_keys: &[String]) {
        if autocomplete_keys.is_empty() {
            return;
        }
        for (key, value) in span.tags() {
            if let Some(at) = autocomplete_keys.iter().position(|wanted| wanted == key) {
                self.values.push((at, hashes.name(value)));
            }
        }
    }

    /// Keeps the newest spans of a batch that is larger than the store.
    pub(in crate::storage) fn keep_newest(&mut self, spans_max: usize, bytes_max: usize) {
        if self.spans.len() <= spans_max && self.record_bytes <= bytes_max {
            return;
        }
        let mut newest: Vec<usize> = (0..self.spans.len()).collect();
        newest.sort_by_key(|&at| std::cmp::Reverse((self.spans[at].time_ms, self.spans[at].low)));
        let mut is_kept = vec![false; self.spans.len()];
        let mut bytes = 0;
        for at in newest.into_iter().take(spans_max) {
            bytes += self.spans[at].record.len();
            is_kept[at] = bytes <= bytes_max;
        }
        let mut is_kept = is_kept.into_iter();
        self.spans.retain(|_| is_kept.next().unwrap_or(false));
        self.record_bytes = self.spans.iter().map(|span| span.record.len()).sum();
    }
}
