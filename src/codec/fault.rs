//! Why a decoder gives up, before it is put into words.

use super::json::{found, place};
use super::{DecodeError, Format};

/// A reason to refuse a message. Boxed, so that the results of the hot path stay small.
#[derive(Debug)]
pub(crate) struct Fault(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// A rule of the model, in zipkin's words.
    Rule(String),
    /// Something else stands at this byte of a JSON text.
    Expected { at: usize, what: &'static str },
    /// Anything else that has a place.
    At { at: usize, message: String },
    /// The limit of spans was passed.
    TooManySpans { spans_max: usize },
}

impl Fault {
    #[cold]
    pub(crate) fn rule(message: impl ToString) -> Self {
        Self(Box::new(Cause::Rule(message.to_string())))
    }

    #[cold]
    pub(crate) fn expected(at: usize, what: &'static str) -> Self {
        Self(Box::new(Cause::Expected { at, what }))
    }

    #[cold]
    pub(crate) fn at(at: usize, message: String) -> Self {
        Self(Box::new(Cause::At { at, message }))
    }

    #[cold]
    pub(crate) fn too_many_spans(spans_max: usize) -> Self {
        Self(Box::new(Cause::TooManySpans { spans_max }))
    }

    /// What is wrong in a binary message, and where.
    pub(crate) fn into_place_text(self) -> String {
        match *self.0 {
            Cause::TooManySpans { spans_max } => format!("more than {spans_max} spans"),
            Cause::Rule(message) => message,
            Cause::Expected { at, what } => format!("byte {at}: expected {what}"),
            Cause::At { at, message } => format!("byte {at}: {message}"),
        }
    }

    /// The answer to the sender of `body`.
    pub(crate) fn into_error(self, format: Format, body: &[u8]) -> DecodeError {
        let cause = match *self.0 {
            Cause::TooManySpans { spans_max } => return DecodeError::TooManySpans { format, spans_max },
            Cause::Rule(message) => message,
            Cause::Expected { at, what } => {
                format!("expected {what} but found {} at {}", found(body, at), place(body, at))
            }
            Cause::At { at, message } => match format {
                Format::JsonV2 | Format::JsonV1 => format!("{message} at {}", place(body, at)),
                Format::Thrift | Format::Proto3 => format!("byte {at}: {message}"),
            },
        };
        DecodeError::Invalid { format, cause }
    }
}
