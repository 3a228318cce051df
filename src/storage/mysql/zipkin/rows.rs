//! Rows of zipkin's tables, made of spans: pure, no I/O.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::schema::Schema;
use crate::model::v1::{V1Span, V1Value};
use crate::model::{Endpoint, SpanBatch, SpanRef};

/// Types of annotation rows.
pub(super) const TYPE_ANNOTATION: i32 = -1;
pub(super) const TYPE_ADDRESS: i32 = 0;
pub(super) const TYPE_TEXT: i32 = 6;
/// Most bytes of a tag's value: a BLOB.
const VALUE_BYTES_MAX: usize = 65_535;

/// Trace (both halves) and span.
pub(super) type SpanKey = (i64, i64, i64);

/// A row of `zipkin_spans`: all reports of one id in a batch, in their order. What is missing does not replace what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SpanRow {
    pub(super) name: String,
    pub(super) remote_service_name: String,
    pub(super) parent_id: Option<i64>,
    pub(super) debug: Option<bool>,
    /// Reported by the span's owner.
    pub(super) start_us: Option<i64>,
    /// Of a shared span: stands until the owner reports.
    pub(super) tentative_start_us: Option<i64>,
    pub(super) duration_us: Option<i64>,
}

/// A row of `zipkin_annotations`, in the order of its unique key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnnotationRow {
    pub(super) span: SpanKey,
    pub(super) key: String,
    pub(super) timestamp_us: i64,
    pub(super) kind: i32,
    pub(super) value: Option<Vec<u8>>,
    pub(super) ipv4: Option<i32>,
    pub(super) ipv6: Option<Vec<u8>>,
    pub(super) port: Option<i16>,
    pub(super) service_name: Option<String>,
}

/// What a batch adds, by key: every writer touches rows in this order.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) spans: BTreeMap<SpanKey, SpanRow>,
    pub(super) annotations: Vec<AnnotationRow>,
}

impl Rows {
    /// # Errors
    /// What the tables cannot hold, in words.
    pub(super) fn of(batch: &SpanBatch, schema: &Schema) -> Result<Self, String> {
        let mut rows = Self::default();
        for span in batch.iter() {
            rows.add(&span, schema)?;
        }
        // The first of equal keys is kept, as the tables do; the sort is stable.
        rows.annotations.sort_by(|left, right| left.unique_key().cmp(&right.unique_key()));
        Ok(rows)
    }

    fn add(&mut self, span: &SpanRef<'_>, schema: &Schema) -> Result<(), String> {
        let v1 = V1Span::from(span);
        let high = if schema.has_trace_id_high { span.trace_id.high() as i64 } else { 0 };
        let key = (high, span.trace_id.low() as i64, span.id.value() as i64);
        let remote = span.remote_service_name().unwrap_or_default();
        schema.check("a span's name", &v1.name, schema.name_max)?;
        schema.check("a service's name", remote, schema.service_name_max)?;
        let is_first = !self.spans.contains_key(&key);
        let row = self.spans.entry(key).or_default();
        if is_first {
            row.debug = span.debug.then_some(true);
            row.tentative_start_us = span.timestamp_us.filter(|_| span.shared);
        }
        if !v1.name.is_empty() && v1.name != "unknown" {
            row.name.clone_from(&v1.name);
        }
        if !remote.is_empty() {
            remote.clone_into(&mut row.remote_service_name);
        }
        row.parent_id = span.parent_id.map(|id| id.value() as i64).or(row.parent_id);
        row.start_us = Some(v1.timestamp_us).filter(|us| *us > 0).or(row.start_us);
        row.duration_us = Some(v1.duration_us).filter(|us| *us > 0).or(row.duration_us);
        self.add_annotations(key, span.timestamp_us.unwrap_or(0), v1, schema)
    }

    fn add_annotations(&mut self, span: SpanKey, timestamp_us: i64, v1: V1Span, schema: &Schema) -> Result<(), String> {
        for annotation in v1.annotations {
            schema.check("an annotation", &annotation.value, schema.key_max)?;
            let row = AnnotationRow::new(span, annotation.value, annotation.timestamp_us, TYPE_ANNOTATION, None);
            self.annotations.push(row.with_endpoint(annotation.endpoint.as_deref(), schema)?);
        }
        for tag in v1.binary_annotations {
            schema.check("a tag's key", &tag.key, schema.key_max)?;
            let (kind, value) = match tag.value {
                V1Value::Text(text) => (TYPE_TEXT, text.into_bytes()),
                V1Value::Address => (TYPE_ADDRESS, vec![1]),
            };
            if value.len() > VALUE_BYTES_MAX {
                return Err(format!("a tag's value of {} bytes is longer than {VALUE_BYTES_MAX}", value.len()));
            }
            let row = AnnotationRow::new(span, tag.key, timestamp_us, kind, Some(value));
            self.annotations.push(row.with_endpoint(tag.endpoint.as_deref(), schema)?);
        }
        Ok(())
    }
}

impl AnnotationRow {
    fn unique_key(&self) -> (SpanKey, &str, i64) {
        (self.span, &self.key, self.timestamp_us)
    }

    fn new(span: SpanKey, key: String, timestamp_us: i64, kind: i32, value: Option<Vec<u8>>) -> Self {
        Self { span, key, timestamp_us, kind, value, ipv4: None, ipv6: None, port: None, service_name: None }
    }

    fn with_endpoint(mut self, endpoint: Option<&Endpoint>, schema: &Schema) -> Result<Self, String> {
        let Some(endpoint) = endpoint else { return Ok(self) };
        let name = endpoint.service_name.clone().unwrap_or_default();
        schema.check("a service's name", &name, schema.service_name_max)?;
        self.service_name = Some(name);
        let ipv4 = endpoint.ipv4.as_deref().and_then(|text| text.parse::<Ipv4Addr>().ok());
        self.ipv4 = ipv4.map(|address| i32::from_be_bytes(address.octets()));
        let ipv6 = endpoint.ipv6.as_deref().filter(|_| schema.has_ipv6);
        self.ipv6 = ipv6.and_then(|text| text.parse::<Ipv6Addr>().ok()).map(|address| address.octets().to_vec());
        self.port = endpoint.port.map(|port| port as i16);
        Ok(self)
    }
}

impl Schema {
    /// Whether the columns have all of its characters. What they cannot hold is nowhere in them, and the engine does not even
    /// compare it.
    pub(super) fn can_hold(&self, text: &str) -> bool {
        self.is_utf8mb4 || text.chars().all(|character| character.len_utf8() <= 3)
    }

    /// Beforehand, because the engine would cut some texts silently.
    fn check(&self, what: &str, text: &str, characters_max: usize) -> Result<(), String> {
        let characters = text.chars().count();
        if characters > characters_max {
            return Err(format!("{what} of {characters} characters is longer than its column ({characters_max})"));
        }
        if !self.can_hold(text) {
            return Err(format!("{what} has a character beyond U+FFFF, which its column (utf8mb3) cannot hold"));
        }
        Ok(())
    }
}
