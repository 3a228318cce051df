//! `ExportTraceServiceRequest` off the wire. prost's structs cost an allocation a field, more than everything else together
//! that is done for a span; here each span is a view of the message. Tests hold it to prost's answers.

use super::OtlpError;
use super::convert::{Converter, ResourceTags, ScopeTags};
use super::view::{Attribute, Event, Id, Link, Scope, Span, Status, Value};
use crate::codec::fault::Fault;
use crate::codec::wire::{BYTES, FIXED64, Reader, VARINT};

/// Most levels of lists and maps within each other, as in prost.
const DEPTH_MAX: usize = 100;

/// Why reading ends.
enum Stop {
    Malformed(Fault),
    Refused(OtlpError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault)
    }
}

/// Hands every span of the message to `converter`.
pub(super) fn read(body: &[u8], converter: &mut Converter<'_>) -> Result<(), OtlpError> {
    read_request(body, converter).map_err(|stop| match stop {
        Stop::Malformed(fault) => OtlpError::Malformed(fault.into_place_text(), "protobuf"),
        Stop::Refused(error) => error,
    })
}

fn read_request(body: &[u8], converter: &mut Converter<'_>) -> Result<(), Stop> {
    let mut reader = Reader::new(body);
    let mut span = Span::default();
    while let Some(key) = reader.next_key()? {
        match key {
            key::RESOURCE_SPANS => read_resource_spans(reader.message()?, &mut span, converter)?,
            _ => reader.skip(key)?,
        }
    }
    Ok(())
}

/// Fields come in any order, so the resource is looked for before the spans are read; skipping a field costs next to nothing.
fn read_resource_spans<'a>(
    message: Reader<'a>,
    span: &mut Span<'a>,
    converter: &mut Converter<'_>,
) -> Result<(), Stop> {
    let mut attributes = Vec::new();
    let mut reader = message;
    while let Some(key) = reader.next_key()? {
        match key {
            key::RESOURCE => read_attributes_only(&mut reader.message()?, key::RESOURCE_ATTRIBUTES, &mut attributes)?,
            _ => reader.skip_value(key)?,
        }
    }
    let resource = ResourceTags::new(&attributes);
    let mut reader = message;
    while let Some(key) = reader.next_key()? {
        match key {
            key::SCOPE_SPANS => read_scope_spans(reader.message()?, &resource, span, converter)?,
            _ => reader.skip_value(key)?,
        }
    }
    Ok(())
}

fn read_scope_spans<'a>(
    message: Reader<'a>,
    resource: &ResourceTags,
    span: &mut Span<'a>,
    converter: &mut Converter<'_>,
) -> Result<(), Stop> {
    let mut scope = Scope::default();
    let mut reader = message;
    while let Some(key) = reader.next_key()? {
        match key {
            key::SCOPE => read_scope(&mut reader.message()?, &mut scope)?,
            _ => reader.skip_value(key)?,
        }
    }
    let scope = ScopeTags::new(&scope);
    let mut reader = message;
    while let Some(key) = reader.next_key()? {
        match key {
            key::SPANS => {
                span.clear();
                read_span(&mut reader.message()?, span)?;
                converter.add(resource, &scope, span).map_err(Stop::Refused)?;
            }
            _ => reader.skip_value(key)?,
        }
    }
    Ok(())
}

fn read_scope<'a>(reader: &mut Reader<'a>, scope: &mut Scope<'a>) -> Result<(), Fault> {
    while let Some(key) = reader.next_key()? {
        match key {
            key::SCOPE_NAME => scope.name = reader.text()?,
            key::SCOPE_VERSION => scope.version = reader.text()?,
            key::SCOPE_ATTRIBUTES => scope.attributes.push(read_attribute(&mut reader.message()?, 0)?),
            _ => reader.skip(key)?,
        }
    }
    Ok(())
}

