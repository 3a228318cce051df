//! The browser UI under `/zipkin/`: index page, files, settings, redirects.

mod assets;
mod config_json;
mod index;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{any, get};
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, StatusCode, Uri};

pub use config_json::{LinkPattern, UiConfig};

use self::assets::Assets;
use super::ApiState;
use super::file::File;
use crate::web::answer;

const HTML: &str = "text/html; charset=utf-8";
const INDEX_CACHE_CONTROL: &str = "max-age=60";
const CONFIG_CACHE_CONTROL: &str = "max-age=600";

/// What the UI's routes need, made once.
#[derive(Clone, Debug)]
pub(super) struct Ui {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    assets: Assets,
    config: UiConfig,
    /// Extensions of the API that our UI may use, as the index page lists them.
    extensions: Vec<&'static str>,
    config_json: File,
    /// The index page; a debug build makes it anew each time.
    index: File,
    security_policy: HeaderValue,
}

impl Ui {
    pub(super) fn new(config: UiConfig, extensions: Vec<&'static str>) -> Self {
        let assets = Assets::find();
        let body = Bytes::from(config_json::config_json(&config));
        let config_json = File::new("application/json; charset=utf-8", Some(CONFIG_CACHE_CONTROL), body);
        let index = index_file(&assets, &config, &extensions);
        let security_policy = security_policy(&config);
        Self { inner: Arc::new(Inner { assets, config, extensions, config_json, index, security_policy }) }
    }

    fn index(&self) -> File {
        match &self.inner.assets {
            Assets::Folder(_) => index_file(&self.inner.assets, &self.inner.config, &self.inner.extensions),
            _ => self.inner.index.clone(),
        }
    }
}

fn index_file(assets: &Assets, config: &UiConfig, extensions: &[&str]) -> File {
    let page = index::index_page(&assets.index(), config, extensions);
    File::new(HTML, Some(INDEX_CACHE_CONTROL), Bytes::from(page))
}

/// Nothing but our own files, no inline script or style; the address that traces are archived to may be called.
fn security_policy(config: &UiConfig) -> HeaderValue {
    let origin = config.archive_post_url.as_deref().and_then(origin).map(|origin| format!(" {origin}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{}; worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors {}; \
         require-trusted-types-for 'script'; trusted-types app-worker",
        origin.unwrap_or_default(),
        config.frame_ancestors,
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// `http://host:port` of an address; `None` for what is no web address.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    let host = authority.as_str().rsplit('@').next()?;
    Some(format!("{scheme}://{host}"))
}

/// The UI's routes. Other methods than GET and HEAD are 405 here, and redirects answer any method, as the peer's do.
pub(super) fn routes(state: &ApiState) -> Router<ApiState> {
    let index = || get(index_page).fallback(answer::method_not_allowed);
    let security_policy = state.inner.ui.inner.security_policy.clone();
    let pages = Router::new()
        .route("/zipkin/", index())
        .route("/zipkin/index.html", index())
        .route("/zipkin/traces/{traceId}", index())
        .route("/zipkin/dependency", index())
        .route("/zipkin/traceViewer", index())
        .route("/zipkin/compare/{traceIds}", index())
        .route("/zipkin/live", index())
        .route("/zipkin/services/{serviceName}", index())
        .route("/zipkin/settings", index())
        .route("/zipkin/config.json", get(config).fallback(answer::method_not_allowed))
        .route("/zipkin/{*path}", get(file).fallback(answer::method_not_allowed))
        .layer(map_response(move |mut response: Response| {
            let headers = response.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, security_policy.clone());
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            std::future::ready(response)
        }));
    Router::new()
        .route("/", any(|uri: Uri| redirect("/zipkin/", uri)))
        .route("/zipkin", any(|uri: Uri| redirect("/zipkin/", uri)))
        .route("/favicon.ico", any(|uri: Uri| redirect("/zipkin/favicon.ico", uri)))
        .merge(pages)
}

async fn index_page(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    state.inner.ui.index().answer(&headers, state.inner.started_ms)
}

async fn config(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    state.inner.ui.inner.config_json.answer(&headers, state.inner.started_ms)
}

/// A file, or for a browser that navigates the page that says itself that there is no such page.
async fn file(State(state): State<ApiState>, request: Request) -> Response {
    let path = request.uri().path().strip_prefix("/zipkin/").unwrap_or_default();
    if let Some(file) = state.inner.ui.inner.assets.file(path) {
        return file.answer(request.headers(), state.inner.started_ms);
    }
    let navigates = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    let below_api = path.starts_with("api/");
    if !navigates || below_api {
        return answer::not_found().await;
    }
    answer::answer(StatusCode::NOT_FOUND, HeaderValue::from_static(HTML), state.inner.ui.index().plain())
}

async fn redirect(path: &'static str, uri: Uri) -> Response {
    let mut response = answer::empty(StatusCode::FOUND);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    answer::set_header(response.headers_mut(), LOCATION, &format!("{path}{query}"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_archive_and_nothing_else_outside() {
        let config = UiConfig {
            archive_post_url: Some("https://user:pw@archive.example:8443/api/v2/spans".to_owned()),
            ..UiConfig::default()
        };
        let policy = security_policy(&config);
        assert!(policy.to_str().unwrap().contains("connect-src 'self' https://archive.example:8443;"));
        assert!(!security_policy(&UiConfig::default()).to_str().unwrap().contains("http"));
    }

    #[test]
    fn only_web_addresses_have_an_origin() {
        assert_eq!(origin("javascript:alert(1)"), None);
        assert_eq!(origin("/relative"), None);
        assert_eq!(origin("http://a.example/x").as_deref(), Some("http://a.example"));
    }
}
