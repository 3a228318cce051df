//! One OTLP span to one Zipkin span.

use std::fmt::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind as OtlpKind};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};

use super::Export;
use super::value::{write_json_object, write_text};
use crate::model::{IpText, SpanBuilder, SpanId, SpanKind, TraceId};

/// What the service is called when the resource does not say (OpenTelemetry resource semantic conventions).
const UNKNOWN_SERVICE: &str = "unknown_service";
/// Attributes that name the other end, the best first (OpenTelemetry to Zipkin, "Remote endpoint").
const REMOTE_NAMES: [&str; 6] =
    ["peer.service", "server.address", "net.peer.name", "network.peer.address", "net.sock.peer.addr", "db.name"];
const REMOTE_PORTS: [&str; 4] = ["server.port", "net.peer.port", "network.peer.port", "net.sock.peer.port"];
/// The tag that carries links: a JSON list of `{"traceId","spanId","attributes"}`.
pub(super) const LINKS_TAG: &str = "otel.links";

pub(super) fn convert(request: &ExportTraceServiceRequest) -> Export {
    let mut converter = Converter::default();
    for resource_spans in &request.resource_spans {
        let resource = ResourceTags::new(resource_spans.resource.as_ref());
        for scope_spans in &resource_spans.scope_spans {
            for span in &scope_spans.spans {
                converter.add(&resource, scope_spans.scope.as_ref(), span);
            }
        }
    }
    converter.export
}

/// A resource's attributes, made text once for all of its spans.
struct ResourceTags {
    service_name: String,
    tags: Vec<(String, String)>,
}

impl ResourceTags {
    fn new(resource: Option<&Resource>) -> Self {
        let mut this = Self { service_name: UNKNOWN_SERVICE.to_owned(), tags: Vec::new() };
        let mut text = String::new();
        for attribute in resource.map_or(&[][..], |resource| &resource.attributes) {
            write_text(attribute.value.as_ref(), &mut text);
            if attribute.key != "service.name" {
                this.tags.push((attribute.key.clone(), text.clone()));
            } else if !text.is_empty() {
                this.service_name = text.clone();
            }
        }
        this
    }
}

#[derive(Default)]
struct Converter {
    builder: SpanBuilder,
    text: String,
    export: Export,
}

