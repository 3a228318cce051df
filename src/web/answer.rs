//! Answers as zipkin words them: plain messages, JSON, and JSON printed for people.

use std::io;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Media type of every error message of the API. It really is this.
pub const ANY_TEXT: HeaderValue = HeaderValue::from_static("text/*");
/// Media type of the server's own short answers (`404 Not Found`).
pub const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Media type of the API's lists.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Media type of JSON files.
pub const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Any status, media type and body.
#[must_use]
pub fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A message of the API, without line break: 400 for what the sender did wrong, 5xx for what we did.
#[must_use]
pub fn message(status: StatusCode, text: impl Into<String>) -> Response {
    answer(status, ANY_TEXT, text.into())
}

/// The server's own words for a status: `404 Not Found`.
#[must_use]
pub fn status_line(status: StatusCode) -> Response {
    let text = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or("Unknown"));
    answer(status, PLAIN_TEXT, text)
}

/// What a path without a handler answers, also for a method that a path of the API does not serve.
pub async fn not_found() -> Response {
    status_line(StatusCode::NOT_FOUND)
}

/// What a static path answers to other methods than GET and HEAD, and every path to TRACE.
pub async fn method_not_allowed() -> Response {
    status_line(StatusCode::METHOD_NOT_ALLOWED)
}

/// A body of the API.
#[must_use]
pub fn json(body: Vec<u8>) -> Response {
    answer(StatusCode::OK, JSON, body)
}

/// An answer without body and media type; `content-length: 0` is said explicitly, as the peer does.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// Sets a header whose value is made at run time; a value that no header can hold leaves it out.
pub fn set_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// JSON with two-space indent and `"key" : value`, as `/health`, `/metrics` and `config.json` are written.
#[must_use]
pub fn pretty_json(value: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut body, SpacedColon::default());
    match value.serialize(&mut serializer) {
        Ok(()) => body,
        // Only a map with keys that are no text, or a failing writer, can end here; we have neither.
        Err(_) => b"{ }".to_vec(),
    }
}

/// serde_json's pretty printer, with a space before the colon.
struct SpacedColon<'a> {
    pretty: PrettyFormatter<'a>,
}

impl Default for SpacedColon<'_> {
    fn default() -> Self {
        Self { pretty: PrettyFormatter::new() }
    }
}

impl Formatter for SpacedColon<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        CompactFormatter.write_f64(writer, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_json_has_a_space_on_both_sides_of_the_colon() {
        let value = serde_json::json!({"a": {"b": 1.0, "c": null}});
        assert_eq!(
            String::from_utf8(pretty_json(&value)).unwrap(),
            "{\n  \"a\" : {\n    \"b\" : 1.0,\n    \"c\" : null\n  }\n}"
        );
    }

    #[test]
    fn a_status_line_is_the_number_and_its_reason() {
        let response = status_line(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}
