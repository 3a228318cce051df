//! One OTLP span to one Zipkin span.

use std::fmt::Write;

use super::value::{as_text, json_text, write_json_object};
use super::view::{Attribute, Event, Id, Link, Scope, Span, Value};
use super::{Export, OtlpError};
use crate::codec::DecodeLimits;
use crate::model::{IpText, SpanBatch, SpanBuilder, SpanId, SpanKind, TraceId};

/// What the service is called when the resource does not say (OpenTelemetry resource semantic conventions).
const UNKNOWN_SERVICE: &str = "unknown_service";
/// The tag that carries links: a JSON list of `{"traceId","spanId","attributes"}`.
pub(super) const LINKS_TAG: &str = "otel.links";
/// `Status.code`.
const STATUS_OK: i32 = 1;
const STATUS_ERROR: i32 = 2;

/// Attributes that name the other end, the best first (OpenTelemetry to Zipkin, "Remote endpoint").
fn name_rank(key: &str) -> Option<usize> {
    Some(match key {
        "peer.service" => 0,
        "server.address" => 1,
        "net.peer.name" => 2,
        "network.peer.address" => 3,
        "net.sock.peer.addr" => 4,
        "db.name" => 5,
        _ => return None,
    })
}

fn port_rank(key: &str) -> Option<usize> {
    Some(match key {
        "server.port" => 0,
        "net.peer.port" => 1,
        "network.peer.port" => 2,
        "net.sock.peer.port" => 3,
        _ => return None,
    })
}

/// A resource's attributes, made text once for all of its spans.
#[derive(Debug)]
pub(super) struct ResourceTags {
    service_name: String,
    tags: Vec<(String, String)>,
}

impl ResourceTags {
    pub(super) fn new(attributes: &[Attribute<'_>]) -> Self {
        let mut this = Self { service_name: UNKNOWN_SERVICE.to_owned(), tags: Vec::new() };
        let mut text = String::new();
        for attribute in attributes {
            let value = as_text(&attribute.value, &mut text);
            if attribute.key != "service.name" {
                this.tags.push((attribute.key.clone().into_owned(), value.to_owned()));
            } else if !value.is_empty() {
                value.clone_into(&mut this.service_name);
            }
        }
        this
    }
}

/// A scope's name, version and attributes, made tags once for all of its spans.
#[derive(Debug)]
pub(super) struct ScopeTags(Vec<(String, String)>);

impl ScopeTags {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        let mut tags = Vec::new();
        for (key, value) in [("otel.scope.name", &scope.name), ("otel.scope.version", &scope.version)] {
            if !value.is_empty() {
                tags.push((key.to_owned(), value.clone().into_owned()));
            }
        }
        let mut text = String::new();
        for attribute in &scope.attributes {
            tags.push((attribute.key.clone().into_owned(), as_text(&attribute.value, &mut text).to_owned()));
        }
        Self(tags)
    }
}

/// Takes spans one by one.
#[derive(Debug)]
pub(super) struct Converter<'l> {
    limits: &'l DecodeLimits,
    builder: SpanBuilder,
    text: String,
    export: Export,
}

impl<'l> Converter<'l> {
    /// For a message of `body_bytes` bytes.
    pub(super) fn new(limits: &'l DecodeLimits, body_bytes: usize) -> Self {
        // A record takes about as much as the protobuf it comes from.
        let spans = SpanBatch::with_capacity((body_bytes / 128).min(limits.spans_max), body_bytes);
        let export = Export { spans, ..Export::default() };
        Self { limits, builder: SpanBuilder::new(), text: String::new(), export }
    }

    pub(super) fn finish(self) -> Export {
        self.export
    }

    /// Appends the span, or notes that it is rejected.
    ///
    /// # Errors
    /// When the message is beyond its limits.
    pub(super) fn add(&mut self, resource: &ResourceTags, scope: &ScopeTags, span: &Span<'_>) -> Result<(), OtlpError> {
        if self.export.spans.len() + self.export.rejected >= self.limits.spans_max {
            return Err(OtlpError::TooManySpans(self.limits.spans_max));
        }
        self.builder.clear();
        if let Err(reason) = self.set_ids(span) {
            self.reject(reason);
            return Ok(());
        }
        self.builder.set_name(&span.name);
        self.builder.set_kind(kind(span.kind));
        self.set_times(span);
        self.builder.local_endpoint.set_service_name(&resource.service_name);
        for (key, value) in resource.tags.iter().chain(&scope.0) {
            self.builder.add_tag(key, value);
        }
        for attribute in &span.attributes {
            self.builder.add_tag(&attribute.key, as_text(&attribute.value, &mut self.text));
        }
        if matches!(kind(span.kind), Some(SpanKind::Client | SpanKind::Producer)) {
            self.set_remote_endpoint(&span.attributes);
        }
        self.add_status(span);
        for event in &span.events {
            self.add_event(event);
        }
        self.add_extras(span);
        if let Err(missing) = self.builder.finish(&mut self.export.spans) {
            self.reject(missing.to_string());
        }
        // Each span repeats the tags of its resource, so a message can become far larger than it was.
        let bytes_max = self.limits.otlp_spans_bytes_max;
        if self.export.spans.record_bytes() > bytes_max {
            return Err(OtlpError::TooLarge(bytes_max));
        }
        Ok(())
    }

    fn reject(&mut self, reason: String) {
        if self.export.rejected == 0 {
            self.export.reason = reason;
        }
        self.export.rejected += 1;
    }

