//! A body with an identity: entity tag, modification time, conditional requests.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    VARY,
};
use http::{HeaderMap, StatusCode};

use crate::web::answer::set_header;
use crate::web::compression::Coding;

/// A static answer.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) content_type: &'static str,
    pub(super) cache_control: Option<&'static str>,
    content: Content,
    etag: String,
}

#[derive(Clone, Debug)]
enum Content {
    Plain(Bytes),
    /// As it was built in; unpacked for the few who do not take gzip.
    Gzip(Bytes),
}

impl File {
    pub(super) fn new(content_type: &'static str, cache_control: Option<&'static str>, body: Bytes) -> Self {
        let etag = format!("\"{:016x}\"", hash(&body));
        Self { content_type, cache_control, content: Content::Plain(body), etag }
    }

    pub(super) fn gzipped(content_type: &'static str, cache_control: Option<&'static str>, packed: Bytes) -> Self {
        let etag = format!("\"{:016x}\"", hash(&packed));
        Self { content_type, cache_control, content: Content::Gzip(packed), etag }
    }

    /// The content without coding.
    pub(super) fn plain(&self) -> Bytes {
        match &self.content {
            Content::Plain(body) => body.clone(),
            Content::Gzip(packed) => {
                let mut plain = Vec::new();
                // Bytes of our own build: they unpack, and to a known size.
                let unpacked = flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain);
                unpacked.map(|_| Bytes::from(plain)).unwrap_or_default()
            }
        }
    }

    /// The answer to a GET or HEAD (whose body the server takes away), with status 304 where the sender has it already.
    pub(super) fn answer(&self, request: &HeaderMap, modified_ms: i64) -> Response {
        let modified = since_epoch(modified_ms);
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        set_header(headers, ETAG, &self.etag);
        set_header(headers, LAST_MODIFIED, &httpdate::fmt_http_date(modified));
        if let Some(value) = self.cache_control {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        if self.is_known(request, modified) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let body = match &self.content {
            Content::Gzip(packed) if Coding::choose(request) == Some(Coding::Gzip) => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
                packed.clone()
            }
            _ => self.plain(),
        };
        *response.body_mut() = Body::from(body);
        response
    }

    /// RFC 9110: an entity tag decides where one is sent, else the date.
    fn is_known(&self, request: &HeaderMap, modified: std::time::SystemTime) -> bool {
        if let Some(tags) = request.get(IF_NONE_MATCH) {
            let tags = tags.to_str().unwrap_or_default();
            return tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.etag);
        }
        let since = request.get(IF_MODIFIED_SINCE).and_then(|date| date.to_str().ok());
        since.and_then(|date| httpdate::parse_http_date(date).ok()).is_some_and(|since| modified <= since)
    }
}

/// Whole seconds, as HTTP dates are.
fn since_epoch(ms: i64) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + std::time::Duration::from_secs(ms.max(0).unsigned_abs() / 1000)
}

/// The same in every process, so that copies behind one address agree.
fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::quality::FixedState::with_seed(0x7a69_706b).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &str) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        Bytes::from(encoder.finish().unwrap())
    }

    fn file() -> File {
        File::gzipped("text/css; charset=utf-8", Some("max-age=60"), gzip("body"))
    }

    fn asked(name: &'static str, value: &str) -> Response {
        let mut request = HeaderMap::new();
        set_header(&mut request, http::HeaderName::from_static(name), value);
        file().answer(&request, 1_700_000_000_999)
    }

    #[test]
    fn a_known_entity_tag_or_date_is_answered_without_body() {
        let etag = file().answer(&HeaderMap::new(), 0).headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(asked("if-none-match", &etag).status(), 304);
        assert_eq!(asked("if-none-match", &format!("\"x\", W/{etag}")).status(), 304);
        assert_eq!(asked("if-none-match", "\"x\"").status(), 200);
        assert_eq!(asked("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT").status(), 304);
        assert_eq!(asked("if-modified-since", "Tue, 14 Nov 2023 22:13:19 GMT").status(), 200);
        assert_eq!(asked("if-modified-since", "yesterday").status(), 200);
    }

    #[test]
    fn packed_content_goes_out_as_it_is_or_unpacked() {
        let packed = asked("accept-encoding", "gzip, br");
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(packed.headers()[VARY], "accept-encoding");
        for other in ["br", "identity"] {
            let plain = asked("accept-encoding", other);
            assert!(!plain.headers().contains_key(CONTENT_ENCODING) && !plain.headers().contains_key(VARY));
        }
        assert_eq!(file().plain(), "body");
    }
}
