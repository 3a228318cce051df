//! One span from its reports: the halves and repetitions of a span become one, for trees and links.
//!
//! Spans may be reported in pieces, and a client and its server may share one id. The rules are zipkin's; answers of
//! `/trace` are raw and never pass here.

use std::cmp::Ordering;
use std::ops::Range;

use super::{EndpointRef, SpanId, SpanKind, SpanRef, TraceId, cmp_utf16};

/// A span put together from its reports: scalars are united, annotations and tags are read on demand from the parts.
#[derive(Clone, Debug)]
pub struct MergedSpan<'a> {
    /// The longest trace id found among the spans of the trace.
    pub trace_id: TraceId,
    /// Parent span, absent at the root.
    pub parent_id: Option<SpanId>,
    /// Identifier within the trace; the halves of a shared span are two merged spans of one id.
    pub id: SpanId,
    /// Absent for local work.
    pub kind: Option<SpanKind>,
    /// Lower-case name.
    pub name: Option<&'a str>,
    /// Start, microseconds since the epoch, positive.
    pub timestamp_us: Option<i64>,
    /// Duration in microseconds, positive.
    pub duration_us: Option<i64>,
    /// Who recorded the span.
    pub local_endpoint: Option<EndpointRef<'a>>,
    /// The other end of the call.
    pub remote_endpoint: Option<EndpointRef<'a>>,
    /// Asked to be kept by all samplers.
    pub debug: bool,
    /// The server's half of a span, also where only its position after a client of the same id tells.
    pub shared: bool,
    parts: Range<usize>,
}

impl<'a> MergedSpan<'a> {
    /// Service name of the local endpoint.
    #[must_use]
    pub fn local_service_name(&self) -> Option<&'a str> {
        self.local_endpoint.and_then(|endpoint| endpoint.service_name)
    }

    /// Service name of the remote endpoint.
    #[must_use]
    pub fn remote_service_name(&self) -> Option<&'a str> {
        self.remote_endpoint.and_then(|endpoint| endpoint.service_name)
    }

    fn of_part(part: &SpanRef<'a>, at: usize, trace_id: TraceId) -> Self {
        Self {
            trace_id,
            parent_id: part.parent_id,
            id: part.id,
            kind: part.kind,
            name: part.name,
            timestamp_us: part.timestamp_us,
            duration_us: part.duration_us,
            local_endpoint: part.local_endpoint,
            remote_endpoint: part.remote_endpoint,
            debug: part.debug,
            shared: part.shared,
            parts: at..at + 1,
        }
    }

    /// Takes a further report of the same span unless its local endpoint contradicts.
    fn try_add(&mut self, part: &SpanRef<'a>) -> bool {
        if self.id != part.id || self.shared != part.shared || contradict(self.local_endpoint, part.local_endpoint) {
            return false;
        }
        self.parent_id = self.parent_id.or(part.parent_id);
        self.kind = self.kind.or(part.kind);
        self.name = self.name.or(part.name);
        self.timestamp_us = self.timestamp_us.or(part.timestamp_us);
        self.duration_us = self.duration_us.or(part.duration_us);
        self.local_endpoint = unite(self.local_endpoint, part.local_endpoint);
        self.remote_endpoint = unite(self.remote_endpoint, part.remote_endpoint);
        self.debug |= part.debug;
        self.parts.end += 1;
        true
    }

    /// Mends what tracers forget on the server's half: the shared flag, and the parent.
    fn follow(&mut self, previous: &Self) {
        if previous.id != self.id {
            return;
        }
        let is_answer = previous.kind == Some(SpanKind::Client) && self.kind == Some(SpanKind::Server);
        self.shared |= is_answer;
        if self.shared {
            self.parent_id = self.parent_id.or(previous.parent_id);
        }
    }
}

/// The merged spans of one trace, sorted by id, the client's half before the server's.
#[derive(Clone, Debug, Default)]
pub struct MergedTrace<'a> {
    /// Sorted so that the parts of a merged span stand together.
    parts: Vec<SpanRef<'a>>,
    spans: Vec<MergedSpan<'a>>,
}

/// Merges the spans of one trace (all of one low 64-bit trace id), given in the order in which a store returns them.
#[must_use]
pub fn merge<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>) -> MergedTrace<'a> {
    let mut parts: Vec<SpanRef<'a>> = spans.into_iter().collect();
    sort_parts(&mut parts);
    let longest = parts.iter().find(|part| part.trace_id.is_128_bit()).or(parts.first()).map(|part| part.trace_id);
    let Some(longest) = longest else { return MergedTrace::default() };
    let mut merged: Vec<MergedSpan<'a>> = Vec::with_capacity(parts.len());
    let mut at = 0;
    while let Some(first) = parts.get(at) {
        let trace_id = if longest.is_128_bit() && !first.trace_id.is_128_bit() { longest } else { first.trace_id };
        let mut span = MergedSpan::of_part(first, at, trace_id);
        while parts.get(span.parts.end).is_some_and(|part| span.try_add(part)) {}
        at = span.parts.end;
        if let Some(previous) = merged.last() {
            span.follow(previous);
        }
        merged.push(span);
    }
    MergedTrace { parts, spans: merged }
}

