//! A record in pieces: what a store that keeps spans by column takes apart and puts together again, byte by byte the same.

use super::CorruptRecord;
use super::record::{Reader, flag, put_var};

/// The numbers of a record. Which of them it has is said by `flags`; the others are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHead {
    /// As in the record: kind, debug, shared and which fields there are.
    pub flags: u16,
    /// Low half of the trace id.
    pub low: u64,
    /// High half of the trace id.
    pub high: u64,
    /// Span id.
    pub id: u64,
    /// Id of the parent.
    pub parent_id: u64,
    /// Start in microseconds.
    pub timestamp_us: i64,
    /// Duration in microseconds.
    pub duration_us: u64,
}

impl RecordHead {
    /// The high half of the trace id is kept.
    pub const HIGH: u16 = flag::TRACE_HIGH;
    /// There is a parent.
    pub const PARENT: u16 = flag::PARENT;
    /// There is a start.
    pub const TIMESTAMP: u16 = flag::TIMESTAMP;
    /// There is a duration.
    pub const DURATION: u16 = flag::DURATION;

    /// Whether the record has what the flag stands for.
    #[must_use]
    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// A record taken apart. Texts come as the bytes that stand in the record.
#[derive(Clone, Copy, Debug)]
pub struct RecordParts<'a> {
    /// Numbers.
    pub head: RecordHead,
    /// Name.
    pub name: Option<&'a [u8]>,
    /// Local endpoint, all of it.
    pub local_endpoint: Option<&'a [u8]>,
    /// Remote endpoint, all of it.
    pub remote_endpoint: Option<&'a [u8]>,
    annotation_count: usize,
    annotations: &'a [u8],
    tag_count: usize,
    tags: &'a [u8],
}

impl<'a> RecordParts<'a> {
    /// Takes a record apart.
    ///
    /// # Errors
    /// [`CorruptRecord`] when the bytes are no record.
    pub fn read(record: &'a [u8]) -> Result<Self, CorruptRecord> {
        let mut reader = Reader { rest: record };
        let flags = u16::from_le_bytes(reader.array()?);
        let low = u64::from_le_bytes(reader.array()?);
        let number = |reader: &mut Reader<'a>, bit: u16| -> Result<u64, CorruptRecord> {
            if flags & bit == 0 { Ok(0) } else { Ok(u64::from_le_bytes(reader.array()?)) }
        };
        let high = number(&mut reader, flag::TRACE_HIGH)?;
        let id = u64::from_le_bytes(reader.array()?);
        let parent_id = number(&mut reader, flag::PARENT)?;
        let timestamp_us = number(&mut reader, flag::TIMESTAMP)? as i64;
        let duration_us = reader.when(flags & flag::DURATION, Reader::var)?.unwrap_or(0);
        let head = RecordHead { flags, low, high, id, parent_id, timestamp_us, duration_us };
        let name = reader.when(flags & flag::NAME, Reader::bytes)?;
        let local_endpoint = reader.when(flags & flag::LOCAL, Reader::endpoint_bytes)?;
        let remote_endpoint = reader.when(flags & flag::REMOTE, Reader::endpoint_bytes)?;
        let annotation_count = reader.when(flags & flag::ANNOTATIONS, Reader::var)?.unwrap_or(0) as usize;
        let annotations = reader.rest;
        for _ in 0..annotation_count {
            reader.skip(8)?;
            reader.bytes()?;
        }
        let tag_count = reader.when(flags & flag::TAGS, Reader::var)?.unwrap_or(0) as usize;
        let tags = reader.rest;
        Ok(Self { head, name, local_endpoint, remote_endpoint, annotation_count, annotations, tag_count, tags })
    }

    /// How many annotations.
    #[must_use]
    pub fn annotation_count(&self) -> usize {
        self.annotation_count
    }

    /// Time and text of each annotation.
    pub fn annotations(&self) -> impl Iterator<Item = (i64, &'a [u8])> + use<'a> {
        let mut reader = Reader { rest: self.annotations };
        (0..self.annotation_count).map_while(move |_| {
            let timestamp_us = i64::from_le_bytes(reader.array().ok()?);
            Some((timestamp_us, reader.bytes().ok()?))
        })
    }

    /// How many tags.
    #[must_use]
    pub fn tag_count(&self) -> usize {
        self.tag_count
    }

    /// Each tag, key and value together, as [`split_tag`] reads it.
    pub fn tags(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader { rest: self.tags };
        (0..self.tag_count).map_while(move |_| {
            let before = reader.rest;
            reader.bytes().ok()?;
            reader.bytes().ok()?;
            Some(&before[..before.len() - reader.rest.len()])
        })
    }
}

