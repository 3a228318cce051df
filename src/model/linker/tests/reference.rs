//! A second linker for comparison: owned spans, lists searched from the front, no indexes.

use std::cmp::Ordering;

use crate::model::{DependencyLink, Endpoint, Span, SpanId, SpanKind};

pub(super) fn links(spans: &[Span]) -> Vec<DependencyLink> {
    let tree = Tree::new(merged(spans));
    let mut links: Vec<DependencyLink> = Vec::new();
    let mut count = |parent: &str, child: &str, error: bool| {
        let at = links.iter().position(|link| link.parent == parent && link.child == child).unwrap_or_else(|| {
            let (parent, child) = (parent.to_owned(), child.to_owned());
            links.push(DependencyLink { parent, child, call_count: 0, error_count: 0 });
            links.len() - 1
        });
        links[at].call_count += 1;
        links[at].error_count += u64::from(error);
    };
    for node in tree.levels() {
        for (parent, child, error) in tree.calls(node) {
            count(&parent, &child, error);
        }
    }
    links
}

fn merged(spans: &[Span]) -> Vec<Span> {
    let mut rest: Vec<Span> = spans.to_vec();
    rest.sort_by(compare);
    let mut result: Vec<Span> = Vec::new();
    while !rest.is_empty() {
        let mut span = rest.remove(0);
        while let Some(next) = rest.first() {
            if next.id != span.id || next.shared != span.shared || !agree(&span.local_endpoint, &next.local_endpoint) {
                break;
            }
            let next = rest.remove(0);
            span.parent_id = span.parent_id.or(next.parent_id);
            span.kind = span.kind.or(next.kind);
            span.timestamp_us = span.timestamp_us.or(next.timestamp_us);
            span.local_endpoint = filled(span.local_endpoint, next.local_endpoint);
            span.remote_endpoint = filled(span.remote_endpoint, next.remote_endpoint);
            span.tags.extend(next.tags);
        }
        if let Some(last) = result.last().filter(|last| last.id == span.id) {
            if last.kind == Some(SpanKind::Client) && span.kind == Some(SpanKind::Server) {
                span.shared = true;
            }
            if span.shared && span.parent_id.is_none() {
                span.parent_id = last.parent_id;
            }
        }
        result.push(span);
    }
    result
}

fn compare(a: &Span, b: &Span) -> Ordering {
    let half = |span: &Span| match (span.shared, span.kind) {
        (true, _) => 2,
        (false, Some(SpanKind::Client)) => 0,
        (false, _) => 1,
    };
    let endpoint = |span: &Span| {
        let text = |text: &Option<String>| (text.is_none(), text.clone().unwrap_or_default());
        span.local_endpoint.as_ref().map(|at| (text(&at.service_name), text(&at.ipv4), text(&at.ipv6)))
    };
    (a.id, half(a), endpoint(a)).cmp(&(b.id, half(b), endpoint(b)))
}

fn agree(a: &Option<Endpoint>, b: &Option<Endpoint>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    fn same<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    same(&a.service_name, &b.service_name) && same(&a.ipv4, &b.ipv4) && same(&a.ipv6, &b.ipv6) && same(&a.port, &b.port)
}

fn filled(a: Option<Endpoint>, b: Option<Endpoint>) -> Option<Endpoint> {
    let (Some(a), Some(b)) = (a.clone(), b.clone()) else { return a.or(b) };
    Some(Endpoint {
        service_name: a.service_name.or(b.service_name),
        ipv4: a.ipv4.or(b.ipv4),
        ipv6: a.ipv6.or(b.ipv6),
        port: a.port.or(b.port),
    })
}

/// A span's address: its id, and for shared ones the endpoint (or that there is none).
type Key = (SpanId, Option<Option<Endpoint>>);

struct Tree {
    spans: Vec<Span>,
    root: Option<usize>,
    /// (parent or none for what hangs at the missing root, child), siblings in order of time.
    edges: Vec<(Option<usize>, usize)>,
}

