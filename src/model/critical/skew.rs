//! Clock skew as zipkin's UI corrects it: when a server on another host starts not after its client, the server's clock
//! is behind. Its spans move so that the server lies in the middle of its client's time.

use super::calls::Calls;
use crate::model::{EndpointRef, MergedSpan, MergedTrace, SpanKind};

/// How far the clock of an endpoint is ahead of its client's, negative when behind.
#[derive(Clone, Copy, Debug)]
struct Skew<'a> {
    endpoint: EndpointRef<'a>,
    ahead_us: f64,
}

/// Microseconds to add to the times of each span of `trace`. All zero when nothing can be compared: without a root, or
/// with a second one.
pub(super) fn skew_shifts_us(trace: &MergedTrace<'_>, calls: &Calls) -> Vec<f64> {
    let spans = trace.spans();
    let mut shifts = vec![0.0; spans.len()];
    if calls.root.is_none() || calls.has_second_root {
        return shifts;
    }
    let mut inherited: Vec<Option<Skew<'_>>> = vec![None; spans.len()];
    for at in calls.parents_first() {
        let Some(parent_at) = calls.parent(at) else { continue };
        let (span, parent) = (&spans[at], &spans[parent_at]);
        let mut skew = inherited[parent_at];
        if let Some(known) = skew
            && same_address(Some(known.endpoint), span.local_endpoint)
        {
            shifts[at] = -known.ahead_us;
        }
        if let Some(own) = skew_between((parent, shifts[parent_at]), (span, shifts[at])) {
            shifts[at] -= own.ahead_us;
            skew = Some(own);
        }
        inherited[at] = skew;
    }
    shifts
}

fn skew_between<'a>(client: (&MergedSpan<'a>, f64), server: (&MergedSpan<'a>, f64)) -> Option<Skew<'a>> {
    let ((client, client_shift_us), (server, server_shift_us)) = (client, server);
    if client.kind != Some(SpanKind::Client) || server.kind != Some(SpanKind::Server) {
        return None;
    }
    let client_start_us = client.timestamp_us? as f64 + client_shift_us;
    let server_start_us = server.timestamp_us? as f64 + server_shift_us;
    let endpoint = server.local_endpoint?;
    // Without an address nothing could be told to run on the same host.
    let comparable = client.local_endpoint.is_some() && (endpoint.ipv4.is_some() || endpoint.ipv6.is_some());
    if server_start_us > client_start_us || !comparable || same_address(Some(endpoint), client.local_endpoint) {
        return None;
    }
    let latency_us = match (client.duration_us, server.duration_us) {
        (Some(client_us), Some(server_us)) if client_us >= server_us => (client_us - server_us) as f64 / 2.0,
        _ => 1.0,
    };
    let ahead_us = server_start_us - latency_us - client_start_us;
    (ahead_us != 0.0).then_some(Skew { endpoint, ahead_us })
}

fn same_address(a: Option<EndpointRef<'_>>, b: Option<EndpointRef<'_>>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    (a.ipv6.is_some() && a.ipv6 == b.ipv6) || (a.ipv4.is_some() && a.ipv4 == b.ipv4)
}
