//! The compact form of one span: a byte string that holds every field once, already normalised.
//!
//! Two spans are the same span exactly when their records are the same bytes, so stores compare and hash
//! records without reading them. The layout (integers little endian, `var` = LEB128, `text` = var length + UTF-8):
//!
//! ```text
//! flags u16 · trace low u64 · [trace high u64] · id u64 · [parent u64] · [timestamp u64] · [duration var]
//! · [name text] · [local endpoint] · [remote endpoint] · [annotations: var count, {i64, text}…] · [tags: var count, {text, text}…]
//! endpoint: flags u8 · [service text] · [ipv4 text] · [ipv6 text] · [port u16]
//! ```
//!
//! The layout is also what durable stores keep, so a change of it is a change of their schema.

use super::{Endpoint, SpanBuilder, SpanId, SpanKind, TraceId};

pub(super) mod flag {
    pub(crate) const KIND: u16 = 0b111;
    pub(crate) const DEBUG: u16 = 1 << 3;
    pub(crate) const SHARED: u16 = 1 << 4;
    pub(crate) const TRACE_HIGH: u16 = 1 << 5;
    pub(crate) const PARENT: u16 = 1 << 6;
    pub(crate) const TIMESTAMP: u16 = 1 << 7;
    pub(crate) const DURATION: u16 = 1 << 8;
    pub(crate) const NAME: u16 = 1 << 9;
    pub(crate) const LOCAL: u16 = 1 << 10;
    pub(crate) const REMOTE: u16 = 1 << 11;
    pub(crate) const ANNOTATIONS: u16 = 1 << 12;
    pub(crate) const TAGS: u16 = 1 << 13;

    pub(crate) const SERVICE: u8 = 1;
    pub(crate) const IPV4: u8 = 1 << 1;
    pub(crate) const IPV6: u8 = 1 << 2;
    pub(crate) const PORT: u8 = 1 << 3;
}

/// An endpoint inside a record. At least one member is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointRef<'a> {
    /// Lower-case service name.
    pub service_name: Option<&'a str>,
    /// Dotted quad as it was written.
    pub ipv4: Option<&'a str>,
    /// Canonical IPv6 text.
    pub ipv6: Option<&'a str>,
    /// 1 to 65535.
    pub port: Option<u16>,
}

impl From<EndpointRef<'_>> for Endpoint {
    fn from(endpoint: EndpointRef<'_>) -> Self {
        Self {
            service_name: endpoint.service_name.map(str::to_owned),
            ipv4: endpoint.ipv4.map(str::to_owned),
            ipv6: endpoint.ipv6.map(str::to_owned),
            port: endpoint.port,
        }
    }
}

/// A view of one record: scalars read once, annotations and tags on demand.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    record: &'a [u8],
    annotations: &'a [u8],
    annotation_count: usize,
    tags: &'a [u8],
    tag_count: usize,
    /// Trace the span belongs to.
    pub trace_id: TraceId,
    /// Parent span, absent at the root.
    pub parent_id: Option<SpanId>,
    /// Identifier within the trace.
    pub id: SpanId,
    /// Absent for local work.
    pub kind: Option<SpanKind>,
    /// Lower-case name.
    pub name: Option<&'a str>,
    /// Start, microseconds since the epoch, positive.
    pub timestamp_us: Option<i64>,
    /// Duration in microseconds, positive.
    pub duration_us: Option<i64>,
    /// Who recorded the span.
    pub local_endpoint: Option<EndpointRef<'a>>,
    /// The other end of the call.
    pub remote_endpoint: Option<EndpointRef<'a>>,
    /// Asked to be kept by all samplers.
    pub debug: bool,
    /// The server's half of a span whose client half another tracer recorded.
    pub shared: bool,
}

/// Bytes that are no span record: a damaged store, never a sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a span record")]
pub struct CorruptRecord;

