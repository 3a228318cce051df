//! Zipkin v1 JSON, read into v1 spans and from there into the spans of each side.

use crate::codec::error::shorten;
use crate::codec::fault::Fault;
use crate::codec::json::{Kind, Reader, Text, read_endpoint};
use crate::codec::v1::{Draft, V1Batch};
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::v1::{V1Annotation, V1BinaryAnnotation, V1Span, V1Value};
use crate::model::{Endpoint, EndpointBuilder, SpanBatch, SpanId};

/// Decodes `[{span}, ...]`; what follows the closing bracket is ignored, as zipkin does.
pub(super) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    read_list(body, limits).map_err(|fault| fault.into_error(Format::JsonV1, body))
}

fn read_list(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, Fault> {
    let mut reader = Reader::new(body);
    let mut spans = V1Batch::new(limits);
    let mut first = true;
    reader.begin_list("a list of spans")?;
    while reader.next_element(&mut first)? {
        reader.clear_scratch();
        spans.add(read_span(&mut reader)?)?;
    }
    Ok(spans.batch)
}

fn read_span(reader: &mut Reader<'_>) -> Result<V1Span, Fault> {
    let mut span = Draft::default();
    reader.begin_object("a span (an object)")?;
    let mut first = true;
    while let Some(name) = reader.next_member(&mut first)? {
        let member = Member::of(reader.str(name));
        match member {
            // The ids come first because null is refused for them alone.
            Member::TraceId => {
                let text = reader.string("a string")?;
                let text = reader.str(text);
                span.trace_low = read_id(text)?;
                // Zipkin takes the high half from exactly 32 digits only.
                span.trace_high = if text.len() == 32 { lower_hex(text, &text.as_bytes()[..16])? } else { 0 };
            }
            Member::Id => {
                let text = reader.string("a string")?;
                span.id = read_id(reader.str(text))?;
            }
            Member::Unknown => reader.skip_value()?,
            _ if reader.null() => {}
            _ => read_optional(reader, &mut span, member)?,
        }
    }
    span.into_span()
}

fn read_optional(reader: &mut Reader<'_>, span: &mut Draft, member: Member) -> Result<(), Fault> {
    match member {
        Member::ParentId => {
            let text = reader.string("a string or null")?;
            span.parent_id = read_id(reader.str(text))?;
        }
        Member::Name => {
            let text = reader.string("a string or null")?;
            span.name = reader.str(text).to_owned();
        }
        Member::Timestamp => span.timestamp_us = reader.long()?,
        Member::Duration => span.duration_us = reader.long()?,
        Member::Annotations => {
            reader.begin_list("a list of annotations or null")?;
            let mut first = true;
            while reader.next_element(&mut first)? {
                span.annotations.push(read_annotation(reader)?);
            }
        }
        Member::BinaryAnnotations => {
            reader.begin_list("a list of binary annotations or null")?;
            let mut first = true;
            while reader.next_element(&mut first)? {
                span.binary_annotations.extend(read_binary_annotation(reader)?);
            }
        }
        // A later `false` does not take a `true` back.
        Member::Debug => span.debug |= reader.boolean()?,
        Member::TraceId | Member::Id | Member::Unknown => {}
    }
    Ok(())
}

/// Members of a span.
#[derive(Clone, Copy)]
enum Member {
    TraceId,
    ParentId,
    Id,
    Name,
    Timestamp,
    Duration,
    Annotations,
    BinaryAnnotations,
    Debug,
    Unknown,
}

impl Member {
    fn of(name: &str) -> Self {
        match name {
            "traceId" => Self::TraceId,
            "parentId" => Self::ParentId,
            "id" => Self::Id,
            "name" => Self::Name,
            "timestamp" => Self::Timestamp,
            "duration" => Self::Duration,
            "annotations" => Self::Annotations,
            "binaryAnnotations" => Self::BinaryAnnotations,
            "debug" => Self::Debug,
            _ => Self::Unknown,
        }
    }
}

/// The last 16 digits of an id of 1 to 32.
fn read_id(text: &str) -> Result<u64, Fault> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 32 {
        return Err(not_an_id(text));
    }
    lower_hex(text, &bytes[bytes.len().saturating_sub(16)..])
}

/// The value of `digits`, which are part of `text`.
fn lower_hex(text: &str, digits: &[u8]) -> Result<u64, Fault> {
    match SpanId::parse(digits) {
        Ok(id) => Ok(id.value()),
        Err(_) => Err(not_an_id(text)),
    }
}

fn not_an_id(text: &str) -> Fault {
    Fault::rule(format!("{} should be a 1 to 32 character lower-hex string with no prefix", shorten(text)))
}

fn read_annotation(reader: &mut Reader<'_>) -> Result<V1Annotation, Fault> {
    let mut timestamp_us = None;
    let mut value = None;
    let mut endpoint = None;
    reader.begin_object("an annotation (an object)")?;
    let mut first = true;
    while let Some(name) = reader.next_member(&mut first)? {
        match reader.str(name) {
            "timestamp" => timestamp_us = Some(reader.long()?),
            "value" => value = Some(reader.string("a string")?),
            "endpoint" => endpoint = read_owned_endpoint(reader)?.or(endpoint),
            _ => reader.skip_value()?,
        }
    }
    match (timestamp_us, value) {
        (Some(timestamp_us), Some(value)) => {
            Ok(V1Annotation { timestamp_us, value: reader.str(value).to_owned(), endpoint })
        }
        (None, _) => Err(Fault::at(reader.position(), "annotation without a timestamp".to_owned())),
        (_, None) => Err(Fault::at(reader.position(), "annotation without a value".to_owned())),
    }
}

/// `None` for values that zipkin does not keep: numbers, and booleans that are no address.
fn read_binary_annotation(reader: &mut Reader<'_>) -> Result<Option<V1BinaryAnnotation>, Fault> {
    let mut key = None;
    let mut text = None;
    let mut is_true = false;
    let mut endpoint = None;
    reader.begin_object("a binary annotation (an object)")?;
    let mut first = true;
    while let Some(name) = reader.next_member(&mut first)? {
        match reader.str(name) {
            "key" => key = read_nullable_string(reader)?.or(key),
            "value" => match reader.next_kind() {
                Kind::String => text = Some(reader.string("a string")?),
                Kind::Boolean => is_true = reader.boolean()?,
                Kind::Other => reader.skip_value()?,
            },
            "endpoint" => endpoint = read_owned_endpoint(reader)?.or(endpoint),
            _ => reader.skip_value()?,
        }
    }
    let Some(key) = key else {
        return Err(Fault::at(reader.position(), "binary annotation without a key".to_owned()));
    };
    let key = reader.str(key);
    let value = match text {
        Some(text) => V1Value::Text(reader.str(text).to_owned()),
        None if is_true && endpoint.is_some() && matches!(key, "sa" | "ca" | "ma") => V1Value::Address,
        None => return Ok(None),
    };
    Ok(Some(V1BinaryAnnotation { key: key.to_owned(), value, endpoint }))
}

fn read_nullable_string<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, Fault> {
    if reader.null() { Ok(None) } else { reader.string("a string or null").map(Some) }
}

/// An endpoint, `None` for null and for one without members.
fn read_owned_endpoint(reader: &mut Reader<'_>) -> Result<Option<Box<Endpoint>>, Fault> {
    if reader.null() {
        return Ok(None);
    }
    let mut endpoint = EndpointBuilder::default();
    read_endpoint(reader, &mut endpoint)?;
    Ok(endpoint.to_endpoint().map(Box::new))
}

#[cfg(test)]
mod tests;
