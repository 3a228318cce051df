//! Who called whom, as a reader of the trace sees it: like the UI, and unlike zipkin's links, a root may be a lone server's
//! half, and spans whose parent was not received stand beside the root.

use hashbrown::HashMap;

use crate::model::{EndpointRef, MergedSpan, MergedTrace, SpanId};

/// The spans of a trace by their index in [`MergedTrace::spans`], without rings.
#[derive(Debug)]
pub(super) struct Calls {
    parents: Vec<Option<usize>>,
    /// The earliest span that has no parent and names none.
    pub(super) root: Option<usize>,
    /// Another such span was received.
    pub(super) has_second_root: bool,
}

impl Calls {
    pub(super) fn of(trace: &MergedTrace<'_>) -> Self {
        let spans = trace.spans();
        let halves = Halves::of(spans);
        let mut parents: Vec<_> = spans.iter().enumerate().map(|(at, span)| halves.parent_of(at, span)).collect();
        cut_rings(spans, &mut parents);
        let mut roots: Vec<usize> =
            (0..spans.len()).filter(|&at| parents[at].is_none() && spans[at].parent_id.is_none()).collect();
        roots.sort_by_key(|&at| time_rank(&spans[at]));
        Self { parents, root: roots.first().copied(), has_second_root: roots.len() > 1 }
    }

    pub(super) fn parent(&self, span: usize) -> Option<usize> {
        self.parents.get(span).copied().flatten()
    }

    /// Every span after its parent.
    pub(super) fn parents_first(&self) -> Vec<usize> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.parents.len()];
        let mut order = Vec::with_capacity(self.parents.len());
        for (at, parent) in self.parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(at),
                None => order.push(at),
            }
        }
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            order.append(&mut children[at]);
            next += 1;
        }
        order
    }
}

/// Finds the halves of an id.
#[derive(Debug, Default)]
struct Halves<'a> {
    clients: HashMap<SpanId, usize>,
    servers: HashMap<SpanId, usize>,
    servers_by_endpoint: HashMap<(SpanId, Option<EndpointRef<'a>>), usize>,
    servers_by_service: HashMap<(SpanId, &'a str), usize>,
}

impl<'a> Halves<'a> {
    fn of(spans: &[MergedSpan<'a>]) -> Self {
        let mut halves = Self::default();
        for (at, span) in spans.iter().enumerate() {
            if !span.shared {
                halves.clients.entry(span.id).or_insert(at);
                continue;
            }
            halves.servers.entry(span.id).or_insert(at);
            halves.servers_by_endpoint.entry((span.id, span.local_endpoint)).or_insert(at);
            if let Some(service) = span.local_service_name() {
                halves.servers_by_service.entry((span.id, service)).or_insert(at);
            }
        }
        halves
    }

    fn parent_of(&self, at: usize, span: &MergedSpan<'a>) -> Option<usize> {
        if span.shared
            && let Some(&client) = self.clients.get(&span.id)
        {
            return Some(client);
        }
        let parent_id = span.parent_id?;
        let client = self.clients.get(&parent_id);
        let same_service = || self.servers_by_service.get(&(parent_id, span.local_service_name()?));
        let any_server = || client.is_none().then(|| self.servers.get(&parent_id)).flatten();
        let server = self.servers_by_endpoint.get(&(parent_id, span.local_endpoint));
        let found = server.or_else(same_service).or_else(any_server).or(client).copied();
        found.filter(|&found| found != at)
    }
}

/// Walks up from every span once; a walk that meets itself has found a ring, whose earliest span loses its parent.
fn cut_rings(spans: &[MergedSpan<'_>], parents: &mut [Option<usize>]) {
    let mut seen_by: Vec<Option<usize>> = vec![None; spans.len()];
    for start in 0..spans.len() {
        let mut at = Some(start);
        while let Some(here) = at.filter(|&here| seen_by[here].is_none()) {
            seen_by[here] = Some(start);
            at = parents[here];
        }
        let Some(ring) = at.filter(|&here| seen_by[here] == Some(start)) else { continue };
        let mut earliest = ring;
        let mut here = parents[ring];
        while let Some(member) = here.filter(|&member| member != ring) {
            if time_rank(&spans[member]) < time_rank(&spans[earliest]) {
                earliest = member;
            }
            here = parents[member];
        }
        parents[earliest] = None;
    }
}

/// Earlier first, without time last; then by id, the client's half first.
fn time_rank(span: &MergedSpan<'_>) -> (i64, u64, bool) {
    (span.timestamp_us.unwrap_or(i64::MAX), span.id.value(), span.shared)
}