impl Tree {
    fn new(spans: Vec<Span>) -> Self {
        fn put<T>(map: &mut Vec<(Key, T)>, key: Key, value: T) {
            match map.iter_mut().find(|entry| entry.0 == key) {
                Some(entry) => entry.1 = value,
                None => map.push((key, value)),
            }
        }
        let key = |span: &Span| (span.id, span.shared.then(|| span.local_endpoint.clone()));
        let (mut parents, mut nodes, mut root) = (Vec::<(Key, Option<Key>)>::new(), Vec::<(Key, usize)>::new(), None);
        for span in &spans {
            let above = if span.shared { Some(span.id) } else { span.parent_id };
            put(&mut parents, key(span), above.map(|id| (id, None)));
        }
        for (at, span) in spans.iter().enumerate() {
            if span.shared {
                put(&mut nodes, key(span), at);
                put(&mut nodes, (span.id, Some(None)), at);
            } else if let Some(parent) = span.parent_id {
                let server = (parent, Some(span.local_endpoint.clone()));
                if parents.iter().any(|entry| entry.0 == server) {
                    put(&mut parents, key(span), Some(server));
                }
                put(&mut nodes, key(span), at);
            } else if root.is_none() {
                root = Some(at);
                parents.retain(|entry| entry.0 != key(span));
            } else {
                put(&mut nodes, key(span), at);
            }
        }
        let node = |key: &Key| nodes.iter().find(|entry| entry.0 == *key).map(|entry| entry.1);
        let above = |parent: &Option<Key>| parent.as_ref().and_then(node).or(root);
        let mut edges: Vec<(Option<usize>, usize)> =
            parents.iter().map(|(child, parent)| (above(parent), node(child).unwrap())).collect();
        edges.sort_by_key(|&(_, child)| spans[child].timestamp_us.unwrap_or(0));
        Self { spans, root, edges }
    }

    fn children(&self, parent: Option<usize>) -> Vec<usize> {
        self.edges.iter().filter(|edge| edge.0 == parent).map(|edge| edge.1).collect()
    }

    fn levels(&self) -> Vec<usize> {
        let mut order = self.root.map_or_else(|| self.children(None), |root| vec![root]);
        let mut at = 0;
        while at < order.len() {
            order.extend(self.children(Some(order[at])));
            at += 1;
        }
        order
    }

    fn remote_ancestor(&self, mut node: usize) -> Option<&Span> {
        loop {
            node = self.edges.iter().find(|edge| edge.1 == node)?.0?;
            if self.spans[node].kind.is_some() {
                return Some(&self.spans[node]);
            }
        }
    }

    fn calls(&self, node: usize) -> Vec<(String, String, bool)> {
        let span = &self.spans[node];
        let name = |endpoint: &Option<Endpoint>| endpoint.as_ref().and_then(|endpoint| endpoint.service_name.clone());
        let (local, remote) = (name(&span.local_endpoint), name(&span.remote_endpoint));
        let failed = |span: &Span| span.tags.iter().any(|tag| tag.0 == "error");
        let mut calls = Vec::new();
        let kind = match span.kind {
            Some(SpanKind::Client) if !self.children(Some(node)).is_empty() => return calls,
            None if local.is_none() || remote.is_none() => return calls,
            kind => kind.unwrap_or(SpanKind::Client),
        };
        let answers = matches!(kind, SpanKind::Server | SpanKind::Consumer);
        let (mut parent, child) = if answers { (remote, local.clone()) } else { (local.clone(), remote) };
        if answers && Some(node) == self.root && parent.is_none() {
            return calls;
        }
        let mut error = failed(span);
        if matches!(kind, SpanKind::Client | SpanKind::Server)
            && let Some(ancestor) = self.remote_ancestor(node)
            && let Some(ancestor_name) = name(&ancestor.local_endpoint)
        {
            if kind == SpanKind::Client && local.as_ref().is_some_and(|local| *local != ancestor_name) {
                calls.push((ancestor_name.clone(), local.unwrap(), false));
            }
            if kind == SpanKind::Server || parent.is_none() {
                parent = Some(ancestor_name);
            }
            if ancestor.kind == Some(SpanKind::Client) && span.parent_id == Some(ancestor.id) {
                error |= failed(ancestor);
            }
        }
        if let (Some(parent), Some(child)) = (parent, child) {
            calls.push((parent, child, error));
        }
        calls
    }
}
