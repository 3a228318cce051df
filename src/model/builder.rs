//! Where fields become a span: zipkin's normalisation rules, applied once, for every codec.

use super::address::{is_dotted_quad, push_ipv4};
use super::record::{flag, put_text, put_var};
use super::{Endpoint, EndpointRef, IpText, Span, SpanBatch, SpanId, SpanKind, SpanRef, TraceId};

/// Collects the fields of one span in reused memory and writes its record.
///
/// A codec keeps one builder for a whole message: after the first spans it allocates nothing.
#[derive(Debug, Default)]
pub struct SpanBuilder {
    trace_id: Option<TraceId>,
    id: Option<SpanId>,
    parent_id: Option<SpanId>,
    kind: Option<SpanKind>,
    name: String,
    timestamp_us: i64,
    duration_us: i64,
    /// Endpoint fields are set directly: `builder.local_endpoint.set_service_name(...)`.
    pub local_endpoint: EndpointBuilder,
    /// As `local_endpoint`.
    pub remote_endpoint: EndpointBuilder,
    /// The texts of annotations and tags behind each other. Positions are 32 bits wide, so that a message of many
    /// tiny tags does not grow in memory: messages are bounded far below 4 GiB.
    text: String,
    annotations: Vec<AnnotationEntry>,
    tags: Vec<TagEntry>,
    debug: bool,
    shared: bool,
}

#[derive(Clone, Copy, Debug)]
struct AnnotationEntry {
    timestamp_us: i64,
    start: u32,
    length: u32,
}

/// A key and the value behind it.
#[derive(Clone, Copy, Debug)]
struct TagEntry {
    start: u32,
    key_length: u32,
    value_length: u32,
}

impl AnnotationEntry {
    fn value<'t>(&self, text: &'t str) -> &'t str {
        piece(text, self.start, self.length)
    }
}

impl TagEntry {
    fn key<'t>(&self, text: &'t str) -> &'t str {
        piece(text, self.start, self.key_length)
    }

    fn value<'t>(&self, text: &'t str) -> &'t str {
        piece(text, self.start + self.key_length, self.value_length)
    }
}

fn piece(text: &str, start: u32, length: u32) -> &str {
    let start = start as usize;
    text.get(start..start + length as usize).unwrap_or_default()
}

/// Identifiers that a span cannot be without. `Display` is zipkin's wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissingId {
    /// No trace id.
    #[error("Missing : traceId")]
    Trace,
    /// No span id.
    #[error("Missing : id")]
    Span,
    /// Neither.
    #[error("Missing : traceId id")]
    Both,
}

