use std::io::Read;

use axum::routing::get;
use http::StatusCode;
use tower::ServiceExt;

use super::*;
use crate::web::answer;

fn chosen(accept: &str) -> Option<&'static str> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
    Coding::choose(&headers).map(Coding::name)
}

#[test]
fn the_first_of_the_best_codings_is_chosen() {
    assert_eq!(chosen("gzip, br"), Some("gzip"));
    assert_eq!(chosen("br, gzip"), Some("br"));
    assert_eq!(chosen("gzip;q=0.5, deflate;q=0.8"), Some("deflate"));
    assert_eq!(chosen("GZIP"), Some("gzip"));
    assert_eq!(chosen("gzip, deflate, br, zstd"), Some("gzip"));
}

#[test]
fn a_star_means_brotli_unless_brotli_is_refused() {
    assert_eq!(chosen("*"), Some("br"));
    assert_eq!(chosen("br;q=0, *"), Some("gzip"));
    assert_eq!(chosen("*;q=0"), None);
}

#[test]
fn nothing_usable_means_no_compression() {
    for accept in ["identity", "gzip;q=0", "gzip;q=x", "zstd", ""] {
        assert_eq!(chosen(accept), None, "{accept}");
    }
}

async fn served(length: usize, content_type: &'static str, accept: &str) -> (HeaderMap, Vec<u8>) {
    served_with(CompressionConfig::default(), length, content_type, accept).await
}

async fn served_with(
    config: CompressionConfig,
    length: usize,
    content_type: &'static str,
    accept: &str,
) -> (HeaderMap, Vec<u8>) {
    let body = vec![b'x'; length];
    let handler = move || async move { answer::answer(StatusCode::OK, HeaderValue::from_static(content_type), body) };
    let router = compress(Router::new().route("/", get(handler)), config);
    let request = http::Request::get("/").header(ACCEPT_ENCODING, accept).body(axum::body::Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    #[allow(clippy::disallowed_methods, reason = "the body is ours")]
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.headers, bytes.to_vec())
}

#[tokio::test]
async fn a_long_list_is_compressed_and_says_so() {
    let (headers, body) = served(2048, "application/json", "gzip").await;
    assert_eq!(headers[CONTENT_ENCODING], "gzip");
    assert_eq!(headers[VARY], "accept-encoding");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(plain, vec![b'x'; 2048]);
}

#[tokio::test]
async fn short_answers_other_types_and_other_clients_get_plain_bytes_without_vary() {
    for (length, content_type, accept) in
        [(2047, "application/json", "gzip"), (9999, "text/plain", "gzip"), (9999, "application/json", "identity")]
    {
        let (headers, body) = served(length, content_type, accept).await;
        assert!(!headers.contains_key(CONTENT_ENCODING) && !headers.contains_key(VARY));
        assert_eq!(body.len(), length);
    }
}

#[tokio::test]
async fn settings_decide_whether_what_and_from_where_on() {
    let usual = CompressionConfig::default();
    let is_compressed = |config, length, content_type| async move {
        served_with(config, length, content_type, "gzip").await.0.contains_key(CONTENT_ENCODING)
    };
    let disabled = CompressionConfig { enabled: false, ..usual.clone() };
    assert!(!is_compressed(disabled, 9999, "application/json").await);
    let texts = CompressionConfig { types: vec!["text/plain".to_owned()], bytes_min: 10, ..usual };
    assert!(is_compressed(texts.clone(), 10, "text/plain; charset=utf-8").await);
    assert!(!is_compressed(texts.clone(), 9, "text/plain").await);
    assert!(!is_compressed(texts, 9999, "application/json").await);
}
