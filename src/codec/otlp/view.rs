//! The parts of an export request as both encodings give them: text and bytes are borrowed from the message where it holds
//! them as they are. The attributes of serde are JSON's (`json`).

use std::borrow::Cow;

use serde::Deserialize;

use super::json::{id, kind, number, or_default, status_code, text};

/// Spans of one resource, of JSON; protobuf goes span by span.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// The library that made spans.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Scope<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) version: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// One span. [`Span::clear`] keeps the memory of the lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(deserialize_with = "id")]
    pub(super) trace_id: Id,
    #[serde(deserialize_with = "id")]
    pub(super) span_id: Id,
    #[serde(deserialize_with = "id")]
    pub(super) parent_span_id: Id,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) trace_state: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(deserialize_with = "kind")]
    pub(super) kind: i32,
    #[serde(deserialize_with = "number")]
    pub(super) start_time_unix_nano: u64,
    #[serde(deserialize_with = "number")]
    pub(super) end_time_unix_nano: u64,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: Vec<Attribute<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) events: Vec<Event<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) links: Vec<Link<'a>>,
    #[serde(deserialize_with = "number")]
    pub(super) dropped_attributes_count: u32,
    #[serde(deserialize_with = "number")]
    pub(super) dropped_events_count: u32,
    #[serde(deserialize_with = "number")]
    pub(super) dropped_links_count: u32,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) status: Option<Status<'a>>,
}

impl Span<'_> {
    pub(super) fn clear(&mut self) {
        let (mut attributes, mut events, mut links) =
            (std::mem::take(&mut self.attributes), std::mem::take(&mut self.events), std::mem::take(&mut self.links));
        attributes.clear();
        events.clear();
        links.clear();
        *self = Self { attributes, events, links, ..Self::default() };
    }
}

/// Something that happened during a span.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) time_unix_nano: u64,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// Another span that has to do with this one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Link<'a> {
    #[serde(deserialize_with = "id")]
    pub(super) trace_id: Id,
    #[serde(deserialize_with = "id")]
    pub(super) span_id: Id,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// How a span ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) message: Cow<'a, str>,
    #[serde(deserialize_with = "status_code")]
    pub(super) code: i32,
}

/// A key and its value.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Attribute<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) key: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) value: Value<'a>,
}

/// A value of any type.
#[derive(Debug, Default)]
pub(super) enum Value<'a> {
    #[default]
    Empty,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Map(Vec<Attribute<'a>>),
}

/// The bytes of an identifier: how many, and the number that the last 16 of them make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) length: usize,
    pub(super) value: u128,
}

impl Id {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        // The two lengths that are right, without a loop.
        let value = match bytes.len() {
            8 => bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes).into()),
            16 => bytes.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes)),
            _ => bytes.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)),
        };
        Self { length: bytes.len(), value }
    }

    /// `None` when a character is no hex digit, or one is left over.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut value = 0_u128;
        for character in text.chars() {
            value = value << 4 | u128::from(character.to_digit(16)?);
        }
        text.len().is_multiple_of(2).then_some(Self { length: text.len() / 2, value })
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.length == 0 {
            return Ok(());
        }
        write!(f, "{:0width$x}", self.value, width = 2 * self.length.min(16))
    }
}
