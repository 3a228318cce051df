use axum::body::Body;
use http::{HeaderMap, Request};
use prometheus::Registry;
use tower::ServiceExt;

use super::*;
use crate::codec::{self, DecodeLimits, Format};
use crate::query::QueryConfig;
use crate::storage::{Batch, MemoryConfig, MemoryStorage, SpanConsumer, StorageOptions};
use crate::telemetry::{CollectorMetrics, SystemClock};
use crate::web::edge::{EdgeConfig, edge};
use crate::web::request_metrics::RequestMetrics;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The API over a memory store, in process.
struct Server {
    storage: Arc<MemoryStorage>,
    router: Router,
    draining: CancellationToken,
}

impl Server {
    fn new(config: ApiConfig) -> Self {
        let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
        let registry = Registry::new();
        let _counters = CollectorMetrics::register(&registry).unwrap().transport("http");
        let metrics = RequestMetrics::register(&registry).unwrap();
        let draining = CancellationToken::new();
        let state = ApiState::new(ApiParts {
            config,
            query: QueryService::new(storage.clone(), QueryConfig::default()),
            storage: storage.clone(),
            health: Vec::new(),
            registry,
            clock: Arc::new(SystemClock),
            draining: draining.clone(),
        });
        Self { storage, router: edge(routes(state), EdgeConfig::default(), metrics), draining }
    }

    async fn store(&self, json: &str) {
        let spans = codec::decode(Format::JsonV2, json.as_bytes(), &DecodeLimits::default()).unwrap();
        for result in self.storage.write(&[Batch { spans, position: None }]).await {
            result.unwrap();
        }
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        #[allow(clippy::disallowed_methods, reason = "the body is ours")]
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8_lossy(&body).into() }
    }
}

fn server() -> Server {
    Server::new(ApiConfig::default())
}

#[tokio::test]
async fn a_stored_trace_is_found_under_both_prefixes() {
    let server = server();
    server.store(r#"[{"traceId":"1","id":"2","name":"Get","timestamp":1600000000000000}]"#).await;
    let span = r#"{"traceId":"0000000000000001","id":"0000000000000002","name":"get","timestamp":1600000000000000}"#;
    for prefix in ["", "/zipkin"] {
        let trace = server.get(&format!("{prefix}/api/v2/trace/1")).await;
        assert_eq!((trace.status, trace.body), (200, format!("[{span}]")));
        assert_eq!(trace.headers["content-type"], "application/json");
        let traces = server.get(&format!("{prefix}/api/v2/traces?endTs=1600000000001")).await;
        assert_eq!((traces.status, traces.body), (200, format!("[[{span}]]")));
    }
}

#[tokio::test]
async fn a_trace_of_many_spans_is_written_whole() {
    let server = server();
    let spans: Vec<_> = (1..=20_000)
        .map(|id| {
            format!(r#"{{"traceId":"1","id":"{id:x}","name":"a rather long name for a span","tags":{{"a":"b"}}}}"#)
        })
        .collect();
    server.store(&format!("[{}]", spans.join(","))).await;
    let trace = server.get("/api/v2/trace/1").await;
    let read: Vec<serde_json::Value> = serde_json::from_str(&trace.body).unwrap();
    assert_eq!(read.len(), 20_000);
}

#[tokio::test]
async fn other_methods_are_unknown_on_the_api_and_not_allowed_on_files() {
    let server = server();
    for (method, target, status) in [
        ("POST", "/api/v2/services", 404),
        ("HEAD", "/api/v2/services", 404),
        ("OPTIONS", "/api/v2/services", 404),
        ("POST", "/health", 404),
        ("HEAD", "/health", 404),
        ("POST", "/zipkin/api/v2/spans", 405),
        ("HEAD", "/zipkin/api/v2/services", 404),
        ("POST", "/zipkin/", 405),
        ("POST", "/info", 405),
        ("HEAD", "/info", 200),
        ("HEAD", "/zipkin/config.json", 200),
        ("DELETE", "/zipkin", 302),
        ("TRACE", "/zipkin", 405),
    ] {
        assert_eq!(server.ask(method, target, &[]).await.status, status, "{method} {target}");
    }
}

#[tokio::test]
async fn switches_take_paths_away() {
    let no_ui = Server::new(ApiConfig { ui_enabled: false, ..ApiConfig::default() });
    for target in ["/", "/zipkin", "/zipkin/", "/zipkin/config.json"] {
        assert_eq!(no_ui.get(target).await.status, 404, "{target}");
    }
    assert_eq!(no_ui.get("/zipkin/api/v2/services").await.status, 200);
    assert_eq!(no_ui.ask("POST", "/zipkin/api/v2/spans", &[]).await.status, 404);

    let no_query = Server::new(ApiConfig { query_enabled: false, ui_enabled: false, ..ApiConfig::default() });
    assert_eq!(no_query.get("/api/v2/services").await.status, 404);
    assert_eq!(no_query.get("/zipkin/api/v2/services").await.status, 404);
    assert_eq!(no_query.get("/health").await.status, 200);
}

#[tokio::test]
async fn the_query_string_survives_a_redirect() {
    let server = server();
    for (target, location) in
        [("/", "/zipkin/"), ("/zipkin?a=b&c", "/zipkin/?a=b&c"), ("/favicon.ico", "/zipkin/favicon.ico")]
    {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(location)));
        assert_eq!((answer.header("content-type"), answer.header("content-length")), (None, Some("0")));
    }
}

