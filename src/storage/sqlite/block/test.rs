//! Which traces of a chunk meet a search's conditions, by column.

use super::chunk::Find;
use super::dictionary::NONE;
use crate::model::{QueryRequest, service_of, split_tag};

/// Conditions that are looked at; further ones are left to the test of the whole trace.
const CONDITIONS_MAX: usize = 60;

const SERVICE: u64 = 1;
const REMOTE: u64 = 1 << 1;
const NAME: u64 = 1 << 2;
const DURATION: u64 = 1 << 3;
const FIRST_TERM: u32 = 4;

/// The conditions of a search in the numbers of one chunk.
#[derive(Debug)]
pub(in super::super) struct ChunkTest {
    all: u64,
    /// Conditions met by number of endpoint (as local, as remote), name, tag, annotation text.
    locals: Vec<bool>,
    remotes: Vec<bool>,
    names: Vec<bool>,
    tags: Vec<u64>,
    texts: Vec<u64>,
    durations_us: (u64, u64),
    any_service: bool,
}

impl ChunkTest {
    /// `None`: no trace of the chunk can match.
    pub(in super::super) fn new(find: &Find, request: &QueryRequest) -> Option<Self> {
        let terms = &request.annotation_query[..request.annotation_query.len().min(CONDITIONS_MAX)];
        let mut all = 0;
        let is_service = |wanted: &Option<String>, bit: u64, all: &mut u64| -> Vec<bool> {
            let Some(wanted) = wanted else { return Vec::new() };
            *all |= bit;
            find.endpoints.iter().map(|endpoint| service_of(endpoint) == Some(wanted)).collect()
        };
        let locals = is_service(&request.service_name, SERVICE, &mut all);
        let remotes = is_service(&request.remote_service_name, REMOTE, &mut all);
        let names: Vec<bool> = request.span_name.as_ref().map_or_else(Vec::new, |wanted| {
            all |= NAME;
            find.names.iter().map(|name| name == wanted.as_bytes()).collect()
        });
        let has_duration = request.min_duration_us.is_some() || request.max_duration_us.is_some();
        let at_least = request.min_duration_us.unwrap_or(0).max(0) as u64;
        let at_most = request.max_duration_us.map_or(u64::MAX, |duration| u64::try_from(duration).unwrap_or(0));
        all |= if has_duration { DURATION } else { 0 };
        let (mut tags, mut texts) = (Vec::new(), Vec::new());
        if !terms.is_empty() {
            let met = |meets: &dyn Fn(&(String, String)) -> bool| -> u64 {
                terms
                    .iter()
                    .enumerate()
                    .filter(|(_, term)| meets(term))
                    .map(|(at, _)| 1 << (at as u32 + FIRST_TERM))
                    .sum()
            };
            all |= met(&|_| true);
            let of_tag = |tag: &[u8]| {
                let Some((key, value)) = split_tag(tag) else { return 0 };
                met(&|(wanted, wanted_value)| wanted == key && (wanted_value.is_empty() || wanted_value == value))
            };
            tags = find.tags.iter().map(of_tag).collect();
            texts = find
                .texts
                .iter()
                .map(|text| met(&|(wanted, wanted_value)| wanted_value.is_empty() && wanted.as_bytes() == text))
                .collect();
        }
        let somewhere = tags.iter().chain(&texts).fold(0, |met, bits| met | bits);
        let is_nowhere = |list: &[bool], bit: u64| all & bit != 0 && !list.contains(&true);
        let term_bits = all & !(SERVICE | REMOTE | NAME | DURATION);
        let is_impossible = is_nowhere(&locals, SERVICE)
            || is_nowhere(&remotes, REMOTE)
            || is_nowhere(&names, NAME)
            || somewhere & term_bits != term_bits;
        let any_service = request.service_name.is_none();
        let durations_us = (at_least, at_most);
        (!is_impossible).then_some(Self { all, locals, remotes, names, tags, texts, durations_us, any_service })
    }

    /// Whether spans of the trace at an index of the chunk meet all conditions.
    pub(in super::super) fn lets_pass(&self, find: &Find, trace: usize) -> bool {
        if self.all == 0 {
            return true;
        }
        let mut met = 0;
        for span in find.spans_of(trace) {
            met |= self.met_by(find, span);
            if met == self.all {
                return true;
            }
        }
        false
    }

    fn met_by(&self, find: &Find, span: usize) -> u64 {
        let is = |list: &[bool], number: u32| number != NONE && list.get(number as usize).copied().unwrap_or(false);
        let mut met = 0;
        if !self.any_service {
            if !is(&self.locals, find.locals[span]) {
                return 0;
            }
            met |= SERVICE;
        }
        if self.all & REMOTE != 0 && is(&self.remotes, find.remotes[span]) {
            met |= REMOTE;
        }
        if self.all & NAME != 0 && is(&self.names, find.span_names[span]) {
            met |= NAME;
        }
        if self.all & DURATION != 0 && (self.durations_us.0..=self.durations_us.1).contains(&find.durations[span]) {
            met |= DURATION;
        }
        if !self.tags.is_empty() || !self.texts.is_empty() {
            let bits = |list: &[u64], number: &u32| list.get(*number as usize).copied().unwrap_or(0);
            met = find.tags_of(span).iter().fold(met, |met, tag| met | bits(&self.tags, tag));
            met = find.texts_of(span).iter().fold(met, |met, text| met | bits(&self.texts, text));
        }
        met
    }
}
