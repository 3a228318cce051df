//! Candidates of a search, newest first, gathered in short visits to the index.

use std::collections::HashMap;

use super::Index;
use super::filter::Term;
use super::prepare::Hashes;
use super::times::bucket_of;
use super::trace::{Seen, Trace, duration_code};
use crate::model::QueryRequest;

/// Traces that one visit looks at, about; a visit takes some ten microseconds.
const VISIT_TRACES: usize = 2_048;

/// What a trace must have to be worth reading. Lets traces pass that have not, never keeps one back that has.
#[derive(Debug)]
pub(in crate::storage) struct Probe<'q> {
    service: Option<&'q str>,
    terms: Vec<u64>,
    shortest: u16,
}

impl<'q> Probe<'q> {
    /// Lets every trace pass.
    pub(in crate::storage) fn any() -> Self {
        Self { service: None, terms: Vec::new(), shortest: 0 }
    }

    pub(in crate::storage) fn new(request: &'q QueryRequest, hashes: &Hashes) -> Self {
        let named = [
            (Term::Service, &request.service_name),
            (Term::RemoteService, &request.remote_service_name),
            (Term::SpanName, &request.span_name),
        ];
        let named = named.into_iter().filter_map(|(term, name)| Some(hashes.term(term, name.as_deref()?)));
        let asked = request
            .annotation_query
            .iter()
            .map(|(key, value)| if value.is_empty() { hashes.term(Term::Key, key) } else { hashes.tag(key, value) });
        Self {
            service: request.service_name.as_deref(),
            terms: named.chain(asked).collect(),
            shortest: duration_code(request.min_duration_us),
        }
    }

    /// The service's number during one visit; `Err` when no trace has the service.
    fn resolve(&self, index: &Index, hashes: &Hashes) -> Result<Option<u32>, ()> {
        self.service.map(|name| index.names.find(hashes.name(name)).ok_or(())).transpose()
    }

    fn lets_pass(&self, trace: &Trace, service: Option<u32>) -> bool {
        self.terms.iter().all(|term| trace.filter.may_contain(*term)) && self.is_long_enough(trace, service)
    }

    fn is_long_enough(&self, trace: &Trace, service: Option<u32>) -> bool {
        self.shortest == 0
            || match service {
                Some(service) => trace.services.longest(service).is_some_and(|longest| longest >= self.shortest),
                None => trace.longest >= self.shortest,
            }
    }
}

/// A trace to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) struct Candidate {
    /// Its latest millisecond inside the window.
    pub(in crate::storage) time_ms: i64,
    pub(in crate::storage) low: u64,
    /// Index of the trace; another trace may have taken the place meanwhile.
    pub(in crate::storage) at: u32,
    /// The write that brought its last span; `None` when the reader does not see that.
    pub(in crate::storage) write: Option<u64>,
}

/// A walk through the traces of a window. It sees the writes up to the one it started with and none of the later ones,
/// so no batch is seen in part although the lock is let go between visits.
#[derive(Debug)]
pub(in crate::storage) struct Walk<'q> {
    probe: Probe<'q>,
    from_ms: i64,
    to_ms: i64,
    seen: Seen,
    /// The lowest bucket to visit, and the highest that was not visited yet.
    last: i64,
    next: Option<i64>,
    /// Traces of a large bucket that are still to be looked at, and the candidates among those before.
    rest: Vec<u32>,
    found: Vec<Candidate>,
    /// Latest milliseconds that had to be searched for, by trace: it may be named in many buckets.
    latest: HashMap<(u32, u64), Option<i64>>,
}

impl<'q> Walk<'q> {
    pub(in crate::storage) fn new(probe: Probe<'q>, from_ms: i64, to_ms: i64, seen: Seen) -> Self {
        Self {
            probe,
            from_ms,
            to_ms,
            seen,
            last: bucket_of(from_ms),
            next: (from_ms <= to_ms).then(|| bucket_of(to_ms)),
            rest: Vec::new(),
            found: Vec::new(),
            latest: HashMap::new(),
        }
    }

    /// Walks on through the part of the window between two milliseconds (those of whole buckets) only.
    pub(in crate::storage) fn enter(&mut self, from_ms: i64, to_ms: i64) {
        self.last = bucket_of(from_ms.max(self.from_ms));
        self.next = Some(bucket_of(to_ms.min(self.to_ms)));
    }

    /// The latest millisecond inside the window of a trace, for traces that reach beyond it.
    pub(in crate::storage) fn latest_of(&mut self, index: &Index, at: u32) -> Option<i64> {
        let trace = &index.traces[at as usize];
        let search = || index.latest_within(trace, self.from_ms, self.to_ms, self.seen);
        *self.latest.entry((at, trace.low)).or_insert_with(search)
    }

    /// True when all candidates were given out.
    pub(in crate::storage) fn is_over(&self) -> bool {
        self.next.is_none() && self.rest.is_empty()
    }

    /// Appends further candidates, newest first (on ties the highest low trace id), until there are `wanted` or the visit
    /// has been long enough.
    pub(in crate::storage) fn visit(
        &mut self,
        index: &Index,
        hashes: &Hashes,
        wanted: usize,
        out: &mut Vec<Candidate>,
    ) {
        let Ok(service) = self.probe.resolve(index, hashes) else {
            self.next = None;
            self.rest.clear();
            return;
        };
        let mut looked_at = 0;
        while looked_at < VISIT_TRACES && out.len() < wanted {
            if !self.rest.is_empty() {
                let from = self.rest.len().saturating_sub(VISIT_TRACES);
                let part = self.rest.split_off(from);
                looked_at += part.len();
                self.look_at(index, self.bucket_under_way(), &part, service);
                if self.rest.is_empty() {
                    self.hand_out(out);
                }
                continue;
            }
            let Some(next) = self.next else { return };
            let Some((bucket, traces)) = index.times.highest_between(self.last, next) else {
                self.next = None;
                return;
            };
            self.next = bucket.checked_sub(1);
            looked_at += traces.len().max(1);
            if traces.len() > VISIT_TRACES {
                traces.clone_into(&mut self.rest);
                continue;
            }
            self.look_at(index, bucket, traces, service);
            self.hand_out(out);
        }
    }

    fn bucket_under_way(&self) -> i64 {
        self.next.map_or(i64::MIN, |next| next + 1)
    }

    fn look_at(&mut self, index: &Index, bucket: i64, traces: &[u32], service: Option<u32>) {
        for &at in traces {
            let trace = &index.traces[at as usize];
            if trace.is_free() || !trace.is_seen(self.seen) || !self.probe.lets_pass(trace, service) {
                continue;
            }
            // Each trace is a candidate in the bucket of its latest span inside the window, and in no other.
            let is_plain = trace.last_write <= self.seen.write && trace.max_ms <= self.to_ms;
            let latest = if is_plain {
                Some(trace.max_ms).filter(|latest| *latest >= self.from_ms)
            } else {
                self.latest_of(index, at)
            };
            if let Some(time_ms) = latest.filter(|latest| bucket_of(*latest) == bucket) {
                let write = Some(trace.last_write).filter(|write| *write <= self.seen.write);
                self.found.push(Candidate { time_ms, low: trace.low, at, write });
            }
        }
    }

    fn hand_out(&mut self, out: &mut Vec<Candidate>) {
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        self.found.dedup();
        out.append(&mut self.found);
    }
}
