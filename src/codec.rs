//! Bytes to spans and back: the wire formats zipkin knows.
//!
//! A codec sees one whole message in memory and fills one [`SpanBatch`]; it knows nothing of transports, has no I/O
//! and keeps nothing between messages. Every decoder takes linear time, bounded depth, and memory of a small
//! multiple of the message.

pub(crate) mod error;
mod fault;
pub(crate) mod json;
mod json_v1;
pub mod json_v2;
pub mod otlp;
pub mod proto3;
mod thrift;
mod v1;
mod wire;

pub use error::DecodeError;

use crate::model::SpanBatch;

/// A wire format of spans. `Display` is zipkin's name of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Zipkin v2 JSON, a list of spans.
    JsonV2,
    /// Zipkin v1 JSON, a list of spans.
    JsonV1,
    /// Zipkin v1 thrift in TBinary, a list of structs or one bare struct.
    Thrift,
    /// Zipkin v2 protobuf, `ListOfSpans`.
    Proto3,
}

impl Format {
    /// The name in messages such as `Expected a JSON_V2 encoded list`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonV2 => "JSON_V2",
            Self::JsonV1 => "JSON_V1",
            Self::Thrift => "THRIFT",
            Self::Proto3 => "PROTO3",
        }
    }

    /// The name that ends every decoder message: ` reading List<Span> from json`.
    #[must_use]
    pub fn encoding(self) -> &'static str {
        match self {
            Self::JsonV2 | Self::JsonV1 => "json",
            Self::Thrift => "TBinary",
            Self::Proto3 => "proto3",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bounds of one message beyond its size, which transports limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Most spans in one message; one more refuses the message.
    pub spans_max: usize,
    /// Most bytes of the spans of one OTLP request: each repeats the attributes of its resource, so that a small
    /// request could become a huge one. The other formats do not grow so.
    pub otlp_spans_bytes_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { spans_max: 100_000, otlp_spans_bytes_max: 64 << 20 }
    }
}

/// The checks a body passes before it is decoded: does it begin as a list of this format, and is it not the other
/// JSON version (found by plain search for names that only the other one has, as zipkin does).
///
/// Empty bodies and `[]` are answered before this.
///
/// # Errors
/// [`DecodeError::NotAList`] or [`DecodeError::OtherVersion`].
pub fn check_list(format: Format, body: &[u8]) -> Result<(), DecodeError> {
    let begins_as_list = match (format, body) {
        // Zipkin lets the first bytes of protobuf and thrift pass here, too, so that the JSON reader says what is wrong;
        // 10 is also a line feed.
        (Format::JsonV2 | Format::JsonV1, [b'[' | b'\n' | 11 | 12, ..]) => true,
        (Format::Proto3, [10, second, ..]) => *second != 0,
        (Format::Thrift, [11 | 12, ..]) => true,
        _ => false,
    };
    if !begins_as_list {
        return Err(DecodeError::NotAList { expected: format });
    }
    let other = match format {
        Format::JsonV2 if contains(body, V1_ONLY) => Format::JsonV1,
        Format::JsonV1 if V2_ONLY.iter().any(|name| contains(body, name)) => Format::JsonV2,
        _ => return Ok(()),
    };
    Err(DecodeError::OtherVersion { expected: format, received: other })
}

/// The end of `"binaryAnnotations"`.
const V1_ONLY: &[u8] = b"yAnnotations\"";
/// The end of `"localEndpoint"` and `"remoteEndpoint"`, and the tags.
const V2_ONLY: [&[u8]; 2] = [b"Endpoint\"", b"\"tags\""];

/// The text of these bytes; each sequence that is no UTF-8 becomes U+FFFD.
///
/// `String::from_utf8_lossy` alone goes byte by byte, three times slower than the check for plain UTF-8.
#[inline]
fn lossy_text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// The highest type code that a thrift message may begin with.
const THRIFT_TYPE_MAX: u8 = 16;

fn contains(body: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(body, text).is_some()
}

/// The format of a message that comes without a content type, as over queues; `None` for what is none of ours.
///
/// One bare thrift struct counts as thrift. JSON without the names that only v2 has is v1, as zipkin decides: a v2 span
/// without endpoints and tags loses its kind, and a switch of servers must not change what is stored.
#[must_use]
pub fn detect(body: &[u8]) -> Option<Format> {
    match body {
        [b'[', ..] if V2_ONLY.iter().any(|name| contains(body, name)) => Some(Format::JsonV2),
        [b'[', ..] => Some(Format::JsonV1),
        [10, second, ..] if *second != 0 => Some(Format::Proto3),
        [first, _, ..] if *first <= THRIFT_TYPE_MAX => Some(Format::Thrift),
        _ => None,
    }
}

/// Decodes one message. One bad span refuses all of it.
///
/// # Errors
/// [`DecodeError`]; its `Display` is the answer to the sender.
pub fn decode(format: Format, body: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, DecodeError> {
    match format {
        Format::JsonV2 => json_v2::decode(body, limits),
        Format::JsonV1 => json_v1::decode(body, limits),
        Format::Thrift => thrift::decode(body, limits),
        Format::Proto3 => proto3::decode(body, limits),
    }
}

#[cfg(test)]
pub(crate) mod tests;
