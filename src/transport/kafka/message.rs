//! One message: which format it has, and its spans or why it has none.

use crate::codec::{self, DecodeLimits, Format, otlp};
use crate::model::SpanBatch;

/// Spans of binary messages against the bytes they came from; JSON does not grow.
const BINARY_GROWTH_MAX: usize = 3;
/// The same of OTLP.
const OTLP_GROWTH_MAX: usize = 6;

/// Why a message cannot be kept: the label of a metric and a header of its dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Poison {
    /// The first bytes are those of no format.
    UnknownFormat,
    /// Bad syntax, or a span that breaks a rule.
    Malformed,
    /// More spans than one message may have.
    TooManySpans,
    /// It needs more memory than there is at all.
    TooLarge,
    /// The store will never take it.
    RefusedByStorage,
    /// Its record batch cannot be read: damaged at the broker.
    Damaged,
}

impl Poison {
    pub(super) const ALL: [Self; 6] = [
        Self::UnknownFormat,
        Self::Malformed,
        Self::TooManySpans,
        Self::TooLarge,
        Self::RefusedByStorage,
        Self::Damaged,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::UnknownFormat => "unknown_format",
            Self::Malformed => "malformed",
            Self::TooManySpans => "too_many_spans",
            Self::TooLarge => "too_large",
            Self::RefusedByStorage => "refused_by_storage",
            Self::Damaged => "damaged",
        }
    }
}

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Zipkin's formats, told apart by the first bytes.
    Zipkin,
    /// OTLP protobuf (`ExportTraceServiceRequest`).
    Otlp,
}

/// How many bytes the spans of a message may take beside it.
pub(super) fn memory_bytes(content: Content, payload: &[u8]) -> usize {
    let growth = match (content, payload.first()) {
        (Content::Otlp, _) => OTLP_GROWTH_MAX,
        (Content::Zipkin, Some(b'[')) => 1,
        (Content::Zipkin, _) => BINARY_GROWTH_MAX,
    };
    payload.len().saturating_mul(growth)
}

/// The spans of a message; none of an empty one, which zipkin ignores.
///
/// # Errors
/// What kind of poison it is, and the decoder's words.
pub(super) fn decode(content: Content, payload: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, (Poison, String)> {
    if payload.is_empty() {
        return Ok(SpanBatch::new());
    }
    match content {
        Content::Otlp => match otlp::decode_protobuf(payload, limits) {
            Ok(export) if export.spans.is_empty() && export.rejected > 0 => Err((Poison::Malformed, export.reason)),
            Ok(export) => Ok(export.spans),
            Err(error @ otlp::OtlpError::TooManySpans(_)) => Err((Poison::TooManySpans, error.to_string())),
            Err(error) => Err((Poison::Malformed, error.to_string())),
        },
        Content::Zipkin => {
            let Some(format) = codec::detect(payload) else {
                return Err((Poison::UnknownFormat, "the first bytes are those of no format".to_owned()));
            };
            decode_zipkin(format, payload, limits)
        }
    }
}

fn decode_zipkin(format: Format, payload: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, (Poison, String)> {
    codec::decode(format, payload, limits).map_err(|error| {
        let poison = match error {
            codec::DecodeError::TooManySpans { .. } => Poison::TooManySpans,
            _ => Poison::Malformed,
        };
        (poison, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipkin(payload: &[u8]) -> Result<usize, Poison> {
        let decoded = decode(Content::Zipkin, payload, &DecodeLimits { spans_max: 3, ..DecodeLimits::default() });
        decoded.map(|spans| spans.len()).map_err(|(poison, _)| poison)
    }

    fn json(spans: usize) -> Vec<u8> {
        let span = r#"{"traceId":"a","id":"b","name":"n","localEndpoint":{"serviceName":"s"}}"#;
        format!("[{}]", vec![span; spans].join(",")).into_bytes()
    }

    #[test]
    fn poison_is_told_apart_and_an_empty_message_is_none() {
        assert_eq!(zipkin(b""), Ok(0));
        assert_eq!(zipkin(b"[]"), Ok(0));
        assert_eq!(zipkin(&json(2)), Ok(2));
        assert_eq!(zipkin(b"x"), Err(Poison::UnknownFormat));
        assert_eq!(zipkin(b"{\"traceId\":\"a\"}"), Err(Poison::UnknownFormat));
        assert_eq!(zipkin(&json(2)[..40]), Err(Poison::Malformed));
        assert_eq!(zipkin(&json(4)), Err(Poison::TooManySpans));
        assert_eq!(zipkin(&[0x1f, 0x8b, 8, 0, 0, 0]), Err(Poison::UnknownFormat));
    }

    #[test]
    fn a_topic_of_otlp_holds_nothing_else() {
        let otlp = |payload: &[u8]| decode(Content::Otlp, payload, &DecodeLimits::default()).map(|spans| spans.len());
        assert_eq!(otlp(b"").ok(), Some(0));
        assert!(matches!(otlp(&json(1)), Err((Poison::Malformed, _))));
    }

    #[test]
    fn every_poison_has_its_own_word() {
        let words: std::collections::HashSet<_> = Poison::ALL.iter().map(|poison| poison.as_str()).collect();
        assert_eq!(words.len(), Poison::ALL.len());
    }
}