fn read_span<'a>(reader: &mut Reader<'a>, span: &mut Span<'a>) -> Result<(), Fault> {
    while let Some(key) = reader.next_key()? {
        match key {
            key::SPAN_TRACE_ID => span.trace_id = Id::from_bytes(reader.bytes()?),
            key::SPAN_ID => span.span_id = Id::from_bytes(reader.bytes()?),
            key::SPAN_TRACE_STATE => span.trace_state = reader.text()?,
            key::SPAN_PARENT_ID => span.parent_span_id = Id::from_bytes(reader.bytes()?),
            key::SPAN_NAME => span.name = reader.text()?,
            key::SPAN_KIND => span.kind = reader.varint()? as i32,
            key::SPAN_START => span.start_time_unix_nano = reader.fixed64()?,
            key::SPAN_END => span.end_time_unix_nano = reader.fixed64()?,
            key::SPAN_ATTRIBUTES => span.attributes.push(read_attribute(&mut reader.message()?, 0)?),
            key::SPAN_DROPPED_ATTRIBUTES => span.dropped_attributes_count = reader.varint()? as u32,
            key::SPAN_EVENTS => span.events.push(read_event(&mut reader.message()?)?),
            key::SPAN_DROPPED_EVENTS => span.dropped_events_count = reader.varint()? as u32,
            key::SPAN_LINKS => span.links.push(read_link(&mut reader.message()?)?),
            key::SPAN_DROPPED_LINKS => span.dropped_links_count = reader.varint()? as u32,
            key::SPAN_STATUS => {
                let status = span.status.get_or_insert_default();
                read_status(&mut reader.message()?, status)?;
            }
            _ => reader.skip(key)?,
        }
    }
    Ok(())
}

fn read_event<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>, Fault> {
    let mut event = Event::default();
    while let Some(key) = reader.next_key()? {
        match key {
            key::EVENT_TIME => event.time_unix_nano = reader.fixed64()?,
            key::EVENT_NAME => event.name = reader.text()?,
            key::EVENT_ATTRIBUTES => event.attributes.push(read_attribute(&mut reader.message()?, 0)?),
            _ => reader.skip(key)?,
        }
    }
    Ok(event)
}

fn read_link<'a>(reader: &mut Reader<'a>) -> Result<Link<'a>, Fault> {
    let mut link = Link::default();
    while let Some(key) = reader.next_key()? {
        match key {
            key::LINK_TRACE_ID => link.trace_id = Id::from_bytes(reader.bytes()?),
            key::LINK_SPAN_ID => link.span_id = Id::from_bytes(reader.bytes()?),
            key::LINK_ATTRIBUTES => link.attributes.push(read_attribute(&mut reader.message()?, 0)?),
            _ => reader.skip(key)?,
        }
    }
    Ok(link)
}

fn read_status<'a>(reader: &mut Reader<'a>, status: &mut Status<'a>) -> Result<(), Fault> {
    while let Some(key) = reader.next_key()? {
        match key {
            key::STATUS_MESSAGE => status.message = reader.text()?,
            key::STATUS_CODE => status.code = reader.varint()? as i32,
            _ => reader.skip(key)?,
        }
    }
    Ok(())
}

/// The attributes of a message of which nothing else is wanted.
fn read_attributes_only<'a>(
    reader: &mut Reader<'a>,
    wanted: u32,
    attributes: &mut Vec<Attribute<'a>>,
) -> Result<(), Fault> {
    while let Some(key) = reader.next_key()? {
        if key == wanted {
            attributes.push(read_attribute(&mut reader.message()?, 0)?);
        } else {
            reader.skip(key)?;
        }
    }
    Ok(())
}

fn read_attribute<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Attribute<'a>, Fault> {
    let mut attribute = Attribute::default();
    while let Some(key) = reader.next_key()? {
        match key {
            key::ATTRIBUTE_KEY => attribute.key = reader.text()?,
            key::ATTRIBUTE_VALUE => attribute.value = read_value(&mut reader.message()?, depth)?,
            _ => reader.skip(key)?,
        }
    }
    Ok(attribute)
}

/// Of several kinds of value the last counts.
fn read_value<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Value<'a>, Fault> {
    let mut value = Value::Empty;
    while let Some(key) = reader.next_key()? {
        value = match key {
            key::VALUE_STRING => Value::Text(reader.text()?),
            key::VALUE_BOOL => Value::Bool(reader.varint()? != 0),
            key::VALUE_INT => Value::Int(reader.varint()? as i64),
            key::VALUE_DOUBLE => Value::Double(f64::from_bits(reader.fixed64()?)),
            key::VALUE_ARRAY => Value::List(read_list(&mut reader.message()?, deeper(reader, depth)?, read_value)?),
            key::VALUE_MAP => Value::Map(read_list(&mut reader.message()?, deeper(reader, depth)?, read_attribute)?),
            key::VALUE_BYTES => Value::Bytes(reader.bytes()?),
            // A reference into a table of strings that only profiles have; a trace cannot resolve it.
            key::VALUE_STRING_INDEX => Value::Int(reader.varint()? as i64),
            _ => {
                reader.skip(key)?;
                continue;
            }
        };
    }
    Ok(value)
}

