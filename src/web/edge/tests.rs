use axum::body::Body;
use axum::routing::get;
use prometheus::Registry;
use tower::ServiceExt;

use super::*;

async fn ask(method: &str, target: &str) -> (u16, http::HeaderMap, String) {
    let metrics = RequestMetrics::register(&Registry::new()).unwrap();
    let routes = Router::new().route("/api/v2/services", get(|| async { answer::json(b"[]".to_vec()) }));
    let request = http::Request::builder().method(method).uri(target).header("origin", "http://a.example");
    let response =
        edge(routes, EdgeConfig::default(), metrics).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    #[allow(clippy::disallowed_methods, reason = "the body is ours")]
    let body = axum::body::to_bytes(body, 4096).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn slashes_collapse_before_routing() {
    assert_eq!(ask("GET", "//api//v2/services").await.0, 200);
    assert_eq!(ask("GET", "/api/v2/services/").await.0, 404);
}

#[tokio::test]
async fn an_unserved_method_is_an_unknown_path_and_trace_is_not_allowed() {
    let (status, headers, body) = ask("DELETE", "/api/v2/services").await;
    assert_eq!((status, body.as_str()), (404, "404 Not Found"));
    assert!(!headers.contains_key(ALLOW));
    for target in ["/api/v2/services", "/nothing"] {
        let (status, _, body) = ask("TRACE", target).await;
        assert_eq!((status, body.as_str()), (405, "405 Method Not Allowed"));
    }
}

#[tokio::test]
async fn a_broken_target_ends_the_connection() {
    let (status, headers, body) = ask("GET", "/api/v2/services?x=%zz").await;
    assert_eq!((status, body.as_str()), (400, "Status: 400\nDescription: Invalid request path\n"));
    assert_eq!(headers[CONNECTION], "close");
}

#[tokio::test]
async fn every_answer_says_nosniff_and_who_may_read_it() {
    for target in ["/api/v2/services", "/nothing", "/%zz"] {
        let (_, headers, _) = ask("GET", target).await;
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{target}");
        assert_eq!(headers["access-control-allow-origin"], "*", "{target}");
    }
}
