//! Writing answers exactly as zipkin 3.6 does: compact, members in its order, absent when empty.

use crate::codec::json::write::{write_hex, write_name, write_number, write_string};
use crate::model::{DependencyLink, EndpointRef, SpanBatch, SpanRef, TraceId};

/// Appends a list of spans.
pub fn write_spans(spans: &SpanBatch, out: &mut Vec<u8>) {
    write_list(out, spans.iter(), |out, span| write_span(out, &span));
}

/// Appends a list of traces, each a list of spans.
pub fn write_traces(traces: &[SpanBatch], out: &mut Vec<u8>) {
    write_list(out, traces.iter(), |out, trace| write_spans(trace, out));
}

/// Appends a list of names (services, spans, autocomplete): zipkin escapes these differently from spans.
pub fn write_names(names: &[String], out: &mut Vec<u8>) {
    write_list(out, names.iter(), |out, name| write_name(out, name));
}

/// Appends a list of dependency links.
pub fn write_links(links: &[DependencyLink], out: &mut Vec<u8>) {
    write_list(out, links.iter(), |out, link| {
        out.extend_from_slice(b"{\"parent\":");
        write_string(out, &link.parent);
        out.extend_from_slice(b",\"child\":");
        write_string(out, &link.child);
        out.extend_from_slice(b",\"callCount\":");
        write_count(out, link.call_count);
        if link.error_count > 0 {
            out.extend_from_slice(b",\"errorCount\":");
            write_count(out, link.error_count);
        }
        out.push(b'}');
    });
}

fn write_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn write_span(out: &mut Vec<u8>, span: &SpanRef<'_>) {
    out.extend_from_slice(b"{\"traceId\":");
    write_trace_id(out, span.trace_id);
    if let Some(parent_id) = span.parent_id {
        out.extend_from_slice(b",\"parentId\":");
        write_id(out, parent_id.value());
    }
    out.extend_from_slice(b",\"id\":");
    write_id(out, span.id.value());
    if let Some(kind) = span.kind {
        out.extend_from_slice(b",\"kind\":\"");
        out.extend_from_slice(kind.as_str().as_bytes());
        out.push(b'"');
    }
    if let Some(name) = span.name {
        out.extend_from_slice(b",\"name\":");
        write_string(out, name);
    }
    if let Some(timestamp_us) = span.timestamp_us {
        out.extend_from_slice(b",\"timestamp\":");
        write_number(out, timestamp_us);
    }
    if let Some(duration_us) = span.duration_us {
        out.extend_from_slice(b",\"duration\":");
        write_number(out, duration_us);
    }
    write_endpoint(out, b",\"localEndpoint\":", span.local_endpoint);
    write_endpoint(out, b",\"remoteEndpoint\":", span.remote_endpoint);
    write_annotations(out, span);
    write_tags(out, span);
    if span.debug {
        out.extend_from_slice(b",\"debug\":true");
    }
    if span.shared {
        out.extend_from_slice(b",\"shared\":true");
    }
    out.push(b'}');
}

fn write_trace_id(out: &mut Vec<u8>, trace_id: TraceId) {
    out.push(b'"');
    if trace_id.is_128_bit() {
        write_hex(out, trace_id.high());
    }
    write_hex(out, trace_id.low());
    out.push(b'"');
}

fn write_id(out: &mut Vec<u8>, id: u64) {
    out.push(b'"');
    write_hex(out, id);
    out.push(b'"');
}

/// Counts stay far below 2^63; one beyond would be written as the largest number.
fn write_count(out: &mut Vec<u8>, count: u64) {
    write_number(out, i64::try_from(count).unwrap_or(i64::MAX));
}

fn write_endpoint(out: &mut Vec<u8>, member: &[u8], endpoint: Option<EndpointRef<'_>>) {
    let Some(endpoint) = endpoint else { return };
    out.extend_from_slice(member);
    let mut opening = b'{';
    let mut begin = |out: &mut Vec<u8>, name: &[u8]| {
        out.push(std::mem::replace(&mut opening, b','));
        out.extend_from_slice(name);
    };
    if let Some(service_name) = endpoint.service_name {
        begin(out, b"\"serviceName\":");
        write_string(out, service_name);
    }
    if let Some(ipv4) = endpoint.ipv4 {
        begin(out, b"\"ipv4\":");
        write_string(out, ipv4);
    }
    if let Some(ipv6) = endpoint.ipv6 {
        begin(out, b"\"ipv6\":");
        write_string(out, ipv6);
    }
    if let Some(port) = endpoint.port {
        begin(out, b"\"port\":");
        write_number(out, port.into());
    }
    out.push(b'}');
}

fn write_annotations(out: &mut Vec<u8>, span: &SpanRef<'_>) {
    let mut annotations = span.annotations().peekable();
    if annotations.peek().is_none() {
        return;
    }
    out.extend_from_slice(b",\"annotations\":");
    write_list(out, annotations, |out, (timestamp_us, value)| {
        out.extend_from_slice(b"{\"timestamp\":");
        write_number(out, timestamp_us);
        out.extend_from_slice(b",\"value\":");
        write_string(out, value);
        out.push(b'}');
    });
}

fn write_tags(out: &mut Vec<u8>, span: &SpanRef<'_>) {
    let mut opening: &[u8] = b",\"tags\":{";
    for (key, value) in span.tags() {
        out.extend_from_slice(std::mem::replace(&mut opening, b","));
        write_string(out, key);
        out.push(b':');
        write_string(out, value);
    }
    if opening == b"," {
        out.push(b'}');
    }
}
