//! Writers of JSON v1 and thrift. The server never writes these, but tests compare what it reads.

use crate::codec::json::write::{write_hex, write_number, write_string};
use crate::model::v1::{V1BinaryAnnotation, V1Span, V1Value};
use crate::model::{Endpoint, ipv4_bytes};

pub(crate) fn json_v1(spans: &[V1Span]) -> Vec<u8> {
    let mut out = Vec::new();
    list(&mut out, spans, json_span);
    out
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b"," } else { b"" });
        write(out, item);
    }
    out.push(b']');
}

fn member(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(out, name);
    out.push(b':');
}

fn json_span(out: &mut Vec<u8>, span: &V1Span) {
    out.push(b'{');
    member(out, "traceId");
    write_string(out, &span.trace_id.to_string());
    if let Some(parent_id) = span.parent_id {
        member(out, "parentId");
        write_string(out, &parent_id.to_string());
    }
    member(out, "id");
    out.push(b'"');
    write_hex(out, span.id.value());
    out.push(b'"');
    member(out, "name");
    write_string(out, &span.name);
    member(out, "timestamp");
    write_number(out, span.timestamp_us);
    member(out, "duration");
    write_number(out, span.duration_us);
    member(out, "annotations");
    list(out, &span.annotations, |out, annotation| {
        out.push(b'{');
        member(out, "timestamp");
        write_number(out, annotation.timestamp_us);
        member(out, "value");
        write_string(out, &annotation.value);
        json_endpoint(out, annotation.endpoint.as_deref());
        out.push(b'}');
    });
    member(out, "binaryAnnotations");
    list(out, &span.binary_annotations, |out, binary| {
        out.push(b'{');
        member(out, "key");
        write_string(out, &binary.key);
        member(out, "value");
        match &binary.value {
            V1Value::Text(text) => write_string(out, text),
            V1Value::Address => out.extend_from_slice(b"true"),
        }
        json_endpoint(out, binary.endpoint.as_deref());
        out.push(b'}');
    });
    member(out, "debug");
    out.extend_from_slice(if span.debug { b"true}" } else { b"false}" });
}

fn json_endpoint(out: &mut Vec<u8>, endpoint: Option<&Endpoint>) {
    let Some(endpoint) = endpoint else { return };
    member(out, "endpoint");
    out.push(b'{');
    for (name, text) in [("serviceName", &endpoint.service_name), ("ipv4", &endpoint.ipv4), ("ipv6", &endpoint.ipv6)] {
        if let Some(text) = text {
            member(out, name);
            write_string(out, text);
        }
    }
    if let Some(port) = endpoint.port {
        member(out, "port");
        write_number(out, port.into());
    }
    out.push(b'}');
}

pub(crate) fn thrift(spans: &[V1Span]) -> Vec<u8> {
    let mut out = Vec::new();
    structs(&mut out, spans, thrift_span);
    out
}

fn structs<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(12);
    out.extend_from_slice(&(items.len() as i32).to_be_bytes());
    for item in items {
        write(out, item);
        out.push(0);
    }
}

fn field(out: &mut Vec<u8>, field_type: u8, number: u8, value: &[u8]) {
    out.extend_from_slice(&[field_type, 0, number]);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, number: u8, text: &[u8]) {
    field(out, 11, number, &(text.len() as i32).to_be_bytes());
    out.extend_from_slice(text);
}

fn thrift_span(out: &mut Vec<u8>, span: &V1Span) {
    field(out, 10, 1, &span.trace_id.low().to_be_bytes());
    text(out, 3, span.name.as_bytes());
    field(out, 10, 4, &span.id.value().to_be_bytes());
    if let Some(parent_id) = span.parent_id {
        field(out, 10, 5, &parent_id.value().to_be_bytes());
    }
    field(out, 15, 6, &[]);
    structs(out, &span.annotations, |out, annotation| {
        field(out, 10, 1, &annotation.timestamp_us.to_be_bytes());
        text(out, 2, annotation.value.as_bytes());
        thrift_endpoint(out, 3, annotation.endpoint.as_deref());
    });
    field(out, 15, 8, &[]);
    structs(out, &span.binary_annotations, thrift_binary);
    field(out, 2, 9, &[span.debug.into()]);
    field(out, 10, 10, &span.timestamp_us.to_be_bytes());
    field(out, 10, 11, &span.duration_us.to_be_bytes());
    field(out, 10, 12, &span.trace_id.high().to_be_bytes());
}

fn thrift_binary(out: &mut Vec<u8>, binary: &V1BinaryAnnotation) {
    text(out, 1, binary.key.as_bytes());
    let (value, kind) = match &binary.value {
        V1Value::Text(value) => (value.as_bytes(), 6_i32),
        V1Value::Address => (&[1][..], 0),
    };
    text(out, 2, value);
    field(out, 8, 3, &kind.to_be_bytes());
    thrift_endpoint(out, 4, binary.endpoint.as_deref());
}

fn thrift_endpoint(out: &mut Vec<u8>, number: u8, endpoint: Option<&Endpoint>) {
    let Some(endpoint) = endpoint else { return };
    field(out, 12, number, &[]);
    if let Some(ipv4) = endpoint.ipv4.as_deref().and_then(ipv4_bytes) {
        field(out, 8, 1, &ipv4);
    }
    field(out, 6, 2, &endpoint.port.unwrap_or(0).to_be_bytes());
    text(out, 3, endpoint.service_name.as_deref().unwrap_or_default().as_bytes());
    if let Some(ipv6) = endpoint.ipv6.as_deref().and_then(|text| text.parse::<std::net::Ipv6Addr>().ok()) {
        text(out, 4, &ipv6.octets());
    }
    out.push(0);
}