impl<'a> SpanRef<'a> {
    /// Reads a record. Annotations and tags are checked by [`SpanRef::check`] only.
    ///
    /// # Errors
    /// [`CorruptRecord`] when the bytes are no record.
    pub fn read(record: &'a [u8]) -> Result<Self, CorruptRecord> {
        let mut reader = Reader { rest: record };
        let flags = u16::from_le_bytes(reader.array()?);
        let low = u64::from_le_bytes(reader.array()?);
        let high = if flags & flag::TRACE_HIGH != 0 { u64::from_le_bytes(reader.array()?) } else { 0 };
        let trace_id = TraceId::from_halves(high, low).ok_or(CorruptRecord)?;
        let id = SpanId::new(u64::from_le_bytes(reader.array()?));
        let parent_id = reader.when(flags & flag::PARENT, |r| Ok(SpanId::new(u64::from_le_bytes(r.array()?))))?;
        let timestamp_us = reader.when(flags & flag::TIMESTAMP, |r| Ok(i64::from_le_bytes(r.array()?)))?;
        let duration_us = reader.when(flags & flag::DURATION, |r| Ok(r.var()? as i64))?;
        let name = reader.when(flags & flag::NAME, Reader::text)?;
        let local_endpoint = reader.when(flags & flag::LOCAL, Reader::endpoint)?;
        let remote_endpoint = reader.when(flags & flag::REMOTE, Reader::endpoint)?;
        let annotation_count = reader.when(flags & flag::ANNOTATIONS, Reader::var)?.unwrap_or(0) as usize;
        let annotations = reader.rest;
        if annotation_count > 0 {
            for _ in 0..annotation_count {
                reader.skip(8)?;
                reader.bytes()?;
            }
        }
        let tag_count = reader.when(flags & flag::TAGS, Reader::var)?.unwrap_or(0) as usize;
        Ok(Self {
            record,
            annotations,
            annotation_count,
            tags: reader.rest,
            tag_count,
            trace_id,
            parent_id,
            id,
            kind: match flags & flag::KIND {
                1 => Some(SpanKind::Client),
                2 => Some(SpanKind::Server),
                3 => Some(SpanKind::Producer),
                4 => Some(SpanKind::Consumer),
                _ => None,
            },
            name,
            timestamp_us,
            duration_us,
            local_endpoint,
            remote_endpoint,
            debug: flags & flag::DEBUG != 0,
            shared: flags & flag::SHARED != 0,
        })
    }

    /// The low 64 bits of a record's trace id, without reading the rest.
    #[must_use]
    pub fn peek_trace_low(record: &[u8]) -> Option<u64> {
        let mut reader = Reader { rest: record };
        reader.skip(size_of::<u16>()).ok()?;
        reader.array().ok().map(u64::from_le_bytes)
    }

    /// The start of a record's span in whole milliseconds, 0 without timestamp, without reading the rest.
    #[must_use]
    pub fn peek_timestamp_ms(record: &[u8]) -> i64 {
        let peek = || {
            let mut reader = Reader { rest: record };
            let flags = u16::from_le_bytes(reader.array().ok()?);
            let ids = [true, flags & flag::TRACE_HIGH != 0, true, flags & flag::PARENT != 0];
            reader.skip(ids.into_iter().filter(|set| *set).count() * size_of::<u64>()).ok()?;
            let set = flags & flag::TIMESTAMP != 0;
            set.then(|| reader.array().ok().map(i64::from_le_bytes)).flatten()
        };
        peek().unwrap_or(0) / 1000
    }

    /// Reads the whole record, annotations and tags included.
    ///
    /// # Errors
    /// [`CorruptRecord`] when anything is missing, left over or no UTF-8.
    pub fn check(record: &'a [u8]) -> Result<Self, CorruptRecord> {
        let span = Self::read(record)?;
        let mut reader = Reader { rest: span.annotations };
        for _ in 0..span.annotation_count {
            reader.skip(8)?;
            reader.text()?;
        }
        reader.rest = span.tags;
        for _ in 0..span.tag_count {
            reader.text()?;
            reader.text()?;
        }
        if reader.rest.is_empty() { Ok(span) } else { Err(CorruptRecord) }
    }