#[tokio::test]
async fn ui_pages_are_guarded_and_can_be_revalidated() {
    let server = server();
    for target in ["/zipkin/", "/zipkin/index.html", "/zipkin/traces/abc", "/zipkin/dependency", "/zipkin/settings"] {
        let page = server.get(target).await;
        assert_eq!((page.status, page.header("cache-control")), (200, Some("max-age=60")), "{target}");
        assert!(page.body.contains("<base href=\"/zipkin/\" >") && page.body.contains("<meta name=\"zipkin-ui\""));
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self'"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let etag = page.header("etag").unwrap();
        let again = server.ask("GET", target, &[("if-none-match", etag)]).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
}

#[tokio::test]
async fn a_browser_that_navigates_nowhere_gets_the_page_with_status_404() {
    let server = server();
    let navigate = [("sec-fetch-mode", "navigate")];
    let page = server.ask("GET", "/zipkin/no/such/page", &navigate).await;
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("<base "));
    for (target, headers) in [("/zipkin/no/such/page", &[][..]), ("/zipkin/api/v2/nothing", &navigate[..])] {
        let plain = server.ask("GET", target, headers).await;
        assert_eq!((plain.status, plain.body.as_str()), (404, "404 Not Found"));
    }
}

#[tokio::test]
async fn health_lists_the_store_and_readiness_ends_with_the_drain() {
    let server = server();
    let health = server.get("/health").await;
    assert_eq!(health.status, 200);
    let expected = "{\n  \"status\" : \"UP\",\n  \"zipkin\" : {\n    \"status\" : \"UP\",\n    \"details\" : {\n      \"InMemoryStorage{}\" : {\n        \"status\" : \"UP\"\n      }\n    }\n  }\n}";
    assert_eq!(health.body, expected);
    assert_eq!(server.get("/health/ready").await.status, 200);
    server.draining.cancel();
    let ready = server.get("/health/ready").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "{\n  \"status\" : \"OUT_OF_SERVICE\"\n}"));
    assert_eq!(server.get("/health/live").await.status, 200);
}

struct Broker(Result<(), String>);

#[async_trait::async_trait]
impl HealthComponent for Broker {
    fn name(&self) -> String {
        "KafkaCollector{topic=zipkin}".to_owned()
    }

    async fn check(&self) -> Result<(), String> {
        match &self.0 {
            Ok(()) => std::future::pending().await,
            Err(error) => Err(error.clone()),
        }
    }
}

fn with_component(component: Broker) -> Router {
    let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
    routes(ApiState::new(ApiParts {
        config: ApiConfig::default(),
        query: QueryService::new(storage.clone(), QueryConfig::default()),
        storage,
        health: vec![Arc::new(component)],
        registry: Registry::new(),
        clock: Arc::new(SystemClock),
        draining: CancellationToken::new(),
    }))
}

async fn health_of(component: Broker) -> (u16, String) {
    let server = Server { router: with_component(component), ..server() };
    let health = server.get("/health").await;
    (health.status, health.body)
}

#[tokio::test]
async fn one_component_that_is_down_is_told_with_its_error() {
    let (status, body) = health_of(Broker(Err("TimeoutException".to_owned()))).await;
    assert_eq!(status, 503);
    let health: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["status"], "DOWN");
    assert_eq!(health["zipkin"]["details"]["InMemoryStorage{}"]["status"], "UP");
    let broker = &health["zipkin"]["details"]["KafkaCollector{topic=zipkin}"];
    assert_eq!(broker["details"]["error"], "TimeoutException");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_told_as_such() {
    let (status, body) = health_of(Broker(Ok(()))).await;
    assert_eq!(status, 503);
    assert!(body.contains("\"error\" : \"Timed out computing health status."), "{body}");
}