impl SpanBuilder {
    /// A builder without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.trace_id = None;
        self.id = None;
        self.parent_id = None;
        self.kind = None;
        self.name.clear();
        self.timestamp_us = 0;
        self.duration_us = 0;
        self.local_endpoint.clear();
        self.remote_endpoint.clear();
        self.text.clear();
        self.annotations.clear();
        self.tags.clear();
        self.debug = false;
        self.shared = false;
    }

    /// Sets the trace id.
    pub fn set_trace_id(&mut self, trace_id: TraceId) {
        self.trace_id = Some(trace_id);
    }

    /// Sets the span id.
    pub fn set_id(&mut self, id: SpanId) {
        self.id = Some(id);
    }

    /// Sets the parent. A zero parent, or (found at [`Self::finish`]) one equal to the span's own id, is none.
    pub fn set_parent_id(&mut self, parent_id: SpanId) {
        self.parent_id = (parent_id.value() != 0).then_some(parent_id);
    }

    /// Sets the kind.
    pub fn set_kind(&mut self, kind: Option<SpanKind>) {
        self.kind = kind;
    }

    /// The kind so far.
    #[must_use]
    pub fn kind(&self) -> Option<SpanKind> {
        self.kind
    }

    /// Sets the name, lower-cased; empty is none.
    pub fn set_name(&mut self, name: &str) {
        self.name.clear();
        push_lower_case(&mut self.name, name);
    }

    /// Sets the start in microseconds; zero or less is none.
    pub fn set_timestamp_us(&mut self, timestamp_us: i64) {
        self.timestamp_us = timestamp_us;
    }

    /// Sets the duration in microseconds; zero or less is none.
    pub fn set_duration_us(&mut self, duration_us: i64) {
        self.duration_us = duration_us;
    }

    /// Adds an annotation; any time, any text.
    pub fn add_annotation(&mut self, timestamp_us: i64, value: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(value);
        self.annotations.push(AnnotationEntry { timestamp_us, start, length: value.len() as u32 });
    }

    /// Adds a tag; a later one of the same key wins.
    pub fn add_tag(&mut self, key: &str, value: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(key);
        self.text.push_str(value);
        self.tags.push(TagEntry { start, key_length: key.len() as u32, value_length: value.len() as u32 });
    }

    /// Marks the span as debug.
    pub fn set_debug(&mut self, debug: bool) {
        self.debug = debug;
    }

    /// Marks the span as the second half of a shared one; dropped from CLIENT spans at [`Self::finish`].
    pub fn set_shared(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Takes every field of a record.
    pub fn copy_from(&mut self, span: &SpanRef<'_>) {
        self.clear();
        self.trace_id = Some(span.trace_id);
        self.id = Some(span.id);
        self.parent_id = span.parent_id;
        self.kind = span.kind;
        self.name.push_str(span.name.unwrap_or_default());
        self.timestamp_us = span.timestamp_us.unwrap_or(0);
        self.duration_us = span.duration_us.unwrap_or(0);
        self.local_endpoint.copy_from(span.local_endpoint);
        self.remote_endpoint.copy_from(span.remote_endpoint);
        span.annotations().for_each(|(timestamp_us, value)| self.add_annotation(timestamp_us, value));
        span.tags().for_each(|(key, value)| self.add_tag(key, value));
        self.debug = span.debug;
        self.shared = span.shared;
    }

    /// Takes every field of an owned span; what is not normalised becomes so.
    pub fn copy_from_owned(&mut self, span: &Span) {
        self.clear();
        self.trace_id = Some(span.trace_id);
        self.id = Some(span.id);
        self.parent_id = span.parent_id;
        self.kind = span.kind;
        self.set_name(span.name.as_deref().unwrap_or_default());
        self.timestamp_us = span.timestamp_us.unwrap_or(0);
        self.duration_us = span.duration_us.unwrap_or(0);
        self.local_endpoint.copy_from_owned(span.local_endpoint.as_ref());
        self.remote_endpoint.copy_from_owned(span.remote_endpoint.as_ref());
        span.annotations.iter().for_each(|a| self.add_annotation(a.timestamp_us, &a.value));
        span.tags.iter().for_each(|(key, value)| self.add_tag(key, value));
        self.debug = span.debug;
        self.shared = span.shared;
    }

    /// Appends the span to `batch`. The builder keeps its fields; [`Self::clear`] comes before the next span.
    ///
    /// # Errors
    /// [`MissingId`] when the trace id or the id is missing; the batch is unchanged then.
    pub fn finish(&mut self, batch: &mut SpanBatch) -> Result<(), MissingId> {
        let (trace_id, id) = match (self.trace_id, self.id) {
            (Some(trace_id), Some(id)) => (trace_id, id),
            (Some(_), None) => return Err(MissingId::Span),
            (None, Some(_)) => return Err(MissingId::Trace),
            (None, None) => return Err(MissingId::Both),
        };
        let parent_id = self.parent_id.filter(|parent_id| *parent_id != id);
        let shared = self.shared && self.kind != Some(SpanKind::Client);
        self.sort_annotations();
        self.sort_tags();

        let buffer = batch.buffer_mut();
        buffer.extend_from_slice(&self.flags(trace_id, parent_id, shared).to_le_bytes());
        buffer.extend_from_slice(&trace_id.low().to_le_bytes());
        if trace_id.is_128_bit() {
            buffer.extend_from_slice(&trace_id.high().to_le_bytes());
        }
        buffer.extend_from_slice(&id.value().to_le_bytes());
        if let Some(parent_id) = parent_id {
            buffer.extend_from_slice(&parent_id.value().to_le_bytes());
        }
        if self.timestamp_us > 0 {
            buffer.extend_from_slice(&self.timestamp_us.to_le_bytes());
        }
        if self.duration_us > 0 {
            put_var(buffer, self.duration_us as u64);
        }
        if !self.name.is_empty() {
            put_text(buffer, &self.name);
        }
        self.local_endpoint.write(buffer);
        self.remote_endpoint.write(buffer);
        self.write_lists(buffer);
        batch.end_record();
        Ok(())
    }

    fn sort_annotations(&mut self) {
        if self.annotations.len() < 2 {
            return;
        }
        let text = &self.text;
        self.annotations.sort_unstable_by(|a, b| {
            a.timestamp_us.cmp(&b.timestamp_us).then_with(|| cmp_utf16(a.value(text), b.value(text)))
        });
        self.annotations.dedup_by(|a, b| a.timestamp_us == b.timestamp_us && a.value(text) == b.value(text));
    }

    fn sort_tags(&mut self) {
        if self.tags.len() < 2 {
            return;
        }
        let text = &self.text;
        self.tags.sort_unstable_by(|a, b| cmp_utf16(a.key(text), b.key(text)).then(a.start.cmp(&b.start)));
        // Of equal keys the last one sent stands last and must win.
        self.tags.dedup_by(|later, kept| {
            let same = later.key(text) == kept.key(text);
            if same {
                *kept = *later;
            }
            same
        });
    }

    fn flags(&self, trace_id: TraceId, parent_id: Option<SpanId>, shared: bool) -> u16 {
        let mut flags = match self.kind {
            None => 0,
            Some(SpanKind::Client) => 1,
            Some(SpanKind::Server) => 2,
            Some(SpanKind::Producer) => 3,
            Some(SpanKind::Consumer) => 4,
        };
        let mut set = |bit: u16, when: bool| flags |= if when { bit } else { 0 };
        set(flag::DEBUG, self.debug);
        set(flag::SHARED, shared);
        set(flag::TRACE_HIGH, trace_id.is_128_bit());
        set(flag::PARENT, parent_id.is_some());
        set(flag::TIMESTAMP, self.timestamp_us > 0);
        set(flag::DURATION, self.duration_us > 0);
        set(flag::NAME, !self.name.is_empty());
        set(flag::LOCAL, !self.local_endpoint.is_empty());
        set(flag::REMOTE, !self.remote_endpoint.is_empty());
        set(flag::ANNOTATIONS, !self.annotations.is_empty());
        set(flag::TAGS, !self.tags.is_empty());
        flags
    }

    fn write_lists(&self, buffer: &mut Vec<u8>) {
        if !self.annotations.is_empty() {
            put_var(buffer, self.annotations.len() as u64);
            for annotation in &self.annotations {
                buffer.extend_from_slice(&annotation.timestamp_us.to_le_bytes());
                put_text(buffer, annotation.value(&self.text));
            }
        }
        if !self.tags.is_empty() {
            put_var(buffer, self.tags.len() as u64);
            for tag in &self.tags {
                put_text(buffer, tag.key(&self.text));
                put_text(buffer, tag.value(&self.text));
            }
        }
    }
}

