//! What a request target may look like, and the one form in which routes see it.
//!
//! Observed in zipkin 3.6: repeated slashes collapse, escapes of unreserved characters are undone, broken escapes and
//! control characters are refused with 400 and the connection is closed.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use http::{StatusCode, Uri};

use axum::response::Response;

use super::answer;

/// A target that is refused before anything looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid request path")]
pub struct InvalidPath;

impl InvalidPath {
    /// The peer's answer. The caller closes the connection.
    #[must_use]
    pub fn answer(self) -> Response {
        answer::answer(StatusCode::BAD_REQUEST, answer::PLAIN_TEXT, "Status: 400\nDescription: Invalid request path\n")
    }
}

/// The target in the form that routes match, or `None` when it has that form already.
///
/// # Errors
/// [`InvalidPath`] for `%` without two hex digits, an escaped control character in the path, or one in the query other than
/// tab, line feed and carriage return (forms send these).
pub fn normalize(uri: &Uri) -> Result<Option<Uri>, InvalidPath> {
    let query = uri.query().unwrap_or_default();
    check_escapes(query, |control| matches!(control, b'\t' | b'\n' | b'\r'))?;
    let path = uri.path();
    check_escapes(path, |_| false)?;
    let normal = normal_path(path);
    if matches!(normal, Cow::Borrowed(_)) {
        return Ok(None);
    }
    let target = match uri.query() {
        Some(query) => format!("{normal}?{query}"),
        None => normal.into_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| InvalidPath)?);
    Uri::from_parts(parts).map(Some).map_err(|_| InvalidPath)
}

fn check_escapes(text: &str, control_allowed: fn(u8) -> bool) -> Result<(), InvalidPath> {
    let mut rest = text.as_bytes();
    while let Some(position) = memchr::memchr(b'%', rest) {
        let byte = escaped_byte(&rest[position..]).ok_or(InvalidPath)?;
        if byte == 0x7f || (byte < 0x20 && !control_allowed(byte)) {
            return Err(InvalidPath);
        }
        rest = &rest[position + 3..];
    }
    Ok(())
}

/// The byte that `%xx` at the start of `text` stands for.
fn escaped_byte(text: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*text.get(index)?).to_digit(16);
    Some((digit(1)? * 16 + digit(2)?) as u8)
}

/// Slashes collapsed and unreserved characters unescaped; borrowed when nothing changed.
fn normal_path(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let mut normal = String::with_capacity(path.len());
    let mut index = 0;
    while index < bytes.len() {
        let unescaped = (bytes[index] == b'%').then(|| escaped_byte(&bytes[index..])).flatten().filter(is_unreserved);
        if let Some(byte) = unescaped {
            normal.push(char::from(byte));
            index += 3;
            continue;
        }
        let character = path[index..].chars().next().unwrap_or('/');
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
        index += character.len_utf8();
    }
    if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) }
}

fn is_unreserved(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(target: &str) -> Result<String, InvalidPath> {
        let uri: Uri = target.parse().unwrap();
        normalize(&uri).map(|changed| changed.unwrap_or(uri).to_string())
    }

    #[test]
    fn repeated_slashes_collapse_in_the_path_alone() {
        assert_eq!(normal("//api/v2//trace/1?a=//b").as_deref(), Ok("/api/v2/trace/1?a=//b"));
        assert_eq!(normal("/api/v2/services/").as_deref(), Ok("/api/v2/services/"));
    }

    #[test]
    fn escapes_of_plain_letters_are_undone_and_others_stay() {
        assert_eq!(normal("/api/v2/%73ervices").as_deref(), Ok("/api/v2/services"));
        assert_eq!(normal("/api/v2/trace/%201%20").as_deref(), Ok("/api/v2/trace/%201%20"));
        assert_eq!(normal("/api/v2/trace/a%2Fb").as_deref(), Ok("/api/v2/trace/a%2Fb"));
    }

    #[test]
    fn broken_escapes_and_control_characters_are_refused() {
        for target in ["/a?x=%zz", "/a?x=%", "/a%2", "/%00", "/a?x=%00", "/a?x=%7F", "/a%0Ab", "/a?%1f"] {
            assert_eq!(normal(target), Err(InvalidPath), "{target}");
        }
        for target in ["/a?x=%09%0A%0d", "/a?x=+%2B", "/a?x=%C3%89"] {
            assert_eq!(normal(target).as_deref(), Ok(target));
        }
    }
}