/// Key and value of a tag of [`RecordParts::tags`].
#[must_use]
pub fn split_tag(tag: &[u8]) -> Option<(&str, &str)> {
    let mut reader = Reader { rest: tag };
    Some((reader.text().ok()?, reader.text().ok()?))
}

/// Service name of an endpoint of [`RecordParts`].
#[must_use]
pub fn service_of(endpoint: &[u8]) -> Option<&str> {
    Reader { rest: endpoint }.endpoint().ok()?.service_name
}

/// Puts a record together at the end of `buffer`: the reverse of [`RecordParts::read`].
pub(super) fn join<'a>(
    buffer: &mut Vec<u8>,
    head: &RecordHead,
    name: &[u8],
    [local_endpoint, remote_endpoint]: [&[u8]; 2],
    annotations: impl ExactSizeIterator<Item = (i64, &'a [u8])>,
    tags: impl ExactSizeIterator<Item = &'a [u8]>,
) {
    buffer.extend_from_slice(&head.flags.to_le_bytes());
    buffer.extend_from_slice(&head.low.to_le_bytes());
    if head.has(flag::TRACE_HIGH) {
        buffer.extend_from_slice(&head.high.to_le_bytes());
    }
    buffer.extend_from_slice(&head.id.to_le_bytes());
    if head.has(flag::PARENT) {
        buffer.extend_from_slice(&head.parent_id.to_le_bytes());
    }
    if head.has(flag::TIMESTAMP) {
        buffer.extend_from_slice(&head.timestamp_us.to_le_bytes());
    }
    if head.has(flag::DURATION) {
        put_var(buffer, head.duration_us);
    }
    if head.has(flag::NAME) {
        put_var(buffer, name.len() as u64);
        buffer.extend_from_slice(name);
    }
    buffer.extend_from_slice(local_endpoint);
    buffer.extend_from_slice(remote_endpoint);
    if head.has(flag::ANNOTATIONS) {
        put_var(buffer, annotations.len() as u64);
        for (timestamp_us, text) in annotations {
            buffer.extend_from_slice(&timestamp_us.to_le_bytes());
            put_var(buffer, text.len() as u64);
            buffer.extend_from_slice(text);
        }
    }
    if head.has(flag::TAGS) {
        put_var(buffer, tags.len() as u64);
        tags.for_each(|tag| buffer.extend_from_slice(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpanBatch;
    use crate::model::testing::spans_from_json;

    #[test]
    fn a_record_taken_apart_and_joined_is_the_same() {
        let spans = spans_from_json(
            r#"[{"traceId":"1","id":"2"},
                {"traceId":"ff00000000000000a","id":"2","parentId":"3","timestamp":7,"duration":900,"name":"ñ","kind":"CLIENT",
                 "localEndpoint":{"serviceName":"a","ipv4":"1.2.3.4","ipv6":"2001:db8::1","port":80},
                 "remoteEndpoint":{"port":9},
                 "annotations":[{"timestamp":5,"value":"x"},{"timestamp":9,"value":""}],
                 "tags":{"a":"","b":"c"},"debug":true,"shared":true}]"#,
        );
        let mut joined = SpanBatch::new();
        for record in spans.records() {
            let parts = RecordParts::read(record).unwrap();
            let ends = [parts.local_endpoint, parts.remote_endpoint].map(Option::unwrap_or_default);
            let annotations: Vec<_> = parts.annotations().collect();
            let tags: Vec<_> = parts.tags().collect();
            let name = parts.name.unwrap_or_default();
            joined.push_joined(&parts.head, name, ends, annotations.into_iter(), tags.into_iter());
        }
        assert_eq!(joined, spans);
        let last = RecordParts::read(spans.record(1)).unwrap();
        assert_eq!(last.local_endpoint.and_then(service_of), Some("a"));
        assert_eq!(last.remote_endpoint.and_then(service_of), None);
        assert_eq!(last.tags().map(split_tag).collect::<Vec<_>>(), [Some(("a", "")), Some(("b", "c"))]);
    }
}
