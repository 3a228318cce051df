//! What one trace counts for.

use super::{MINUTE_US, RedKeyRef};
use crate::model::linker::link_merged;
use crate::model::merge::{MergedSpan, MergedTrace, merge};
use crate::model::tree::TraceTree;
use crate::model::{Call, SpanKind, SpanRef};

/// One request, span or call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedSample<'a> {
    /// Where it counts.
    pub key: RedKeyRef<'a>,
    /// When it began, in minutes since the epoch.
    pub minute: i64,
    /// How long it took, if that is known.
    pub duration_us: Option<i64>,
    /// It failed.
    pub is_error: bool,
}

/// Gives everything that the spans of one trace count for to `emit`. Spans as for
/// [`link_trace`](crate::model::link_trace); no recursion, `O(n log n)`.
pub fn red_of_trace<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>, emit: impl FnMut(RedSample<'a>)) {
    red_and_calls_of_trace(spans, emit, |_| {});
}

/// As [`red_of_trace`], and gives to `on_call` what [`link_trace`](crate::model::link_trace) would: the trace is merged once for
/// both.
pub(super) fn red_and_calls_of_trace<'a>(
    spans: impl IntoIterator<Item = SpanRef<'a>>,
    mut emit: impl FnMut(RedSample<'a>),
    mut on_call: impl FnMut(Call<'a>),
) {
    let trace = merge(spans);
    let tree = TraceTree::build(&trace);
    for (at, span) in trace.spans().iter().enumerate() {
        let (Some(minute), Some(service)) = (minute_of(span), span.local_service_name()) else { continue };
        let is_request = is_request(&trace, &tree, at);
        if !is_request && span.name.is_none() {
            continue;
        }
        let is_error = trace.has_tag(span, "error");
        let mut count = |key| emit(RedSample { key, minute, duration_us: span.duration_us, is_error });
        if is_request {
            count(RedKeyRef::Service { service });
        }
        if let Some(name) = span.name {
            count(RedKeyRef::Span { service, name, kind: span.kind });
        }
    }
    link_merged(&trace, &tree, |call, at, is_measured| {
        on_call(call);
        let span = &trace.spans()[at];
        let Some(minute) = minute_of(span) else { return };
        let key = RedKeyRef::Edge { parent: call.parent, child: call.child };
        let duration_us = span.duration_us.filter(|_| is_measured);
        emit(RedSample { key, minute, duration_us, is_error: call.is_error });
    });
}

fn minute_of(span: &MergedSpan<'_>) -> Option<i64> {
    span.timestamp_us.map(|timestamp_us| timestamp_us.div_euclid(MINUTE_US))
}

/// Whether a span stands for a request that its service answered.
fn is_request(trace: &MergedTrace<'_>, tree: &TraceTree, at: usize) -> bool {
    let span = &trace.spans()[at];
    match span.kind {
        Some(SpanKind::Server | SpanKind::Consumer) => true,
        Some(SpanKind::Client | SpanKind::Producer) => false,
        None if span.parent_id.is_none() => true,
        None => tree.parent(at).map(|parent| &trace.spans()[parent]).is_some_and(|parent| {
            // Spans whose parent is missing hang below the root; the root did not call them.
            let is_true_parent = Some(parent.id) == span.parent_id || (span.shared && parent.id == span.id);
            let caller = parent.local_service_name();
            is_true_parent && caller.is_some() && caller != span.local_service_name()
        }),
    }
}
