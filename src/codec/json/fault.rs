//! What went wrong in a JSON text, and where. Found only when something is wrong, so nothing here is quick.

use std::fmt::Write as _;

use crate::codec::error::shorten;
use crate::codec::{DecodeError, Format};

/// A reason to refuse the text. Boxed, so that the results of the hot path stay small.
#[derive(Debug)]
pub(crate) struct Fault(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// A rule of the model, in zipkin's words.
    Rule(String),
    /// Something else stands at this byte.
    Expected { at: usize, what: &'static str },
    /// Anything else that has a place.
    At { at: usize, message: String },
    /// The limit of spans was passed.
    TooManySpans { spans_max: usize },
}

/// Levels of a path that a message shows.
const PATH_LEVELS_MAX: usize = 8;

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

    /// The answer to the sender of `body`.
    pub(crate) fn into_error(self, format: Format, body: &[u8]) -> DecodeError {
        let cause = match *self.0 {
            Cause::TooManySpans { spans_max } => return DecodeError::TooManySpans { format, spans_max },
            Cause::Rule(message) => message,
            Cause::Expected { at, what } => format!("expected {what} but found {}{}", found(body, at), place(body, at)),
            Cause::At { at, message } => format!("{message}{}", place(body, at)),
        };
        DecodeError::Invalid { format, cause }
    }
}

/// Names the token that begins at `at`.
fn found(body: &[u8], at: usize) -> String {
    let Some(&byte) = body.get(at) else { return "the end of the text".to_owned() };
    let word_length = body[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = &body[at..at + word_length];
    let word_is = |literal: &str| word.eq_ignore_ascii_case(literal.as_bytes());
    match byte {
        b'{' => "an object".to_owned(),
        b'[' => "a list".to_owned(),
        b'"' => "a string".to_owned(),
        b'-' | b'0'..=b'9' => "a number".to_owned(),
        _ if word_is("null") => "null".to_owned(),
        _ if word_is("true") || word_is("false") => "a boolean".to_owned(),
        _ if word_length > 0 => format!("`{}`", shorten(&String::from_utf8_lossy(word))),
        b'/' | b'#' => "a comment".to_owned(),
        0x21..=0x7e => format!("`{}`", byte as char),
        _ => format!("byte 0x{byte:02x}"),
    }
}

/// ` at line 1 column 12, $[0].localEndpoint.port`.
fn place(body: &[u8], at: usize) -> String {
    let before = &body[..at.min(body.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    // Characters, not bytes: continuation bytes of UTF-8 do not count.
    let column = before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1;
    format!(" at line {line} column {column}, {}", path(before))
}

/// One open list or object on the way to the fault.
enum Level {
    List { index: usize },
    Object { name: Option<std::ops::Range<usize>> },
}

/// The path of what follows `before`, which the reader has already accepted.
fn path(before: &[u8]) -> String {
    let mut levels = Vec::new();
    let mut at = 0;
    while let Some(&byte) = before.get(at) {
        match byte {
            b'[' => levels.push(Level::List { index: 0 }),
            b'{' => levels.push(Level::Object { name: None }),
            b']' | b'}' => {
                levels.pop();
            }
            b',' => match levels.last_mut() {
                Some(Level::List { index }) => *index += 1,
                Some(Level::Object { name }) => *name = None,
                None => {}
            },
            b'"' => {
                let end = string_end(before, at + 1);
                if let Some(Level::Object { name: name @ None }) = levels.last_mut() {
                    *name = Some(at + 1..end.min(before.len()));
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    write_path(before, &levels)
}

fn string_end(before: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = before.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn write_path(before: &[u8], levels: &[Level]) -> String {
    let mut path = String::from("$");
    for level in levels.iter().take(PATH_LEVELS_MAX) {
        match level {
            // Writing to a string cannot fail.
            Level::List { index } => _ = write!(path, "[{index}]"),
            Level::Object { name: None } => {}
            Level::Object { name: Some(name) } => {
                let name = String::from_utf8_lossy(&before[name.clone()]);
                path.push('.');
                path.extend(shorten(&name).chars().map(|c| if c.is_control() { '?' } else { c }));
            }
        }
    }
    if levels.len() > PATH_LEVELS_MAX {
        path.push('…');
    }
    path
}
