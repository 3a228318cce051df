//! The critical path of a trace: what its root waited for, from its end backwards.

use hashbrown::HashMap;

use self::calls::Calls;
use self::skew::skew_shifts_us;
use super::{MergedTrace, SpanKind};

mod calls;
mod skew;

/// Shares of services in the critical path, 0 to 1, in no order; empty for a trace whose root has no time.
///
/// The path's segments partition the time of the root (of the whole trace when no root was received), with clock skew
/// corrected. A call of two halves counts for the server, whatever the client waited beside its children included.
/// Takes `O(n log n)` time and recurses nowhere.
#[must_use]
pub fn critical_shares<'a>(trace: &MergedTrace<'a>) -> Vec<(&'a str, f64)> {
    let rows = Rows::of(trace);
    let (Some(root), mut path) = (rows.root(), Path::default()) else { return Vec::new() };
    path.walk(&rows, root);
    let mut shares: HashMap<&'a str, f64> = HashMap::new();
    for (row, own_us) in path.own_us {
        if let Some(service) = rows.services.get(row).copied().flatten() {
            *shares.entry(service).or_default() += own_us / root.length_us();
        }
    }
    shares.into_iter().collect()
}

/// A stretch of time: from, to.
#[derive(Clone, Copy, Debug)]
struct Interval {
    from_us: f64,
    to_us: f64,
}

impl Interval {
    fn length_us(self) -> f64 {
        self.to_us - self.from_us
    }

    fn widened_by(self, other: Self) -> Self {
        Self { from_us: self.from_us.min(other.from_us), to_us: self.to_us.max(other.to_us) }
    }

    fn cut_to(self, outer: Self) -> Option<Self> {
        let cut = Self { from_us: self.from_us.max(outer.from_us), to_us: self.to_us.min(outer.to_us) };
        (cut.length_us() > 0.0).then_some(cut)
    }
}

/// Calls: the halves of a call are one row, found at the place of its client's half. The place behind the last span
/// stands for a missing root.
#[derive(Debug)]
struct Rows<'a> {
    times: Vec<Option<Interval>>,
    services: Vec<Option<&'a str>>,
    names: Vec<Option<&'a str>>,
    /// Synchronous children of each row.
    children: Vec<Vec<u32>>,
    root: usize,
}

impl<'a> Rows<'a> {
    fn of(trace: &MergedTrace<'a>) -> Self {
        let spans = trace.spans();
        let calls = Calls::of(trace);
        let shifts_us = skew_shifts_us(trace, &calls);
        let missing = spans.len();
        let root = calls.root.unwrap_or(missing);
        let inner = server_halves(trace, &calls);
        let start = |at: usize| spans[at].timestamp_us.map(|start_us| start_us as f64 + shifts_us[at]);
        let mut rows = Self {
            times: vec![None; missing + 1],
            services: vec![None; missing + 1],
            names: spans.iter().map(|span| span.name).collect(),
            children: vec![Vec::new(); missing + 1],
            root,
        };
        // A half inside its client's row stands for that row as a parent.
        let row_of = |at: usize| match calls.parent(at) {
            Some(parent) if inner[parent] == Some(at) => parent,
            _ => at,
        };
        let mut extent: Option<Interval> = None;
        for at in calls.parents_first() {
            if let Some(from_us) = start(at) {
                let time = Interval { from_us, to_us: from_us + spans[at].duration_us.unwrap_or(0) as f64 };
                extent = Some(extent.map_or(time, |known| known.widened_by(time)));
            }
            if row_of(at) != at {
                continue;
            }
            let half = inner[at];
            let duration_us = spans[at].duration_us.or_else(|| half.and_then(|half| spans[half].duration_us));
            let start_us = start(at).or_else(|| half.and_then(start));
            rows.times[at] = start_us
                .zip(duration_us)
                .map(|(from_us, duration_us)| Interval { from_us, to_us: from_us + duration_us as f64 });
            rows.services[at] =
                half.and_then(|half| spans[half].local_service_name()).or(spans[at].local_service_name());
            // Beside a root that was received, what has no parent is no part of what the root waited for.
            let above = match calls.parent(at) {
                Some(parent) => row_of(parent),
                None if root == missing => missing,
                None => continue,
            };
            let taken_later = half.is_none() && spans[at].kind == Some(SpanKind::Consumer);
            if !taken_later || above == missing {
                rows.children[above].push(at as u32);
            }
        }
        rows.times[missing] = extent;
        rows
    }

    fn root(&self) -> Option<Interval> {
        self.times[self.root].filter(|time| time.length_us() > 0.0)
    }

    /// The children of a row that end within `outer`, the latest end last, because they are taken from the back.
    fn waited_for(&self, row: usize, outer: Interval) -> Vec<(u32, Interval)> {
        let within = |child: &u32| self.times[*child as usize]?.cut_to(outer).map(|time| (*child, time));
        let mut children: Vec<_> = self.children[row].iter().filter_map(within).collect();
        let start_us = |row: u32| self.times[row as usize].map_or(0.0, |time| time.from_us);
        let name = |row: u32| self.names[row as usize];
        children.sort_by(|&(a, a_time), &(b, b_time)| {
            let by_start = || start_us(b).total_cmp(&start_us(a));
            a_time
                .to_us
                .total_cmp(&b_time.to_us)
                .then_with(by_start)
                .then_with(|| name(b).cmp(&name(a)))
                .then(b.cmp(&a))
        });
        children
    }
}

/// For each span the server's half that shares its row: the earliest of its id below it.
fn server_halves(trace: &MergedTrace<'_>, calls: &Calls) -> Vec<Option<usize>> {
    let spans = trace.spans();
    let mut inner: Vec<Option<usize>> = vec![None; spans.len()];
    let started = |at: usize| spans[at].timestamp_us.unwrap_or(i64::MAX);
    for (at, span) in spans.iter().enumerate() {
        let Some(client) = calls.parent(at).filter(|&parent| span.shared && spans[parent].id == span.id) else {
            continue;
        };
        if !spans[client].shared && inner[client].is_none_or(|known| started(at) < started(known)) {
            inner[client] = Some(at);
        }
    }
    inner
}

/// A row on the way, and its children not yet looked at.
#[derive(Debug)]
struct Frame {
    row: usize,
    time: Interval,
    cursor_us: f64,
    children: Vec<(u32, Interval)>,
}

/// What each row on the path adds to it.
#[derive(Debug, Default)]
struct Path {
    own_us: Vec<(usize, f64)>,
}

impl Path {
    fn walk(&mut self, rows: &Rows<'_>, root: Interval) {
        let frame =
            |row, time: Interval| Frame { row, time, cursor_us: time.to_us, children: rows.waited_for(row, time) };
        let mut stack = vec![frame(rows.root, root)];
        while let Some(top) = stack.last_mut() {
            // A child that still runs at the cursor was not waited for.
            let next = std::iter::from_fn(|| top.children.pop()).find(|(_, time)| time.to_us <= top.cursor_us);
            let (upto_us, row) = (next.map_or(top.time.from_us, |(_, time)| time.to_us), top.row);
            self.add(row, top.cursor_us - upto_us);
            match next {
                Some((child, time)) => {
                    top.cursor_us = time.from_us;
                    stack.push(frame(child as usize, time));
                }
                None => drop(stack.pop()),
            }
        }
    }

    fn add(&mut self, row: usize, own_us: f64) {
        if own_us > 0.0 {
            self.own_us.push((row, own_us));
        }
    }
}

#[cfg(test)]
mod tests;
