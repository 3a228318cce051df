//! `ListOfSpans` into a batch. Absent and empty fields mean the same; of repeated scalars the last counts.

use super::key;
use crate::codec::fault::Fault;
use crate::codec::wire::Reader;
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::{EndpointBuilder, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Decodes a list of spans.
pub(crate) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    read_list(body, limits).map_err(|fault| fault.into_error(Format::Proto3, body))
}

fn read_list(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, Fault> {
    let mut reader = Reader::new(body);
    // A record takes a little more than the protobuf it comes from.
    let mut batch = SpanBatch::with_capacity((body.len() / 128).min(limits.spans_max), body.len() + body.len() / 8);
    let mut span = SpanBuilder::new();
    while let Some(key) = reader.next_key()? {
        if key != key::LIST_SPANS {
            reader.skip(key)?;
            continue;
        }
        let mut message = reader.message()?;
        if batch.len() >= limits.spans_max {
            return Err(Fault::too_many_spans(limits.spans_max));
        }
        span.clear();
        if read_span(&mut message, &mut span)? == Fields::Some {
            span.finish(&mut batch).map_err(Fault::rule)?;
        }
    }
    Ok(batch)
}

/// Whether a message had any field at all.
#[derive(PartialEq, Eq)]
enum Fields {
    None,
    Some,
}

fn read_span(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<Fields, Fault> {
    let mut fields = Fields::None;
    while let Some(key) = reader.next_key()? {
        fields = Fields::Some;
        match key {
            key::SPAN_TRACE_ID => span.set_trace_id(read_trace_id(reader)?),
            key::SPAN_PARENT_ID => span.set_parent_id(read_id(reader, "parentId")?.unwrap_or(SpanId::new(0))),
            key::SPAN_ID => {
                let id = read_id(reader, "id")?;
                span.set_id(id.ok_or_else(|| Fault::rule("id == null"))?);
            }
            // A kind from the future is none.
            key::SPAN_KIND => span.set_kind(kind_of(reader.varint()?)),
            key::SPAN_NAME => span.set_name(&reader.text()?),
            // Beyond 2^63 they are negative, hence absent.
            key::SPAN_TIMESTAMP => span.set_timestamp_us(reader.fixed64()? as i64),
            key::SPAN_DURATION => span.set_duration_us(reader.varint()? as i64),
            key::SPAN_LOCAL_ENDPOINT => read_endpoint(&mut reader.message()?, &mut span.local_endpoint)?,
            key::SPAN_REMOTE_ENDPOINT => read_endpoint(&mut reader.message()?, &mut span.remote_endpoint)?,
            key::SPAN_ANNOTATIONS => read_annotation(&mut reader.message()?, span)?,
            key::SPAN_TAGS => read_tag(&mut reader.message()?, span)?,
            key::SPAN_DEBUG => span.set_debug(reader.boolean()?),
            key::SPAN_SHARED => span.set_shared(reader.boolean()?),
            _ => reader.skip(key)?,
        }
    }
    Ok(fields)
}

/// Longest identifier in bytes; zipkin has a message of its own beyond.
const ID_BYTES_MAX: usize = 32;

fn id_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let bytes = reader.bytes()?;
    if bytes.len() > ID_BYTES_MAX {
        return Err(Fault::rule(format!("hex field greater than {ID_BYTES_MAX} chars long: {}", bytes.len())));
    }
    Ok(bytes)
}

fn read_trace_id(reader: &mut Reader<'_>) -> Result<TraceId, Fault> {
    let bytes = id_bytes(reader)?;
    if bytes.is_empty() {
        return Err(Fault::rule("traceId == null"));
    }
    if bytes.len() > 16 {
        return Err(Fault::rule("traceId.length > 32"));
    }
    let value = bytes.iter().fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
    TraceId::from_halves((value >> 64) as u64, value as u64).ok_or_else(|| Fault::rule("traceId is all zeros"))
}

/// An id of a span, `None` when empty. Zipkin refuses eight zeros as an id, but takes fewer, and any as no parent.
fn read_id(reader: &mut Reader<'_>, member: &str) -> Result<Option<SpanId>, Fault> {
    let bytes = id_bytes(reader)?;
    if bytes.len() > 8 {
        return Err(Fault::rule(format!("{member}.length > 16")));
    }
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if value == 0 && bytes.len() == 8 && member == "id" {
        return Err(Fault::rule("id is all zeros"));
    }
    Ok((!bytes.is_empty()).then_some(SpanId::new(value)))
}

fn kind_of(number: u64) -> Option<SpanKind> {
    match number {
        1 => Some(SpanKind::Client),
        2 => Some(SpanKind::Server),
        3 => Some(SpanKind::Producer),
        4 => Some(SpanKind::Consumer),
        _ => None,
    }
}

fn read_endpoint(reader: &mut Reader<'_>, endpoint: &mut EndpointBuilder) -> Result<(), Fault> {
    endpoint.clear();
    while let Some(key) = reader.next_key()? {
        match key {
            key::ENDPOINT_SERVICE_NAME => endpoint.set_service_name(&reader.text()?),
            key::ENDPOINT_IPV4 | key::ENDPOINT_IPV6 => endpoint.set_ip_bytes(reader.bytes()?),
            key::ENDPOINT_PORT => {
                // int32 on the wire: negative numbers come as 64 bits, and mean that there is none.
                let port = reader.varint()? as i32;
                let known = u16::try_from(port.max(0)).map_err(|_| Fault::rule(format!("invalid port {port}")))?;
                endpoint.set_port(known);
            }
            _ => reader.skip(key)?,
        }
    }
    Ok(())
}

fn read_annotation(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<(), Fault> {
    let mut timestamp_us = 0;
    let mut value = "".into();
    while let Some(key) = reader.next_key()? {
        match key {
            key::ANNOTATION_TIMESTAMP => timestamp_us = reader.fixed64()? as i64,
            key::ANNOTATION_VALUE => value = reader.text()?,
            _ => reader.skip(key)?,
        }
    }
    if timestamp_us != 0 && !value.is_empty() {
        span.add_annotation(timestamp_us, &value);
    }
    Ok(())
}

fn read_tag(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<(), Fault> {
    let mut name = "".into();
    let mut value = "".into();
    while let Some(key) = reader.next_key()? {
        match key {
            key::TAG_KEY => name = reader.text()?,
            key::TAG_VALUE => value = reader.text()?,
            _ => reader.skip(key)?,
        }
    }
    if !name.is_empty() {
        span.add_tag(&name, &value);
    }
    Ok(())
}