    /// The bytes of the whole record.
    #[must_use]
    pub fn record(&self) -> &'a [u8] {
        self.record
    }

    /// Annotations as (microseconds, value), sorted by time, then value.
    pub fn annotations(&self) -> impl Iterator<Item = (i64, &'a str)> + use<'a> {
        let mut reader = Reader { rest: self.annotations };
        (0..self.annotation_count).map_while(move |_| {
            let timestamp_us = i64::from_le_bytes(reader.array().ok()?);
            Some((timestamp_us, reader.text().ok()?))
        })
    }

    /// Tags as (key, value), sorted by key.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = Reader { rest: self.tags };
        (0..self.tag_count).map_while(move |_| Some((reader.text().ok()?, reader.text().ok()?)))
    }

    /// The value of one tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        self.tags().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Service name of the local endpoint.
    #[must_use]
    pub fn local_service_name(&self) -> Option<&'a str> {
        self.local_endpoint.and_then(|endpoint| endpoint.service_name)
    }

    /// Service name of the remote endpoint.
    #[must_use]
    pub fn remote_service_name(&self) -> Option<&'a str> {
        self.remote_endpoint.and_then(|endpoint| endpoint.service_name)
    }

    /// Start in whole milliseconds, 0 without timestamp: what windows and orders of zipkin's memory store go by.
    #[must_use]
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_us.unwrap_or(0) / 1000
    }

    /// Copies the span into a builder, for the rare places that change a stored span.
    pub fn to_builder(&self, builder: &mut SpanBuilder) {
        builder.copy_from(self);
    }
}

/// Reads what a record is made of.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn when<T>(
        &mut self,
        set: u16,
        read: impl FnOnce(&mut Self) -> Result<T, CorruptRecord>,
    ) -> Result<Option<T>, CorruptRecord> {
        if set == 0 { Ok(None) } else { read(self).map(Some) }
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<&'a [u8], CorruptRecord> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CorruptRecord)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CorruptRecord> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CorruptRecord)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn var(&mut self) -> Result<u64, CorruptRecord> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(CorruptRecord)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], CorruptRecord> {
        let length = usize::try_from(self.var()?).map_err(|_| CorruptRecord)?;
        self.skip(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CorruptRecord> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CorruptRecord)
    }

    pub(super) fn endpoint(&mut self) -> Result<EndpointRef<'a>, CorruptRecord> {
        let [flags] = self.array()?;
        let part = |bit: u8| u16::from(flags & bit);
        Ok(EndpointRef {
            service_name: self.when(part(flag::SERVICE), Reader::text)?,
            ipv4: self.when(part(flag::IPV4), Reader::text)?,
            ipv6: self.when(part(flag::IPV6), Reader::text)?,
            port: self.when(part(flag::PORT), |r| Ok(u16::from_le_bytes(r.array()?)))?,
        })
    }

    /// The bytes of an endpoint.
    pub(super) fn endpoint_bytes(&mut self) -> Result<&'a [u8], CorruptRecord> {
        let before = self.rest;
        let [flags] = self.array()?;
        let texts = [flag::SERVICE, flag::IPV4, flag::IPV6].into_iter().filter(|bit| flags & bit != 0);
        for _ in texts {
            self.bytes()?;
        }
        if flags & flag::PORT != 0 {
            self.skip(size_of::<u16>())?;
        }
        Ok(&before[..before.len() - self.rest.len()])
    }
}

pub(super) fn put_var(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

pub(super) fn put_text(buffer: &mut Vec<u8>, text: &str) {
    put_var(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpanBatch;
    use crate::model::testing::spans_from_json;

    #[test]
    fn peeking_agrees_with_reading() {
        let batch: SpanBatch = spans_from_json(
            r#"[{"traceId":"1","id":"2"},{"traceId":"1","id":"2","timestamp":5999},
                {"traceId":"1","id":"2","parentId":"3","timestamp":7000,"duration":9},
                {"traceId":"ff00000000000000a","id":"2","parentId":"3","timestamp":8000},
                {"traceId":"ff00000000000000a","id":"2","name":"n"}]"#,
        );
        assert_eq!(batch.len(), 5);
        for span in batch.iter() {
            assert_eq!(SpanRef::peek_timestamp_ms(span.record()), span.timestamp_ms());
            assert_eq!(SpanRef::peek_trace_low(span.record()), Some(span.trace_id.low()));
        }
        assert_eq!(SpanRef::peek_timestamp_ms(&[0xff; 3]), 0);
        assert_eq!(SpanRef::peek_trace_low(&[1]), None);
    }
}