/// The fields of one endpoint; none set means no endpoint.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EndpointBuilder {
    service_name: String,
    ipv4: String,
    ipv6: String,
    port: u16,
}

impl EndpointBuilder {
    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.service_name.clear();
        self.ipv4.clear();
        self.ipv6.clear();
        self.port = 0;
    }

    /// True when no field is set, so the span has no such endpoint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.service_name.is_empty() && self.ipv4.is_empty() && self.ipv6.is_empty() && self.port == 0
    }

    /// Sets the service name, lower-cased; empty is none.
    pub fn set_service_name(&mut self, name: &str) {
        self.service_name.clear();
        push_lower_case(&mut self.service_name, name);
    }

    /// The service name so far, empty when there is none.
    #[must_use]
    pub fn service_name(&self) -> &str {
        &self.service_name
    }

    /// Sets the address of whichever family the text is; other text is ignored, as zipkin does.
    pub fn set_ip(&mut self, text: &str) {
        if is_dotted_quad(text) {
            // By far the most common form; kept as written, without a string of its own.
            self.ipv4.clear();
            self.ipv4.push_str(text);
        } else {
            self.set_ip_text(IpText::parse(text));
        }
    }

    /// Sets the address from its 4 or 16 bytes; other lengths are ignored.
    pub fn set_ip_bytes(&mut self, bytes: &[u8]) {
        if let Ok(quad) = <[u8; 4]>::try_from(bytes) {
            self.ipv4.clear();
            push_ipv4(&mut self.ipv4, quad);
        } else {
            self.set_ip_text(IpText::from_bytes(bytes));
        }
    }

    /// Sets the port; zero is none.
    pub fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Replaces all fields by those of another builder, keeps the memory.
    pub fn copy_from_builder(&mut self, other: &Self) {
        self.service_name.clone_from(&other.service_name);
        self.ipv4.clone_from(&other.ipv4);
        self.ipv6.clone_from(&other.ipv6);
        self.port = other.port;
    }

    /// Replaces all fields by those of an owned endpoint.
    pub fn set(&mut self, endpoint: &Endpoint) {
        self.clear();
        self.copy_from_owned(Some(endpoint));
    }

    /// The fields so far as an owned endpoint, `None` when there are none.
    #[must_use]
    pub fn to_endpoint(&self) -> Option<Endpoint> {
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        (!self.is_empty()).then(|| Endpoint {
            service_name: text(&self.service_name),
            ipv4: text(&self.ipv4),
            ipv6: text(&self.ipv6),
            port: (self.port != 0).then_some(self.port),
        })
    }

    fn set_ip_text(&mut self, ip: Option<IpText>) {
        match ip {
            Some(IpText::V4(text)) => self.ipv4 = text,
            Some(IpText::V6(text)) => self.ipv6 = text,
            None => {}
        }
    }

    fn copy_from(&mut self, endpoint: Option<EndpointRef<'_>>) {
        let Some(endpoint) = endpoint else { return };
        self.service_name.push_str(endpoint.service_name.unwrap_or_default());
        self.ipv4.push_str(endpoint.ipv4.unwrap_or_default());
        self.ipv6.push_str(endpoint.ipv6.unwrap_or_default());
        self.port = endpoint.port.unwrap_or(0);
    }

    fn copy_from_owned(&mut self, endpoint: Option<&Endpoint>) {
        let Some(endpoint) = endpoint else { return };
        self.set_service_name(endpoint.service_name.as_deref().unwrap_or_default());
        self.set_ip(endpoint.ipv4.as_deref().unwrap_or_default());
        self.set_ip(endpoint.ipv6.as_deref().unwrap_or_default());
        self.port = endpoint.port.unwrap_or(0);
    }

    fn write(&self, buffer: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let bit = |bit: u8, set: bool| if set { bit } else { 0 };
        buffer.push(
            bit(flag::SERVICE, !self.service_name.is_empty())
                | bit(flag::IPV4, !self.ipv4.is_empty())
                | bit(flag::IPV6, !self.ipv6.is_empty())
                | bit(flag::PORT, self.port != 0),
        );
        for text in [&self.service_name, &self.ipv4, &self.ipv6] {
            if !text.is_empty() {
                put_text(buffer, text);
            }
        }
        if self.port != 0 {
            buffer.extend_from_slice(&self.port.to_le_bytes());
        }
    }
}

/// Order of UTF-16 code units, which is zipkin's order of names, keys and values.
///
/// It differs from the order of UTF-8 bytes only where a character above U+FFFF meets one from U+E000 up.
#[must_use]
pub fn cmp_utf16(a: &str, b: &str) -> std::cmp::Ordering {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    match (a.as_bytes().get(common), b.as_bytes().get(common)) {
        (Some(&x), Some(&y)) if x < 0xee || y < 0xee => {
            // At least one side starts below U+E000, where both orders agree.
            x.cmp(&y)
        }
        (Some(_), Some(_)) => a.encode_utf16().cmp(b.encode_utf16()),
        _ => a.len().cmp(&b.len()),
    }
}

/// Appends the lower-case form: full Unicode, independent of locale, as zipkin does (final sigma included).
fn push_lower_case(target: &mut String, text: &str) {
    if text.is_ascii() {
        let start = target.len();
        target.push_str(text);
        target[start..].make_ascii_lowercase();
    } else {
        target.push_str(&text.to_lowercase());
    }
}

#[cfg(test)]
mod tests;
