//! Why a message cannot be decoded.

use super::Format;

/// A message that is refused. `Display` is the whole body of the answer; what zipkin words as a rule of the model
/// keeps zipkin's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first bytes are not those of a list in this format.
    #[error("Expected a {expected} encoded list\n")]
    NotAList {
        /// What the sender promised.
        expected: Format,
    },
    /// JSON of the other version.
    #[error("Expected a {expected} encoded list, but received: {received}\n")]
    OtherVersion {
        /// What the sender promised.
        expected: Format,
        /// What it looks like.
        received: Format,
    },
    /// Bad syntax or a span that breaks a rule.
    #[error("{cause} reading List<Span> from {}", .format.encoding())]
    Invalid {
        /// Format of the message.
        format: Format,
        /// What is wrong, and where.
        cause: String,
    },
    /// More spans than [`DecodeLimits::spans_max`](super::DecodeLimits::spans_max).
    #[error("more than {spans_max} spans in one message reading List<Span> from {}", .format.encoding())]
    TooManySpans {
        /// Format of the message.
        format: Format,
        /// The limit.
        spans_max: usize,
    },
}

impl DecodeError {
    /// True when the message was refused before its spans were looked at.
    #[must_use]
    pub fn is_no_list(&self) -> bool {
        matches!(self, Self::NotAList { .. } | Self::OtherVersion { .. })
    }
}

/// Longest piece of a sender's text that a message repeats, in characters.
const QUOTE_CHARACTERS_MAX: usize = 120;

/// The beginning of `text`, short enough for a message.
pub(crate) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(QUOTE_CHARACTERS_MAX) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}