impl<'a> MergedTrace<'a> {
    /// The merged spans, sorted by id.
    #[must_use]
    pub fn spans(&self) -> &[MergedSpan<'a>] {
        &self.spans
    }

    /// The reports that `span` (one of [`Self::spans`]) was made of.
    #[must_use]
    pub fn parts(&self, span: &MergedSpan<'a>) -> &[SpanRef<'a>] {
        self.parts.get(span.parts.clone()).unwrap_or_default()
    }

    /// Whether any report of the span has the tag.
    #[must_use]
    pub fn has_tag(&self, span: &MergedSpan<'a>, key: &str) -> bool {
        self.parts(span).iter().any(|part| part.tag(key).is_some())
    }

    /// The tags of all reports, sorted by key; of one key the last report's value.
    #[must_use]
    pub fn tags(&self, span: &MergedSpan<'a>) -> Vec<(&'a str, &'a str)> {
        let mut tags: Vec<(&str, &str)> = self.parts(span).iter().rev().flat_map(SpanRef::tags).collect();
        tags.sort_by(|a, b| cmp_utf16(a.0, b.0));
        tags.dedup_by_key(|tag| tag.0);
        tags
    }

    /// The annotations of all reports, sorted by time, then value, without duplicates.
    #[must_use]
    pub fn annotations(&self, span: &MergedSpan<'a>) -> Vec<(i64, &'a str)> {
        let mut annotations: Vec<(i64, &str)> = self.parts(span).iter().flat_map(SpanRef::annotations).collect();
        annotations.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| cmp_utf16(a.1, b.1)));
        annotations.dedup();
        annotations
    }
}

/// By id; clients, then others, then shared; then by local endpoint. Stable, so that the first report leads.
fn sort_parts(parts: &mut Vec<SpanRef<'_>>) {
    let in_order = |a: &SpanRef<'_>, b: &SpanRef<'_>| compare_parts(a, b) != Ordering::Greater;
    if parts.windows(2).all(|pair| in_order(&pair[0], &pair[1])) {
        return;
    }
    // Views are large: sort their places, then move each once.
    let mut order: Vec<u32> = (0..parts.len() as u32).collect();
    order.sort_by(|&a, &b| compare_parts(&parts[a as usize], &parts[b as usize]));
    *parts = order.into_iter().map(|index| parts[index as usize]).collect();
}

fn compare_parts(a: &SpanRef<'_>, b: &SpanRef<'_>) -> Ordering {
    let half = |part: &SpanRef<'_>| match (part.shared, part.kind) {
        (false, Some(SpanKind::Client)) => 0,
        (false, _) => 1,
        (true, _) => 2,
    };
    a.id.cmp(&b.id)
        .then_with(|| half(a).cmp(&half(b)))
        .then_with(|| compare_endpoints(a.local_endpoint, b.local_endpoint))
}

/// No endpoint first, so that its data joins the first span of the same id; inside an endpoint missing members last.
fn compare_endpoints(a: Option<EndpointRef<'_>>, b: Option<EndpointRef<'_>>) -> Ordering {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return a.is_some().cmp(&b.is_some()),
    };
    let text = |a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) => cmp_utf16(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    text(a.service_name, b.service_name).then_with(|| text(a.ipv4, b.ipv4)).then_with(|| text(a.ipv6, b.ipv6))
}

fn contradict(a: Option<EndpointRef<'_>>, b: Option<EndpointRef<'_>>) -> bool {
    fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.is_some() && b.is_some() && a != b
    }
    let (Some(a), Some(b)) = (a, b) else { return false };
    differ(a.service_name, b.service_name) || differ(a.ipv4, b.ipv4) || differ(a.ipv6, b.ipv6) || differ(a.port, b.port)
}

fn unite<'a>(a: Option<EndpointRef<'a>>, b: Option<EndpointRef<'a>>) -> Option<EndpointRef<'a>> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(EndpointRef {
        service_name: a.service_name.or(b.service_name),
        ipv4: a.ipv4.or(b.ipv4),
        ipv6: a.ipv6.or(b.ipv6),
        port: a.port.or(b.port),
    })
}

#[cfg(test)]
mod tests;