    fn set_ids(&mut self, span: &Span<'_>) -> Result<(), String> {
        let Id { length, value } = span.trace_id;
        if length != 16 {
            return Err(format!("trace_id of {length} bytes, expected 16"));
        }
        let trace_id = TraceId::from_halves((value >> 64) as u64, value as u64).ok_or("trace_id is all zeros")?;
        let of_8_bytes = |id: Id, name: &str| {
            let right = id.length == 8;
            right.then_some(id.value as u64).ok_or_else(|| format!("{name} of {} bytes, expected 8", id.length))
        };
        let id = of_8_bytes(span.span_id, "span_id")?;
        if id == 0 {
            return Err("span_id is all zeros".to_owned());
        }
        if span.parent_span_id.length > 0 {
            self.builder.set_parent_id(SpanId::new(of_8_bytes(span.parent_span_id, "parent_span_id")?));
        }
        self.builder.set_trace_id(trace_id);
        self.builder.set_id(SpanId::new(id));
        Ok(())
    }

    /// Whole microseconds, at least one: a shorter span has ended all the same. A span without an end (flushed early by
    /// its tracer) gets 1 too, as zipkin's OTLP module was seen to answer.
    fn set_times(&mut self, span: &Span<'_>) {
        let (start_us, end_us) = (span.start_time_unix_nano / 1_000, span.end_time_unix_nano / 1_000);
        self.builder.set_timestamp_us(start_us as i64);
        if start_us > 0 {
            self.builder.set_duration_us(end_us.saturating_sub(start_us).max(1) as i64);
        }
    }

    fn set_remote_endpoint(&mut self, attributes: &[Attribute<'_>]) {
        let (mut best_name, mut best_port) = (None, None);
        for attribute in attributes {
            if let (Some(rank), Value::Text(text)) = (name_rank(&attribute.key), &attribute.value)
                && !text.is_empty()
                && best_name.is_none_or(|(best, _)| rank < best)
            {
                best_name = Some((rank, &**text));
            } else if let (Some(rank), Some(port)) = (port_rank(&attribute.key), port(&attribute.value))
                && best_port.is_none_or(|(best, _)| rank < best)
            {
                best_port = Some((rank, port));
            }
        }
        let Some((rank, name)) = best_name else { return };
        let remote = &mut self.builder.remote_endpoint;
        if rank == 0 {
            // A name that people gave: no address, and no port of one.
            remote.set_service_name(name);
            return;
        }
        if IpText::parse(name).is_some() {
            remote.set_ip(name);
        } else {
            remote.set_service_name(name);
        }
        if let Some((_, port)) = best_port {
            remote.set_port(port);
        }
    }

    fn add_status(&mut self, span: &Span<'_>) {
        let Some(status) = &span.status else { return };
        match status.code {
            STATUS_OK => self.builder.add_tag("otel.status_code", "OK"),
            STATUS_ERROR => {
                self.builder.add_tag("otel.status_code", "ERROR");
                // An `error` attribute of the span says more than an empty description.
                if !status.message.is_empty() || span.attributes.iter().all(|attribute| attribute.key != "error") {
                    self.builder.add_tag("error", &status.message);
                }
            }
            _ => {}
        }
    }

    /// `name`, or `"name":{attributes}` where there are some.
    fn add_event(&mut self, event: &Event<'_>) {
        let timestamp_us = (event.time_unix_nano / 1_000) as i64;
        if event.attributes.is_empty() {
            self.builder.add_annotation(timestamp_us, &event.name);
        } else {
            self.text.clear();
            let _ = write!(self.text, "{}:", json_text(&event.name));
            write_json_object(&event.attributes, &mut self.text);
            self.builder.add_annotation(timestamp_us, &self.text);
        }
    }

    /// What Zipkin has no field for: links, trace state, and how much the SDK dropped.
    fn add_extras(&mut self, span: &Span<'_>) {
        if !span.links.is_empty() {
            self.text.clear();
            write_links(&span.links, &mut self.text);
            self.builder.add_tag(LINKS_TAG, &self.text);
        }
        if !span.trace_state.is_empty() {
            self.builder.add_tag("w3c.tracestate", &span.trace_state);
        }
        let dropped = [
            ("otel.dropped_attributes_count", span.dropped_attributes_count),
            ("otel.dropped_events_count", span.dropped_events_count),
            ("otel.dropped_links_count", span.dropped_links_count),
        ];
        for (key, count) in dropped.into_iter().filter(|(_, count)| *count > 0) {
            self.builder.add_tag(key, &count.to_string());
        }
    }
}

/// `Span.SpanKind`: 1 is internal, 0 not given; a kind from the future is none.
fn kind(kind: i32) -> Option<SpanKind> {
    match kind {
        2 => Some(SpanKind::Server),
        3 => Some(SpanKind::Client),
        4 => Some(SpanKind::Producer),
        5 => Some(SpanKind::Consumer),
        _ => None,
    }
}

fn port(value: &Value<'_>) -> Option<u16> {
    match value {
        Value::Int(port) => u16::try_from(*port).ok(),
        Value::Text(port) => port.parse().ok(),
        _ => None,
    }
}

fn write_links(links: &[Link<'_>], text: &mut String) {
    text.push('[');
    for (index, link) in links.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, r#"{comma}{{"traceId":"{}","spanId":"{}""#, link.trace_id, link.span_id);
        if !link.attributes.is_empty() {
            text.push_str(r#","attributes":"#);
            write_json_object(&link.attributes, text);
        }
        text.push('}');
    }
    text.push(']');
}
