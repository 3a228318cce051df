//! Structs into v1 spans. A field counts when both its number and its type are right; others are skipped.

use super::reader::{Reader, ttype};
use crate::codec::fault::Fault;
use crate::codec::v1::{Draft, V1Batch};
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::v1::{V1Annotation, V1BinaryAnnotation, V1Span, V1Value};
use crate::model::{Endpoint, EndpointBuilder, SpanBatch};

/// Decodes a list of structs, or one bare struct.
pub(crate) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    read_body(body, limits).map_err(|fault| fault.into_error(Format::Thrift, body))
}

fn read_body(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, Fault> {
    let mut reader = Reader::new(body);
    let mut spans = V1Batch::new(limits);
    // Zipkin takes 11 for 12: the type of the elements is not looked at. A bare struct begins with its first field,
    // the trace id of type 10.
    let count = match body.first() {
        Some(11 | 12) | None => reader.list()?.1,
        Some(_) => 1,
    };
    for _ in 0..count {
        spans.add(read_span(&mut reader)?)?;
    }
    Ok(spans.batch)
}

fn read_span(reader: &mut Reader<'_>) -> Result<V1Span, Fault> {
    let mut span = Draft::default();
    while let Some(field) = reader.next_field()? {
        match field {
            (ttype::I64, 1) => span.trace_low = reader.i64()? as u64,
            (ttype::STRING, 3) => span.name = reader.text()?.into_owned(),
            (ttype::I64, 4) => span.id = reader.i64()? as u64,
            (ttype::I64, 5) => span.parent_id = reader.i64()? as u64,
            (ttype::LIST, 6) => read_structs(reader, &mut span.annotations, read_annotation)?,
            (ttype::LIST, 8) => read_structs(reader, &mut span.binary_annotations, read_binary_annotation)?,
            (ttype::BOOL, 9) => span.debug = reader.byte()? == 1,
            (ttype::I64, 10) => span.timestamp_us = reader.i64()?,
            (ttype::I64, 11) => span.duration_us = reader.i64()?,
            (ttype::I64, 12) => span.trace_high = reader.i64()? as u64,
            (field_type, _) => reader.skip(field_type)?,
        }
    }
    span.into_span()
}

/// Reads a list of structs; elements of another type, and those that `read` finds to say nothing, are left out.
fn read_structs<T>(
    reader: &mut Reader<'_>,
    items: &mut Vec<T>,
    read: impl Fn(&mut Reader<'_>) -> Result<Option<T>, Fault>,
) -> Result<(), Fault> {
    let (element_type, count) = reader.list()?;
    for _ in 0..count {
        if element_type == ttype::STRUCT {
            items.extend(read(reader)?);
        } else {
            reader.skip(element_type)?;
        }
    }
    Ok(())
}

fn read_annotation(reader: &mut Reader<'_>) -> Result<Option<V1Annotation>, Fault> {
    let mut timestamp_us = 0;
    let mut value = None;
    let mut endpoint = None;
    while let Some(field) = reader.next_field()? {
        match field {
            (ttype::I64, 1) => timestamp_us = reader.i64()?,
            (ttype::STRING, 2) => value = Some(reader.text()?.into_owned()),
            (ttype::STRUCT, 3) => endpoint = read_endpoint(reader)?,
            (field_type, _) => reader.skip(field_type)?,
        }
    }
    let value = value.filter(|_| timestamp_us != 0);
    Ok(value.map(|value| V1Annotation { timestamp_us, value, endpoint }))
}

/// `annotation_type` of the values that are kept.
const BOOL_VALUE: i32 = 0;
const STRING_VALUE: i32 = 6;

fn read_binary_annotation(reader: &mut Reader<'_>) -> Result<Option<V1BinaryAnnotation>, Fault> {
    let mut key = None;
    let mut bytes = None;
    let mut value_type = None;
    let mut endpoint = None;
    while let Some(field) = reader.next_field()? {
        match field {
            (ttype::STRING, 1) => key = Some(reader.text()?),
            (ttype::STRING, 2) => bytes = Some(reader.bytes()?),
            (ttype::I32, 3) => value_type = Some(reader.i32()?),
            (ttype::STRUCT, 4) => endpoint = read_endpoint(reader)?,
            (field_type, _) => reader.skip(field_type)?,
        }
    }
    let (Some(key), Some(bytes)) = (key, bytes) else { return Ok(None) };
    let is_address = bytes == [1] && endpoint.is_some() && matches!(key.as_ref(), "sa" | "ca" | "ma");
    let value = match value_type {
        Some(STRING_VALUE) => V1Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        Some(BOOL_VALUE) if is_address => V1Value::Address,
        _ => return Ok(None),
    };
    Ok(Some(V1BinaryAnnotation { key: key.into_owned(), value, endpoint }))
}

fn read_endpoint(reader: &mut Reader<'_>) -> Result<Option<Box<Endpoint>>, Fault> {
    let mut endpoint = EndpointBuilder::default();
    while let Some(field) = reader.next_field()? {
        match field {
            (ttype::I32, 1) => match reader.i32()? {
                0 => {}
                ipv4 => endpoint.set_ip_bytes(&ipv4.to_be_bytes()),
            },
            (ttype::I16, 2) => endpoint.set_port(reader.i16()? as u16),
            (ttype::STRING, 3) => endpoint.set_service_name(&reader.text()?),
            (ttype::STRING, 4) => endpoint.set_ip_bytes(reader.bytes()?),
            (field_type, _) => reader.skip(field_type)?,
        }
    }
    Ok(endpoint.to_endpoint().map(Box::new))
}
