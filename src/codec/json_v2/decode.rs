//! Reading a list of v2 spans into a batch.

use crate::codec::error::shorten;
use crate::codec::fault::Fault;
use crate::codec::json::{EndpointMemo, Reader};
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::{SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// Decodes `[{span}, ...]`; what follows the closing bracket is ignored, as zipkin does.
pub(crate) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    read_list(body, limits).map_err(|fault| fault.into_error(Format::JsonV2, body))
}

fn read_list(body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, Fault> {
    let mut reader = Reader::new(body);
    // A record takes about half of the JSON it comes from.
    let mut batch = SpanBatch::with_capacity((body.len() / 256).min(limits.spans_max), body.len() / 2);
    let mut span = SpanBuilder::new();
    let mut endpoints = Endpoints::default();
    let mut first = true;
    reader.begin_list("a list of spans")?;
    while reader.next_element(&mut first)? {
        if batch.len() >= limits.spans_max {
            return Err(Fault::too_many_spans(limits.spans_max));
        }
        read_span(&mut reader, &mut span, &mut endpoints)?;
        span.finish(&mut batch).map_err(Fault::rule)?;
    }
    Ok(batch)
}

/// The endpoints of the span before.
#[derive(Default)]
struct Endpoints<'a> {
    local: EndpointMemo<'a>,
    remote: EndpointMemo<'a>,
}

fn read_span<'a>(reader: &mut Reader<'a>, span: &mut SpanBuilder, endpoints: &mut Endpoints<'a>) -> Result<(), Fault> {
    span.clear();
    reader.clear_scratch();
    reader.begin_object("a span (an object)")?;
    let mut first = true;
    while let Some(member) = reader.next_known(&mut first, Member::known, Member::of)? {
        match member {
            // The ids come first because null is refused for them alone.
            Member::TraceId => span.set_trace_id(read_trace_id(reader)?),
            Member::Id => span.set_id(read_id(reader)?),
            Member::Unknown => reader.skip_value()?,
            _ if reader.null() => {}
            Member::LocalEndpoint => endpoints.local.read(reader, &mut span.local_endpoint)?,
            Member::RemoteEndpoint => endpoints.remote.read(reader, &mut span.remote_endpoint)?,
            _ => read_optional(reader, span, member)?,
        }
    }
    Ok(())
}

fn read_optional(reader: &mut Reader<'_>, span: &mut SpanBuilder, member: Member) -> Result<(), Fault> {
    match member {
        Member::ParentId => span.set_parent_id(read_parent_id(reader)?),
        Member::Kind => span.set_kind(Some(read_kind(reader)?)),
        Member::Name => {
            let name = reader.string("a string or null")?;
            span.set_name(reader.str(name));
        }
        Member::Timestamp => span.set_timestamp_us(reader.long()?),
        Member::Duration => span.set_duration_us(reader.long()?),
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
        // Read by the caller.
        Member::TraceId | Member::Id | Member::LocalEndpoint | Member::RemoteEndpoint | Member::Unknown => {}
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
    /// Members as nearly every sender writes them, without escape or space: recognised at once, instead of finding
    /// the end of the name first. The length is that of the name, the closing quote and the colon.
    #[inline]
    fn known(text: &[u8]) -> Option<(Self, usize)> {
        let is = |member, name: &[u8]| text.starts_with(name).then_some((member, name.len()));
        match text.first()? {
            b't' => match text.get(1)? {
                b'r' => is(Self::TraceId, b"traceId\":"),
                b'i' => is(Self::Timestamp, b"timestamp\":"),
                _ => is(Self::Tags, b"tags\":"),
            },
            b'p' => is(Self::ParentId, b"parentId\":"),
            b'i' => is(Self::Id, b"id\":"),
            b'k' => is(Self::Kind, b"kind\":"),
            b'n' => is(Self::Name, b"name\":"),
            b'd' => is(Self::Duration, b"duration\":").or_else(|| is(Self::Debug, b"debug\":")),
            b'l' => is(Self::LocalEndpoint, b"localEndpoint\":"),
            b'r' => is(Self::RemoteEndpoint, b"remoteEndpoint\":"),
            b'a' => is(Self::Annotations, b"annotations\":"),
            b's' => is(Self::Shared, b"shared\":"),
            _ => None,
        }
    }

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

fn read_trace_id(reader: &mut Reader<'_>) -> Result<TraceId, Fault> {
    for length in [16, 32] {
        // Text that is a whole identifier holds neither quotes nor escapes.
        if let Some(trace_id) = reader.between_quotes(length).and_then(|digits| TraceId::parse(digits).ok()) {
            reader.pass(length);
            return Ok(trace_id);
        }
    }
    let text = reader.string("a string")?;
    let trace_id = TraceId::parse(reader.str(text).as_bytes());
    trace_id.map_err(|error| Fault::rule(error.describe("traceId")))
}

/// The span id of 16 digits that comes next, if one does; it is not taken yet.
fn whole_span_id(reader: &mut Reader<'_>) -> Option<SpanId> {
    reader.between_quotes(16).and_then(|digits| SpanId::parse(digits).ok())
}

/// Zipkin refuses an id of 16 zeros, but takes fewer.
fn read_id(reader: &mut Reader<'_>) -> Result<SpanId, Fault> {
    if let Some(id) = whole_span_id(reader).filter(|id| id.value() != 0) {
        reader.pass(16);
        return Ok(id);
    }
    let text = reader.string("a string")?;
    let text = reader.str(text);
    let id = SpanId::parse(text.as_bytes()).map_err(|error| Fault::rule(error.describe("id")))?;
    if id.value() == 0 && text.len() == 16 {
        return Err(Fault::rule("id is all zeros"));
    }
    Ok(id)
}

fn read_parent_id(reader: &mut Reader<'_>) -> Result<SpanId, Fault> {
    if let Some(parent_id) = whole_span_id(reader) {
        reader.pass(16);
        return Ok(parent_id);
    }
    let text = reader.string("a string or null")?;
    let parent_id = SpanId::parse(reader.str(text).as_bytes());
    parent_id.map_err(|error| Fault::rule(error.describe("parentId")))
}

fn read_kind(reader: &mut Reader<'_>) -> Result<SpanKind, Fault> {
    let at = reader.position();
    for (length, kinds) in [(6, [SpanKind::Client, SpanKind::Server]), (8, [SpanKind::Producer, SpanKind::Consumer])] {
        let text = reader.between_quotes(length);
        if let Some(kind) = kinds.into_iter().find(|kind| text == Some(kind.as_str().as_bytes())) {
            reader.pass(length);
            return Ok(kind);
        }
    }
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