#[tokio::test]
async fn metrics_come_in_three_formats() {
    let server = server();
    server.get("/api/v2/trace/1").await;
    server.get("/api/v2/trace/zz").await;
    let json = server.get("/metrics").await;
    assert!(json.body.contains("\"counter.zipkin_collector.spans.http\" : 0.0"), "{}", json.body);
    let text = server.get("/prometheus").await;
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for labels in ["status=\"404\",uri=\"NOT_FOUND\"", "status=\"400\",uri=\"/api/v2/trace/{traceId}\""] {
        assert!(
            text.body.contains(&format!("http_server_requests_seconds_count{{method=\"GET\",{labels}}} 1")),
            "{labels}"
        );
    }
    let one = server.get("/prometheus?name[]=zipkin_collector_spans_total").await;
    assert!(one.body.contains("zipkin_collector_spans_total") && !one.body.contains("http_server"));
    let open = server.ask("GET", "/prometheus", &[("accept", "application/openmetrics-text; version=1.0.0")]).await;
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn lists_below_a_service_are_cached_once_services_were_many() {
    let server = server();
    let span =
        |id: u32| format!(r#"{{"traceId":"{id}","id":"1","name":"n","localEndpoint":{{"serviceName":"s{id}"}}}}"#);
    server.store(&format!("[{},{},{},{}]", span(1), span(2), span(3), span(4))).await;
    assert_eq!(server.get("/api/v2/spans?serviceName=s1").await.header("cache-control"), None);
    let cached = Some("max-age=300, must-revalidate");
    assert_eq!(server.get("/api/v2/services").await.header("cache-control"), cached);
    assert_eq!(server.get("/api/v2/spans?serviceName=s1").await.header("cache-control"), cached);
    assert_eq!(server.get("/api/v2/autocompleteKeys").await.header("cache-control"), cached);
    assert_eq!(server.get("/api/v2/traces").await.header("cache-control"), None);
}

#[tokio::test]
async fn summaries_come_in_pages_without_spans() {
    let server = server();
    let span = |id: u32| {
        format!(
            r#"{{"traceId":"{id}","id":"1","name":"n","timestamp":{id}000,"duration":{},"localEndpoint":{{"serviceName":"s"}}}}"#,
            9 - id
        )
    };
    server.store(&format!("[{},{},{}]", span(1), span(2), span(3))).await;
    let page = |query: &str| {
        let target = format!("/zipkin/api/ext/v1/summaries?endTs=9&limit=2{query}");
        let server = &server;
        async move {
            let answer = server.get(&target).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
        }
    };
    let first = page("").await;
    let newest = serde_json::json!({
        "traceId": "0000000000000003", "startUs": 3000, "durationUs": 6, "spanCount": 1, "errorCount": 0,
        "root": {"serviceName": "s", "name": "n"},
        "services": [{"name": "s", "spanCount": 1, "errorCount": 0, "maxDurationUs": 6, "criticalShare": 1.0}]
    });
    assert_eq!((&first["summaries"][0], &first["complete"]), (&newest, &true.into()));
    let second = page(&format!("&cursor={}", first["nextCursor"].as_str().unwrap())).await;
    assert_eq!(second["summaries"][0]["traceId"], "0000000000000001");
    assert_eq!((second["summaries"].as_array().unwrap().len(), &second["nextCursor"]), (1, &serde_json::Value::Null));
    assert_eq!(page("&sort=longest").await["summaries"][0]["traceId"], "0000000000000001");
    for (query, message) in
        [("limit=0", "limit <= 0"), ("sort=oldest", "unknown sort: oldest"), ("cursor=x", "unknown cursor: x")]
    {
        let refused = server.get(&format!("/api/ext/v1/summaries?{query}")).await;
        assert_eq!((refused.status, refused.body.as_str()), (400, message));
    }
}

#[tokio::test]
async fn red_is_told_by_service_name_and_call_in_steps() {
    let server = server();
    let call = |minute: u32, id: u32, error: &str| {
        format!(
            r#"{{"traceId":"{id:x}","id":"1","kind":"CLIENT","name":"Get","timestamp":{0},"localEndpoint":{{"serviceName":"a"}}}},
               {{"traceId":"{id:x}","id":"2","parentId":"1","kind":"SERVER","name":"Get /x","timestamp":{0},"duration":{1},
                "localEndpoint":{{"serviceName":"b"}},"tags":{{{error}}}}}"#,
            minute * 60_000_000 + 1,
            id * 10,
        )
    };
    let spans = [call(1, 1, ""), call(1, 2, r#""error":"x""#), call(3, 3, "")].join(",");
    server.store(&format!("[{spans}]")).await;
    server.store(&format!("[{spans}]")).await;
    let ask = async |query: &str| {
        let answer = server.get(&format!("/zipkin/api/ext/v1/red?endTs=200000&lookback=180000{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    let point = |ts: i64, calls: u64, errors: u64, mean: u64, p50: u64, max: u64| {
        serde_json::json!({"ts": ts, "calls": calls, "errors": errors, "timed": calls, "meanUs": mean, "p50Us": p50,
            "p95Us": max, "p99Us": max, "maxUs": max})
    };
    let points = serde_json::json!([point(60_000, 2, 1, 15, 10, 20), point(180_000, 1, 0, 30, 30, 30)]);
    let mut total = point(0, 3, 1, 20, 20, 30);
    total.as_object_mut().unwrap().remove("ts");
    let series = |about: serde_json::Value| {
        let mut series = about;
        series["total"] = total.clone();
        series["points"] = points.clone();
        series
    };
    let service = series(serde_json::json!({"type": "service", "serviceName": "b"}));
    let span = series(serde_json::json!({"type": "span", "serviceName": "b", "spanName": "get /x", "kind": "SERVER"}));
    let edge = series(serde_json::json!({"type": "edge", "serviceName": "a", "remoteServiceName": "b"}));
    let answer = |series: &[&serde_json::Value]| serde_json::json!({"startTs": 0, "endTs": 240_000, "step": 60_000, "series": series, "complete": true});
    assert_eq!(ask("").await, answer(&[&service, &edge]));
    assert_eq!(ask("&serviceName=B").await, answer(&[&service, &span, &edge]));
    assert_eq!(ask("&serviceName=b&spanName=GET%20/x").await, answer(&[&span]));
    assert_eq!(ask("&serviceName=a&remoteServiceName=b").await, answer(&[&edge]));
    let client = &ask("&serviceName=a").await["series"][0];
    assert_eq!((&client["kind"], client["points"][0].get("p50Us")), (&"CLIENT".into(), None));
    let wide = ask("&step=120000&limit=1").await;
    assert_eq!((&wide["series"][0]["points"][0]["ts"], &wide["complete"]), (&0.into(), &false.into()));
    let refused = server.get("/api/ext/v1/red?step=1").await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "step is not a multiple of 60000"));
    assert!(server.get("/zipkin/").await.body.contains("&quot;summaries&quot;,&quot;red&quot;"));
}

#[tokio::test]
async fn traces_are_pinned_listed_and_let_go() {
    let server = Server::new(ApiConfig { pin_enabled: true, ..ApiConfig::default() });
    server.store(r#"[{"traceId":"a","id":"1","timestamp":1000},{"traceId":"a","id":"2","timestamp":1000}]"#).await;
    let own = [("x-requested-by", "test")];
    let list = async || server.get("/zipkin/api/ext/v1/pin").await.body;
    assert_eq!(list().await, r#"{"pinned":[]}"#);
    let pinned = server.ask("POST", "/api/ext/v1/pin/a", &own).await;
    assert_eq!(pinned.status, 200, "{}", pinned.body);
    assert!(pinned.body.starts_with(r#"{"traceId":"000000000000000a","spanCount":2,"bytes":"#), "{}", pinned.body);
    assert_eq!(list().await, format!(r#"{{"pinned":[{}]}}"#, pinned.body));
    for (method, target, headers, status) in [
        ("POST", "/api/ext/v1/pin/b", &own[..], 404),
        ("POST", "/api/ext/v1/pin/xyz", &own[..], 400),
        // What a form or a link of another page can send.
        ("POST", "/api/ext/v1/pin/a", &[("content-type", "application/x-www-form-urlencoded")][..], 403),
        ("DELETE", "/api/ext/v1/pin/a", &[][..], 403),
        ("GET", "/api/ext/v1/pin/a", &own[..], 404),
        ("GET", "/zipkin/api/ext/v1/pin/a", &own[..], 405),
        ("DELETE", "/zipkin/api/ext/v1/pin/a", &own[..], 204),
        ("DELETE", "/api/ext/v1/pin/a", &own[..], 204),
    ] {
        let answer = server.ask(method, target, headers).await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.body);
    }
    assert_eq!(list().await, r#"{"pinned":[]}"#);
    let preflight = server
        .ask(
            "OPTIONS",
            "/api/ext/v1/pin/a",
            &[
                ("origin", "http://a.example"),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "x-requested-by"),
            ],
        )
        .await;
    let allowed = preflight.header("access-control-allow-headers").unwrap_or_default();
    assert!(!allowed.contains("x-requested-by") && !allowed.contains('*'), "{allowed}");
}

#[tokio::test]
async fn pinning_is_off_unless_it_is_switched_on() {
    let server = server();
    server.store(r#"[{"traceId":"a","id":"1","timestamp":1000}]"#).await;
    let own = [("x-requested-by", "test")];
    for (method, target) in [("POST", "/api/ext/v1/pin/a"), ("DELETE", "/api/ext/v1/pin/a"), ("GET", "/api/ext/v1/pin")]
    {
        assert_eq!(server.ask(method, target, &own).await.status, 404, "{method}");
    }
    assert!(!server.get("/zipkin/").await.body.contains("&quot;pin&quot;"));
}
