//! The tree of a trace: who called whom.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::merge::{MergedSpan, MergedTrace};
use super::{EndpointRef, SpanId};

/// How a span is addressed: by its id, or for the shared half by id and local endpoint, because several servers may
/// answer one client's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Own(SpanId),
    Shared(SpanId, Option<EndpointRef<'a>>),
}

/// What stands at a key: the place of its edge among all edges, and the span reached by it.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    edge: Option<u32>,
    span: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Edge<'a> {
    child: Key<'a>,
    parent: Option<Key<'a>>,
}

/// Spans of a trace as a tree, by their index in [`MergedTrace::spans`]. Built in `O(n log n)`, without recursion.
///
/// The root is the first span without parent; without such a span the trace is headless and has tops only. Spans that
/// reach each other in a circle, and those that lost their id to another span, are not part of the tree.
#[derive(Debug)]
pub struct TraceTree {
    root: Option<usize>,
    /// Parent of each span; none for the root, the tops and spans outside the tree.
    parents: Vec<Option<u32>>,
    /// Children of span `i` are `children[starts[i]..starts[i + 1]]`; the last group belongs to the missing root.
    starts: Vec<u32>,
    children: Vec<u32>,
}

impl TraceTree {
    /// Places every span.
    #[must_use]
    pub fn build(trace: &MergedTrace<'_>) -> Self {
        let spans = trace.spans();
        let mut places = Places::default();
        spans.iter().for_each(|span| places.index(span));
        spans.iter().enumerate().for_each(|(at, span)| places.place(at as u32, span));
        places.into_tree(spans)
    }

    /// The span without parent that leads the tree.
    #[must_use]
    pub fn root(&self) -> Option<usize> {
        self.root
    }

    /// The uppermost spans: the root, or in a headless trace all spans whose parent is unknown.
    #[must_use]
    pub fn tops(&self) -> &[u32] {
        // The group after the last span: the root itself, or the children of the one that is missing.
        self.group(self.parents.len())
    }

    /// Children of a span by time (none counts as the earliest).
    #[must_use]
    pub fn children(&self, span: usize) -> &[u32] {
        if span < self.parents.len() { self.group(span) } else { &[] }
    }

    /// The parent of a span.
    #[must_use]
    pub fn parent(&self, span: usize) -> Option<usize> {
        self.parents.get(span).copied().flatten().map(|parent| parent as usize)
    }

    /// Every span of the tree, level by level.
    #[must_use]
    pub fn breadth_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::with_capacity(self.parents.len());
        order.extend(self.tops().iter().map(|&span| span as usize));
        let mut at = 0;
        // Each span is the child of one group only, so no span is met twice and circles are never entered.
        while let Some(&span) = order.get(at) {
            order.extend(self.children(span).iter().map(|&child| child as usize));
            at += 1;
        }
        order
    }

    fn group(&self, at: usize) -> &[u32] {
        let bound = |at: usize| self.starts.get(at).map_or(self.children.len(), |&start| start as usize);
        self.children.get(bound(at)..bound(at + 1)).unwrap_or_default()
    }
}

/// The work of [`TraceTree::build`]. Keys, edges and their order follow zipkin step by step, because links depend on it
/// also where ids are used twice.
#[derive(Debug, Default)]
struct Places<'a> {
    slots: HashMap<Key<'a>, Slot, foldhash::fast::RandomState>,
    /// In order of first appearance; an edge that was taken out is `None`.
    edges: Vec<Option<Edge<'a>>>,
    root: Option<u32>,
}

impl<'a> Places<'a> {
    fn index(&mut self, span: &MergedSpan<'a>) {
        if span.shared {
            self.put_edge(Key::Shared(span.id, span.local_endpoint), Some(Key::Own(span.id)));
        } else {
            self.put_edge(Key::Own(span.id), span.parent_id.map(Key::Own));
        }
    }

    fn place(&mut self, at: u32, span: &MergedSpan<'a>) {
        if span.shared {
            self.put_span(Key::Shared(span.id, span.local_endpoint), at);
            // Spans below may lack the endpoint that tells which server they belong to.
            self.put_span(Key::Shared(span.id, None), at);
            return;
        }
        let own = Key::Own(span.id);
        match span.parent_id {
            Some(parent_id) => {
                let server_half = Key::Shared(parent_id, span.local_endpoint);
                if self.slots.get(&server_half).is_some_and(|slot| slot.edge.is_some()) {
                    self.put_edge(own, Some(server_half));
                }
                self.put_span(own, at);
            }
            None if self.root.is_none() => {
                self.root = Some(at);
                if let Some(edge) = self.slots.get_mut(&own).and_then(|slot| slot.edge.take()) {
                    self.edges[edge as usize] = None;
                }
            }
            None => self.put_span(own, at),
        }
    }

    fn put_edge(&mut self, child: Key<'a>, parent: Option<Key<'a>>) {
        let edge = Some(Edge { child, parent });
        let slot = match self.slots.entry(child) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => slot.insert(Slot::default()),
        };
        match slot.edge {
            Some(known) => self.edges[known as usize] = edge,
            None => {
                slot.edge = Some(self.edges.len() as u32);
                self.edges.push(edge);
            }
        }
    }

    fn put_span(&mut self, key: Key<'a>, at: u32) {
        self.slots.entry(key).or_default().span = Some(at);
    }

    fn span_at(&self, key: Key<'a>) -> Option<u32> {
        self.slots.get(&key).and_then(|slot| slot.span)
    }

    fn into_tree(self, spans: &[MergedSpan<'a>]) -> TraceTree {
        let missing_root = spans.len() as u32;
        let above = self.root.unwrap_or(missing_root);
        let mut parents = vec![None; spans.len()];
        let mut placed: Vec<(u32, u32)> = Vec::with_capacity(spans.len());
        placed.extend(self.root.map(|root| (missing_root, root)));
        for edge in self.edges.iter().flatten() {
            let Some(child) = self.span_at(edge.child) else { continue };
            let parent = edge.parent.and_then(|key| self.span_at(key)).unwrap_or(above);
            let seat: &mut Option<u32> = &mut parents[child as usize];
            if seat.is_none() {
                *seat = Some(parent);
                placed.push((parent, child));
            }
        }
        let timestamp = |span: u32| spans[span as usize].timestamp_us.unwrap_or(0);
        placed.sort_by_key(|&(parent, child)| (parent, timestamp(child)));
        let mut starts = Vec::with_capacity(spans.len() + 2);
        for (at, &(parent, _)) in placed.iter().enumerate() {
            while starts.len() <= parent as usize {
                starts.push(at as u32);
            }
        }
        starts.resize(spans.len() + 2, placed.len() as u32);
        parents.iter_mut().for_each(|parent| *parent = parent.filter(|&parent| parent != missing_root));
        TraceTree {
            root: self.root.map(|root| root as usize),
            parents,
            starts,
            children: placed.into_iter().map(|(_, child)| child).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
