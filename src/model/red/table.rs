//! Series of minutes, added up out of traces and of tables made before.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::encoded::{self, CorruptRed};
use super::trace::{RedSample, red_and_calls_of_trace};
use super::{Red, RedKey, RedKeyRef, RedRequest};
use crate::model::{Call, SpanRef};

/// Most series of a table of everything, and of an answer unless it is asked for otherwise. Spans of further ones are stored
/// and found like all others; here they are only counted as left out.
pub const RED_SERIES_MAX: usize = 100_000;

/// One series of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedSeries {
    /// What it counts.
    pub key: RedKey,
    /// First minute of each step that has anything, and what it has; in order.
    pub steps: Vec<(i64, Red)>,
}

impl RedSeries {
    /// All steps together.
    #[must_use]
    pub fn total(&self) -> Red {
        let mut total = Red::default();
        self.steps.iter().for_each(|(_, red)| total.merge(red));
        total
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedAnswer {
    /// Services, then spans, then edges; each by name.
    pub series: Vec<RedSeries>,
    /// Requests, spans and calls that are missing because there are more series than [`RedRequest::series_max`].
    pub left_out: u64,
}

/// Adds up what traces tell, for one request or for everything.
///
/// Every store can answer with it: give it each trace once that has a span in the window, whole, whatever its other spans'
/// times; it takes what belongs to the window. What does not change any more may be kept as the bytes of a table of
/// everything ([`RedTable::encode`]) and added later ([`RedTable::add_encoded`]).
#[derive(Debug)]
pub struct RedTable {
    /// `None`: every series, by minute.
    request: Option<RedRequest>,
    series: Vec<RedSeries>,
    /// Indexes of `series` by key.
    by_key: HashTable<u32>,
    hasher: RandomState,
    series_max: usize,
    left_out: u64,
}

impl RedTable {
    /// For one request.
    #[must_use]
    pub fn new(request: RedRequest) -> Self {
        let series_max = request.series_max;
        Self::with(Some(request), series_max)
    }

    /// Every series by minute: what can be kept and answers any request later.
    #[must_use]
    pub fn of_everything() -> Self {
        Self::with(None, RED_SERIES_MAX)
    }

    fn with(request: Option<RedRequest>, series_max: usize) -> Self {
        let (series, by_key, hasher) = (Vec::new(), HashTable::new(), RandomState::default());
        Self { request, series, by_key, hasher, series_max, left_out: 0 }
    }

    /// Adds one trace: all spans of one low 64-bit trace id, in the order of [`arrival_order`](crate::model::arrival_order).
    pub fn put_trace<'a>(&mut self, spans: impl IntoIterator<Item = SpanRef<'a>>) {
        self.put_trace_with_calls(spans, |_| {});
    }

    /// As [`Self::put_trace`], and gives each call that the trace links to `on_call`, as
    /// [`link_trace`](crate::model::link_trace) does.
    pub fn put_trace_with_calls<'a>(
        &mut self,
        spans: impl IntoIterator<Item = SpanRef<'a>>,
        on_call: impl FnMut(Call<'a>),
    ) {
        let count = |RedSample { key, minute, duration_us, is_error }: RedSample<'_>| {
            if let Some(red) = self.find_or_add(key, minute, 1) {
                red.add(duration_us, is_error);
            }
        };
        red_and_calls_of_trace(spans, count, on_call);
    }

    /// Adds what a table of everything was written as.
    ///
    /// # Errors
    /// [`CorruptRed`] when the bytes are no table; some of them may have been added then.
    pub fn add_encoded(&mut self, bytes: &[u8]) -> Result<(), CorruptRed> {
        encoded::decode(bytes, |key, minute, red| {
            if let Some(known) = self.find_or_add(key, minute, red.calls) {
                known.merge(&red);
            }
        })
    }

    /// The bytes of the table: equal for equal contents, whatever the order in which they came.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut series: Vec<(RedKeyRef<'_>, &[(i64, Red)])> =
            self.series.iter().map(|series| (series.key.as_ref(), series.steps.as_slice())).collect();
        series.sort_unstable_by_key(|(key, _)| key.parts());
        let mut bytes = Vec::new();
        encoded::encode(&series, &mut bytes);
        bytes
    }

    /// Counts what found no place elsewhere.
    pub fn add_left_out(&mut self, left_out: u64) {
        self.left_out = self.left_out.saturating_add(left_out);
    }

    /// Requests, spans and calls that found no place.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The answer, sorted.
    #[must_use]
    pub fn into_answer(mut self) -> RedAnswer {
        self.series.sort_unstable_by(|a, b| a.key.as_ref().cmp(&b.key.as_ref()));
        RedAnswer { series: self.series, left_out: self.left_out }
    }

    /// Where to count, if that was asked for and there is room.
    fn find_or_add(&mut self, key: RedKeyRef<'_>, minute: i64, calls: u64) -> Option<&mut Red> {
        let step = match &self.request {
            None => minute,
            Some(request) => request.step_of(minute).filter(|_| request.asks_for(key))?,
        };
        let Self { series, by_key, hasher, .. } = self;
        let hash = hasher.hash_one(key);
        let found = by_key.find(hash, |&at| series[at as usize].key.as_ref() == key);
        let at = match found {
            Some(at) => *at as usize,
            None if series.len() >= self.series_max => {
                self.left_out = self.left_out.saturating_add(calls);
                return None;
            }
            None => {
                series.push(RedSeries { key: key.to_key(), steps: Vec::new() });
                let rehash = |at: &u32| hasher.hash_one(series[*at as usize].key.as_ref());
                by_key.insert_unique(hash, series.len() as u32 - 1, rehash);
                series.len() - 1
            }
        };
        let steps = &mut self.series[at].steps;
        let at = match steps.binary_search_by_key(&step, |known| known.0) {
            Ok(at) => at,
            Err(at) => {
                steps.insert(at, (step, Red::default()));
                at
            }
        };
        Some(&mut steps[at].1)
    }

    /// A table with room for fewer series.
    #[cfg(test)]
    pub(super) fn with_series_max(series_max: usize) -> Self {
        Self::with(None, series_max)
    }
}