impl Converter {
    fn add(&mut self, resource: &ResourceTags, scope: Option<&InstrumentationScope>, span: &Span) {
        self.builder.clear();
        if let Err(reason) = self.set_ids(span) {
            self.reject(reason);
            return;
        }
        self.builder.set_name(&span.name);
        self.builder.set_kind(kind(span.kind));
        self.set_times(span);
        self.builder.local_endpoint.set_service_name(&resource.service_name);
        for (key, value) in &resource.tags {
            self.builder.add_tag(key, value);
        }
        if let Some(scope) = scope {
            self.add_scope(scope);
        }
        for attribute in &span.attributes {
            write_text(attribute.value.as_ref(), &mut self.text);
            self.builder.add_tag(&attribute.key, &self.text);
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
    }

    fn reject(&mut self, reason: String) {
        if self.export.rejected == 0 {
            self.export.reason = reason;
        }
        self.export.rejected += 1;
    }

    fn set_ids(&mut self, span: &Span) -> Result<(), String> {
        let (high, low) = span
            .trace_id
            .split_at_checked(8)
            .and_then(|(high, low)| Some((u64_from(high)?, u64_from(low)?)))
            .ok_or_else(|| format!("trace_id of {} bytes, expected 16", span.trace_id.len()))?;
        let trace_id = TraceId::from_halves(high, low).ok_or("trace_id is all zeros")?;
        let id =
            u64_from(&span.span_id).ok_or_else(|| format!("span_id of {} bytes, expected 8", span.span_id.len()))?;
        if id == 0 {
            return Err("span_id is all zeros".to_owned());
        }
        if !span.parent_span_id.is_empty() {
            let parent_id = u64_from(&span.parent_span_id)
                .ok_or_else(|| format!("parent_span_id of {} bytes, expected 8", span.parent_span_id.len()))?;
            self.builder.set_parent_id(SpanId::new(parent_id));
        }
        self.builder.set_trace_id(trace_id);
        self.builder.set_id(SpanId::new(id));
        Ok(())
    }

    /// Whole microseconds, at least one: a shorter span has ended all the same. A span without an end (flushed early by
    /// its tracer) gets 1 too, as zipkin's OTLP module was seen to answer.
    fn set_times(&mut self, span: &Span) {
        let (start_us, end_us) = (span.start_time_unix_nano / 1_000, span.end_time_unix_nano / 1_000);
        self.builder.set_timestamp_us(start_us as i64);
        if start_us > 0 {
            self.builder.set_duration_us(end_us.saturating_sub(start_us).max(1) as i64);
        }
    }

    fn add_scope(&mut self, scope: &InstrumentationScope) {
        if !scope.name.is_empty() {
            self.builder.add_tag("otel.scope.name", &scope.name);
        }
        if !scope.version.is_empty() {
            self.builder.add_tag("otel.scope.version", &scope.version);
        }
        for attribute in &scope.attributes {
            write_text(attribute.value.as_ref(), &mut self.text);
            self.builder.add_tag(&attribute.key, &self.text);
        }
    }

    fn set_remote_endpoint(&mut self, attributes: &[KeyValue]) {
        let Some(name) = first_text(attributes, &REMOTE_NAMES) else { return };
        let remote = &mut self.builder.remote_endpoint;
        let named = find(attributes, REMOTE_NAMES[0]).is_some();
        if !named && IpText::parse(name).is_some() {
            remote.set_ip(name);
        } else {
            remote.set_service_name(name);
        }
        if !named && let Some(port) = first_port(attributes) {
            remote.set_port(port);
        }
    }

    fn add_status(&mut self, span: &Span) {
        let Some(status) = &span.status else { return };
        match StatusCode::try_from(status.code) {
            Ok(StatusCode::Ok) => self.builder.add_tag("otel.status_code", "OK"),
            Ok(StatusCode::Error) => {
                self.builder.add_tag("otel.status_code", "ERROR");
                // An `error` attribute of the span says more than an empty description.
                if !status.message.is_empty() || !has(span, "error") {
                    self.builder.add_tag("error", &status.message);
                }
            }
            Ok(StatusCode::Unset) | Err(_) => {}
        }
    }

    /// `name`, or `"name":{attributes}` where there are some.
    fn add_event(&mut self, event: &Event) {
        let timestamp_us = (event.time_unix_nano / 1_000) as i64;
        if event.attributes.is_empty() {
            self.builder.add_annotation(timestamp_us, &event.name);
        } else {
            let name = serde_json::Value::String(event.name.clone());
            let value = format!("{name}:{}", write_json_object(&event.attributes));
            self.builder.add_annotation(timestamp_us, &value);
        }
    }

    /// What Zipkin has no field for: links, trace state, and how much the SDK dropped.
    fn add_extras(&mut self, span: &Span) {
        if !span.links.is_empty() {
            self.builder.add_tag(LINKS_TAG, &links_json(&span.links));
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

fn u64_from(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn kind(kind: i32) -> Option<SpanKind> {
    match OtlpKind::try_from(kind) {
        Ok(OtlpKind::Client) => Some(SpanKind::Client),
        Ok(OtlpKind::Server) => Some(SpanKind::Server),
        Ok(OtlpKind::Producer) => Some(SpanKind::Producer),
        Ok(OtlpKind::Consumer) => Some(SpanKind::Consumer),
        Ok(OtlpKind::Internal | OtlpKind::Unspecified) | Err(_) => None,
    }
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

fn has(span: &Span, key: &str) -> bool {
    find(&span.attributes, key).is_some()
}

fn first_text<'a>(attributes: &'a [KeyValue], keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| match find(attributes, key) {
        Some(Value::StringValue(text)) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
}

fn first_port(attributes: &[KeyValue]) -> Option<u16> {
    REMOTE_PORTS.iter().find_map(|key| match find(attributes, key)? {
        Value::IntValue(port) => u16::try_from(*port).ok(),
        Value::StringValue(port) => port.parse().ok(),
        _ => None,
    })
}

fn links_json(links: &[Link]) -> String {
    let mut text = String::from("[");
    for (index, link) in links.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, r#"{comma}{{"traceId":"{}","spanId":"{}""#, hex(&link.trace_id), hex(&link.span_id));
        if !link.attributes.is_empty() {
            let _ = write!(text, r#","attributes":{}"#, write_json_object(&link.attributes));
        }
        text.push('}');
    }
    text.push(']');
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
