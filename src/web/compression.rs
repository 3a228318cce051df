//! Which answers are compressed and how.
//!
//! The work is tower-http's; the choice is ours, because the peer's differs: only four media types, from 2048 bytes on, the
//! first listed coding on a tie (`gzip, br` is gzip), brotli for `*`, and `vary` only on answers that were compressed.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use http_body::Body;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// Which answers are worth it (zipkin's `server.compression.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressionConfig {
    /// Compress at all.
    pub enabled: bool,
    /// Media types that are compressed, without parameters.
    pub types: Vec<String>,
    /// Shorter bodies are sent as they are.
    pub bytes_min: u64,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        let types = ["application/json", "application/javascript", "text/css", "image/svg"];
        Self { enabled: true, types: types.map(str::to_owned).to_vec(), bytes_min: 2048 }
    }
}

/// A content coding that answers can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `deflate` (zlib)
    Deflate,
    /// `br`
    Brotli,
}

impl Coding {
    /// Its name in `content-encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Gzip, Self::Deflate, Self::Brotli].into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name()))
    }

    /// The coding that the peer would choose for a request: the highest quality, the first on a tie; `*` stands for the
    /// codings not named, brotli first.
    #[must_use]
    pub fn choose(headers: &HeaderMap) -> Option<Self> {
        let mut named: Vec<(Self, f32)> = Vec::new();
        let mut others = 0.0;
        let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let (name, quality) = parse_item(item);
            match Self::parse(name) {
                Some(coding) => named.push((coding, quality)),
                None if name == "*" => others = quality,
                None => {}
            }
        }
        let mut best: Option<(Self, f32)> = None;
        for (coding, quality) in &named {
            if *quality > best.map_or(0.0, |(_, best)| best) {
                best = Some((*coding, *quality));
            }
        }
        let unnamed = || {
            [Self::Brotli, Self::Gzip, Self::Deflate]
                .into_iter()
                .find(|coding| others > 0.0 && !named.iter().any(|(other, _)| other == coding))
        };
        best.map(|(coding, _)| coding).or_else(unnamed)
    }
}

/// `gzip;q=0.5` as name and quality; a quality that is no number counts as 0.
fn parse_item(item: &str) -> (&str, f32) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let quality = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    (name.trim(), quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0)))
}

#[derive(Clone, Debug)]
struct WorthIt(Arc<CompressionConfig>);

impl Predicate for WorthIt {
    fn should_compress<B: Body>(&self, response: &http::Response<B>) -> bool {
        let long_enough = response.body().size_hint().exact().is_none_or(|bytes| bytes >= self.0.bytes_min);
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        long_enough && content_type.is_some_and(|content_type| self.0.has_type(content_type))
    }
}

impl CompressionConfig {
    /// True for the types that are compressed; parameters do not matter.
    fn has_type(&self, content_type: &str) -> bool {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        self.types.iter().any(|compressed| media_type.eq_ignore_ascii_case(compressed))
    }
}

/// Compresses the answers of these routes where the request allows it. Routes whose content is packed already see no
/// `accept-encoding` when nothing is to be compressed.
pub fn compress<S: Clone + Send + Sync + 'static>(router: Router<S>, config: CompressionConfig) -> Router<S> {
    let enabled = config.enabled;
    router
        .layer(CompressionLayer::new().compress_when(WorthIt(Arc::new(config))))
        .layer(middleware::from_fn(move |request, next| choose_coding(enabled, request, next)))
}

/// Leaves tower-http exactly one coding to choose, and takes back the `vary` it adds to answers that stayed plain.
async fn choose_coding(enabled: bool, mut request: Request, next: Next) -> Response {
    let coding = Coding::choose(request.headers()).filter(|_| enabled);
    match coding {
        Some(coding) => request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(coding.name())),
        None => request.headers_mut().remove(ACCEPT_ENCODING),
    };
    let mut response = next.run(request).await;
    if !response.headers().contains_key(CONTENT_ENCODING) {
        response.headers_mut().remove(VARY);
    }
    response
}

#[cfg(test)]
mod tests;
