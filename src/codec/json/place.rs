//! Where in a JSON text something is wrong. Called only when something is, so nothing here is quick.

use std::fmt::Write as _;

use crate::codec::error::shorten;

/// Levels of a path that a message shows.
const PATH_LEVELS_MAX: usize = 8;

/// Names the token that begins at `at`.
pub(in crate::codec) fn found(body: &[u8], at: usize) -> String {
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

/// `line 1 column 12, $[0].localEndpoint.port`.
pub(in crate::codec) fn place(body: &[u8], at: usize) -> String {
    let before = &body[..at.min(body.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    // Characters, not bytes: continuation bytes of UTF-8 do not count.
    let column = before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1;
    format!("line {line} column {column}, {}", path(before))
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
