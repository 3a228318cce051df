//! Which service called which: dependency links out of traces, by zipkin's rules.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::merge::{MergedTrace, merge};
use super::tree::TraceTree;
use super::{DependencyLink, SpanKind, SpanRef};

/// Counts the links of many traces, in the order in which they are first met.
#[derive(Debug, Default)]
pub struct DependencyLinker {
    links: Vec<DependencyLink>,
    /// Indexes of `links`, hashed by parent and child.
    known: HashTable<u32>,
    hasher: RandomState,
}

impl DependencyLinker {
    /// No links.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the links of one trace: all spans of one low 64-bit trace id, in the order of
    /// [`arrival_order`](super::arrival_order).
    pub fn put_trace<'a>(&mut self, spans: impl IntoIterator<Item = SpanRef<'a>>) {
        link_trace(spans, |call| self.add(call.parent, call.child, 1, u64::from(call.is_error)));
    }

    /// Counts calls that were linked elsewhere.
    pub fn add(&mut self, parent: &str, child: &str, calls: u64, errors: u64) {
        let Self { links, known, hasher } = self;
        let hash = hasher.hash_one((parent, child));
        let found = known.find(hash, |&at| {
            let link = &links[at as usize];
            link.parent == parent && link.child == child
        });
        if let Some(&at) = found {
            let link = &mut links[at as usize];
            link.call_count += calls;
            link.error_count += errors;
            return;
        }
        known.insert_unique(hash, links.len() as u32, |&at| {
            let link = &links[at as usize];
            hasher.hash_one((link.parent.as_str(), link.child.as_str()))
        });
        links.push(DependencyLink {
            parent: parent.to_owned(),
            child: child.to_owned(),
            call_count: calls,
            error_count: errors,
        });
    }

    /// The links, in the order in which they were first met.
    #[must_use]
    pub fn into_links(self) -> Vec<DependencyLink> {
        self.links
    }
}

/// One call between two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Lower-case name of the service that called.
    pub parent: &'a str,
    /// Lower-case name of the service that was called.
    pub child: &'a str,
    /// The call failed.
    pub is_error: bool,
}

/// Gives every call that the spans of one trace tell of to `emit`, in zipkin's order. Spans as for
/// [`DependencyLinker::put_trace`]; no recursion, `O(n log n)`.
pub fn link_trace<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>, mut emit: impl FnMut(Call<'a>)) {
    let trace = merge(spans);
    link_merged(&trace, &TraceTree::build(&trace), |call, _, _| emit(call));
}

/// As [`link_trace`] for a trace that was merged before. Beside a call `emit` gets the place of the span that tells of it
/// and whether that span's duration is the call's.
pub(super) fn link_merged<'a>(trace: &MergedTrace<'a>, tree: &TraceTree, mut emit: impl FnMut(Call<'a>, usize, bool)) {
    // Nearest ancestor with a kind, filled from the top down.
    let mut remote_ancestors: Vec<Option<usize>> = vec![None; trace.spans().len()];
    for at in tree.breadth_first() {
        remote_ancestors[at] = tree.parent(at).and_then(|parent| {
            if trace.spans()[parent].kind.is_some() { Some(parent) } else { remote_ancestors[parent] }
        });
        link_span(trace, tree, at, remote_ancestors[at], &mut |call, is_measured| emit(call, at, is_measured));
    }
}

fn link_span<'a>(
    trace: &MergedTrace<'a>,
    tree: &TraceTree,
    at: usize,
    remote_ancestor: Option<usize>,
    emit: &mut impl FnMut(Call<'a>, bool),
) {
    let span = &trace.spans()[at];
    let (local, remote) = (span.local_service_name(), span.remote_service_name());
    if span.kind == Some(SpanKind::Client) && !tree.children(at).is_empty() {
        return; // the server's name is the better one
    }
    // Who knows both sides but not its kind is taken for a client.
    let both = local.is_some() && remote.is_some();
    let Some(kind) = span.kind.or(both.then_some(SpanKind::Client)) else { return };
    let (mut parent, child) = match kind {
        SpanKind::Server | SpanKind::Consumer => (remote, local),
        SpanKind::Client | SpanKind::Producer => (local, remote),
    };
    let is_answer = matches!(kind, SpanKind::Server | SpanKind::Consumer);
    if is_answer && tree.root() == Some(at) && parent.is_none() {
        return; // whoever called the root is unknown
    }
    let mut is_error = trace.has_tag(span, "error");
    if matches!(kind, SpanKind::Producer | SpanKind::Consumer) {
        if let (Some(parent), Some(child)) = (parent, child) {
            emit(Call { parent, child, is_error }, true);
        }
        return;
    }
    let ancestor = remote_ancestor.map(|ancestor| &trace.spans()[ancestor]);
    if let Some((ancestor, name)) = ancestor.and_then(|span| Some((span, span.local_service_name()?))) {
        if let (SpanKind::Client, Some(local)) = (kind, local)
            && local != name
        {
            // The call that led here was not recorded by a server span; whether it failed is unknown.
            emit(Call { parent: name, child: local, is_error: false }, false);
        }
        if kind == SpanKind::Server || parent.is_none() {
            parent = Some(name);
        }
        let split_call = ancestor.kind == Some(SpanKind::Client) && span.parent_id == Some(ancestor.id);
        is_error = is_error || (split_call && trace.has_tag(ancestor, "error"));
    }
    if let (Some(parent), Some(child)) = (parent, child) {
        emit(Call { parent, child, is_error }, true);
    }
}

#[cfg(test)]
mod tests;