/// `ArrayValue` and `KeyValueList` have the same one field.
fn read_list<'a, T>(
    reader: &mut Reader<'a>,
    depth: usize,
    read: impl Fn(&mut Reader<'a>, usize) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut values = Vec::new();
    while let Some(key) = reader.next_key()? {
        if key == key::LIST_VALUES {
            values.push(read(&mut reader.message()?, depth)?);
        } else {
            reader.skip(key)?;
        }
    }
    Ok(values)
}

fn deeper(reader: &Reader<'_>, depth: usize) -> Result<usize, Fault> {
    if depth >= DEPTH_MAX {
        return Err(reader.fault(format!("malformed: values nested more than {DEPTH_MAX} deep")));
    }
    Ok(depth + 1)
}

/// Field numbers of `opentelemetry.proto`, shifted and joined with the wire type they are written with.
mod key {
    use super::{BYTES, FIXED64, VARINT};

    pub(super) const RESOURCE_SPANS: u32 = 1 << 3 | BYTES;

    pub(super) const RESOURCE: u32 = 1 << 3 | BYTES;
    pub(super) const SCOPE_SPANS: u32 = 2 << 3 | BYTES;

    pub(super) const RESOURCE_ATTRIBUTES: u32 = 1 << 3 | BYTES;

    pub(super) const SCOPE: u32 = 1 << 3 | BYTES;
    pub(super) const SPANS: u32 = 2 << 3 | BYTES;

    pub(super) const SCOPE_NAME: u32 = 1 << 3 | BYTES;
    pub(super) const SCOPE_VERSION: u32 = 2 << 3 | BYTES;
    pub(super) const SCOPE_ATTRIBUTES: u32 = 3 << 3 | BYTES;

    pub(super) const SPAN_TRACE_ID: u32 = 1 << 3 | BYTES;
    pub(super) const SPAN_ID: u32 = 2 << 3 | BYTES;
    pub(super) const SPAN_TRACE_STATE: u32 = 3 << 3 | BYTES;
    pub(super) const SPAN_PARENT_ID: u32 = 4 << 3 | BYTES;
    pub(super) const SPAN_NAME: u32 = 5 << 3 | BYTES;
    pub(super) const SPAN_KIND: u32 = 6 << 3 | VARINT;
    pub(super) const SPAN_START: u32 = 7 << 3 | FIXED64;
    pub(super) const SPAN_END: u32 = 8 << 3 | FIXED64;
    pub(super) const SPAN_ATTRIBUTES: u32 = 9 << 3 | BYTES;
    pub(super) const SPAN_DROPPED_ATTRIBUTES: u32 = 10 << 3 | VARINT;
    pub(super) const SPAN_EVENTS: u32 = 11 << 3 | BYTES;
    pub(super) const SPAN_DROPPED_EVENTS: u32 = 12 << 3 | VARINT;
    pub(super) const SPAN_LINKS: u32 = 13 << 3 | BYTES;
    pub(super) const SPAN_DROPPED_LINKS: u32 = 14 << 3 | VARINT;
    pub(super) const SPAN_STATUS: u32 = 15 << 3 | BYTES;

    pub(super) const EVENT_TIME: u32 = 1 << 3 | FIXED64;
    pub(super) const EVENT_NAME: u32 = 2 << 3 | BYTES;
    pub(super) const EVENT_ATTRIBUTES: u32 = 3 << 3 | BYTES;

    pub(super) const LINK_TRACE_ID: u32 = 1 << 3 | BYTES;
    pub(super) const LINK_SPAN_ID: u32 = 2 << 3 | BYTES;
    pub(super) const LINK_ATTRIBUTES: u32 = 4 << 3 | BYTES;

    pub(super) const STATUS_MESSAGE: u32 = 2 << 3 | BYTES;
    pub(super) const STATUS_CODE: u32 = 3 << 3 | VARINT;

    pub(super) const ATTRIBUTE_KEY: u32 = 1 << 3 | BYTES;
    pub(super) const ATTRIBUTE_VALUE: u32 = 2 << 3 | BYTES;

    pub(super) const VALUE_STRING: u32 = 1 << 3 | BYTES;
    pub(super) const VALUE_BOOL: u32 = 2 << 3 | VARINT;
    pub(super) const VALUE_INT: u32 = 3 << 3 | VARINT;
    pub(super) const VALUE_DOUBLE: u32 = 4 << 3 | FIXED64;
    pub(super) const VALUE_ARRAY: u32 = 5 << 3 | BYTES;
    pub(super) const VALUE_MAP: u32 = 6 << 3 | BYTES;
    pub(super) const VALUE_BYTES: u32 = 7 << 3 | BYTES;
    pub(super) const VALUE_STRING_INDEX: u32 = 8 << 3 | VARINT;

    pub(super) const LIST_VALUES: u32 = 1 << 3 | BYTES;
}
