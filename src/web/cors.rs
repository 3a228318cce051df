//! Cross-origin requests, answered as zipkin answers them.
//!
//! Own code because tower-http's layer says `*` also without an `Origin`, adds `vary`, and names allowed headers to origins
//! that are not allowed: a browser would not mind, but the recorded answers differ.

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
};
use http::{HeaderMap, Method, StatusCode};

use super::answer;

const ALLOW_HEADERS: HeaderValue = HeaderValue::from_static("content-type,x-grpc-web");
const EXPOSE_HEADERS: HeaderValue =
    HeaderValue::from_static("grpc-status,grpc-message,armeria.grpc.throwableproto-bin");

/// Which pages of other origins may read answers (zipkin's `ZIPKIN_QUERY_ALLOWED_ORIGINS`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AllowedOrigins {
    /// `*`
    #[default]
    Any,
    /// Exactly these.
    Listed(Vec<String>),
}

impl AllowedOrigins {
    /// Reads a comma-separated list; `*` among them allows all.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let listed: Vec<_> =
            text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
        if listed.is_empty() || listed.iter().any(|origin| origin == "*") { Self::Any } else { Self::Listed(listed) }
    }

    /// What `access-control-allow-origin` says to this origin; `None` when it may not read the answer.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any if origin == "null" => Some(origin.clone()),
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(listed) => {
                listed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
            }
        }
    }
}

/// What one request says about its origin.
#[derive(Clone, Debug)]
pub struct Cors {
    allow_origin: Option<HeaderValue>,
    preflight: bool,
}

impl Cors {
    /// Looks at the request; `None` without an `Origin`.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap, origins: &AllowedOrigins) -> Option<Self> {
        let origin = headers.get(ORIGIN)?;
        let preflight = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Some(Self { allow_origin: origins.allowed(origin), preflight })
    }

    /// The whole answer, when the request is a preflight.
    #[must_use]
    pub fn preflight(&self) -> Option<Response> {
        if !self.preflight {
            return None;
        }
        let mut response = answer::empty(StatusCode::OK);
        if let Some(origin) = &self.allow_origin {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("0"));
        }
        Some(response)
    }

    /// Marks an answer as readable.
    pub fn decorate(self, headers: &mut HeaderMap) {
        let Some(origin) = self.allow_origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decorated(origins: &str, origin: &str) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, origin.parse().unwrap());
        let mut headers = HeaderMap::new();
        Cors::of(&Method::GET, &request, &AllowedOrigins::parse(origins)).unwrap().decorate(&mut headers);
        headers
    }

    #[test]
    fn any_origin_is_answered_with_a_star_and_the_null_origin_with_itself() {
        assert_eq!(decorated("*", "http://a.example")[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(decorated("", "null")[ACCESS_CONTROL_ALLOW_ORIGIN], "null");
    }

    #[test]
    fn a_listed_origin_is_echoed_and_another_sees_no_header_at_all() {
        let headers = decorated("http://a.example, http://b.example", "http://b.example");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://b.example");
        assert!(decorated("http://a.example", "http://c.example").is_empty());
    }

    #[test]
    fn a_request_without_origin_is_left_alone() {
        assert!(Cors::of(&Method::OPTIONS, &HeaderMap::new(), &AllowedOrigins::Any).is_none());
    }

    #[test]
    fn options_is_a_preflight_only_when_it_names_a_method() {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_static("http://a.example"));
        let preflight = |headers: &HeaderMap| {
            Cors::of(&Method::OPTIONS, headers, &AllowedOrigins::Any).and_then(|cors| cors.preflight())
        };
        assert!(preflight(&request).is_none());
        request.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("DELETE"));
        assert_eq!(preflight(&request).unwrap().headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET,POST");
    }
}
