//! Reading a list of v2 spans into a batch.

use crate::codec::error::shorten;
use crate::codec::fault::Fault;
use crate::codec::json::{Reader, read_endpoint};
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Decodes `[{span}, ...]`; what follows the closing bracket is ignored, as zipkin does.
pub(crate) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    read_list(body, limits).map_err(|fault| fault.into_error(Format::JsonV2, body))
}

fn read_list(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, Fault> {
    let mut reader = Reader::new(body);
    // A record takes about half of the JSON it comes from.
    let mut batch = SpanBatch::with_capacity(0, body.len() / 2);
    let mut span = SpanBuilder::new();
    let mut first = true;
    reader.begin_list("a list of spans")?;
    while reader.next_element(&mut first)? {
        if batch.len() >= limits.spans_max {
            return Err(Fault::too_many_spans(limits.spans_max));
        }
        read_span(&mut reader, &mut span)?;
        span.finish(&mut batch).map_err(Fault::rule)?;
    }
    Ok(batch)
}

fn read_span(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<(), Fault> {
    span.clear();
    reader.clear_scratch();
    reader.begin_object("a span (an object)")?;
    let mut first = true;
    while let Some(name) = reader.next_member(&mut first)? {
        let member = Member::of(reader.str(name));
        match member {
            // The ids come first because null is refused for them alone.
            Member::TraceId => {
                let text = reader.string("a string")?;
                let trace_id = TraceId::parse(reader.str(text).as_bytes());
                span.set_trace_id(trace_id.map_err(|e| Fault::rule(e.describe("traceId")))?);
            }
            Member::Id => {
                let text = reader.string("a string")?;
                span.set_id(read_id(reader.str(text), "id")?);
            }
            Member::Unknown => reader.skip_value()?,
            _ if reader.null() => {}
            _ => read_optional(reader, span, member)?,
        }
    }
    Ok(())
}

fn read_optional(reader: &mut Reader<'_>, span: &mut SpanBuilder, member: Member) -> Result<(), Fault> {
    match member {
        Member::ParentId => {
            let text = reader.string("a string or null")?;
            let parent_id = SpanId::parse(reader.str(text).as_bytes());
            span.set_parent_id(parent_id.map_err(|e| Fault::rule(e.describe("parentId")))?);
        }
        Member::Kind => span.set_kind(Some(read_kind(reader)?)),
        Member::Name => {
            let name = reader.string("a string or null")?;
            span.set_name(reader.str(name));
        }
        Member::Timestamp => span.set_timestamp_us(reader.long()?),
        Member::Duration => span.set_duration_us(reader.long()?),
        Member::LocalEndpoint => read_endpoint(reader, &mut span.local_endpoint)?,
        Member::RemoteEndpoint => read_endpoint(reader, &mut span.remote_endpoint)?,
        Member::Annotations => read_annotations(reader, span)?,
        Member::Tags => read_tags(reader, span)?,
        // A later `false` does not take a `true` back.
        Member::Debug => {
            if reader.boolean()? {
                span.set_debug(true);
            }
        }
        Member::Shared => {
            if reader.boolean()? {
                span.set_shared(true);
            }
        }
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
    Kind,
    Name,
    Timestamp,
    Duration,
    LocalEndpoint,
    RemoteEndpoint,
    Annotations,
    Tags,
    Debug,
    Shared,
    Unknown,
}

impl Member {
    #[inline]
    fn of(name: &str) -> Self {
        match name {
            "traceId" => Self::TraceId,
            "parentId" => Self::ParentId,
            "id" => Self::Id,
            "kind" => Self::Kind,
            "name" => Self::Name,
            "timestamp" => Self::Timestamp,
            "duration" => Self::Duration,
            "localEndpoint" => Self::LocalEndpoint,
            "remoteEndpoint" => Self::RemoteEndpoint,
            "annotations" => Self::Annotations,
            "tags" => Self::Tags,
            "debug" => Self::Debug,
            "shared" => Self::Shared,
            _ => Self::Unknown,
        }
    }
}

/// The id of a span. Zipkin refuses 16 zeros, but takes fewer.
fn read_id(text: &str, member: &str) -> Result<SpanId, Fault> {
    let id = SpanId::parse(text.as_bytes()).map_err(|e| Fault::rule(e.describe(member)))?;
    if id.value() == 0 && text.len() == 16 {
        return Err(Fault::rule(format!("{member} is all zeros")));
    }
    Ok(id)
}

fn read_kind(reader: &mut Reader<'_>) -> Result<SpanKind, Fault> {
    let at = reader.position();
    let text = reader.string("a kind or null")?;
    let text = reader.str(text);
    SpanKind::from_wire_name(text).ok_or_else(|| {
        let text = shorten(text);
        Fault::at(at, format!("expected CLIENT, SERVER, PRODUCER or CONSUMER but found kind {text:?}"))
    })
}

fn read_annotations(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<(), Fault> {
    reader.begin_list("a list of annotations or null")?;
    let mut first = true;
    while reader.next_element(&mut first)? {
        let mut timestamp_us = None;
        let mut value = None;
        reader.begin_object("an annotation (an object)")?;
        let mut first_member = true;
        while let Some(name) = reader.next_member(&mut first_member)? {
            match reader.str(name) {
                "timestamp" => timestamp_us = Some(reader.long()?),
                "value" => value = Some(reader.string("a string")?),
                _ => reader.skip_value()?,
            }
        }
        match (timestamp_us, value) {
            (Some(timestamp_us), Some(value)) => span.add_annotation(timestamp_us, reader.str(value)),
            (None, _) => return Err(Fault::at(reader.position(), "annotation without a timestamp".to_owned())),
            (_, None) => return Err(Fault::at(reader.position(), "annotation without a value".to_owned())),
        }
    }
    Ok(())
}

fn read_tags(reader: &mut Reader<'_>, span: &mut SpanBuilder) -> Result<(), Fault> {
    reader.begin_object("tags (an object) or null")?;
    let mut first = true;
    while let Some(key) = reader.next_member(&mut first)? {
        let value = reader.string("a string as the value of a tag")?;
        span.add_tag(reader.str(key), reader.str(value));
    }
    Ok(())
}
