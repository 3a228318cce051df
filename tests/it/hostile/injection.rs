//! What means something to SQL, LIKE, HTTP or HTML, in every parameter of every read: an answer, and nothing else changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// Fragments that do harm where text is put together carelessly.
const FRAGMENTS: [&str; 16] = [
    "'",
    "\"",
    "';DROP TABLE span;--",
    "' OR '1'='1",
    "1) UNION SELECT name FROM sqlite_master--",
    "\\",
    "%",
    "_",
    "fron%",
    "f_ontend",
    "a\r\nSet-Cookie: injected=1\r\n\r\n<html>",
    "a\nX-Injected: 1",
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "\u{0}\u{7f}",
    "\u{202e}\u{feff}\u{10ffff}",
];

const END_TS: &str = "1700000100000";

/// Every read and its parameters, as the description of the API tells them, below each of its addresses.
struct Read {
    path: String,
    parameters: Vec<String>,
}

fn reads() -> Vec<Read> {
    let document = crate::support::repository_json("docs/openapi.json");
    let mut reads = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(get) = item.get("get") else { continue };
        let lists = [&item["parameters"], &get["parameters"]];
        let listed = lists.into_iter().filter_map(Value::as_array).flatten();
        let parameters: Vec<String> = listed.map(|parameter| name_of(&document, parameter)).collect();
        let bases = if item.get("servers").is_some() { vec!["", "/zipkin"] } else { vec![""] };
        for base in bases {
            reads.push(Read { path: format!("{base}{path}"), parameters: parameters.clone() });
        }
    }
    assert!(reads.len() > 25, "{}", reads.len());
    reads
}

fn name_of(document: &Value, parameter: &Value) -> String {
    let shared = parameter["$ref"].as_str().map(|reference| reference.rsplit('/').next().unwrap());
    let parameter = shared.map_or(parameter, |name| &document["components"]["parameters"][name]);
    parameter["name"].as_str().unwrap().to_owned()
}

/// A value with which a read finds something.
fn usual(parameter: &str) -> &str {
    match parameter {
        "serviceName" => "frontend",
        "remoteServiceName" => "backend",
        "spanName" => "get /",
        "annotationQuery" => "env=prod",
        "minDuration" => "1",
        "maxDuration" => "100000",
        "endTs" => END_TS,
        "lookback" => "86400000",
        "limit" => "10",
        "key" => "env",
        "traceId" => "1001",
        "traceIds" => "1001,1002",
        "sort" => "newest",
        _ => "",
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

impl Read {
    /// The address with one parameter, or one that nobody knows, as the attacker wants it.
    fn target(&self, attacked: &str, with: &str) -> String {
        let value = |name: &str| escaped(if name == attacked { with } else { usual(name) });
        let mut target = self.path.clone();
        let mut pairs = Vec::new();
        for name in self.parameters.iter().map(String::as_str).chain(["unknown"]) {
            let place = format!("{{{name}}}");
            if target.contains(&place) {
                target = target.replace(&place, &value(name));
            } else {
                pairs.push(format!("{}={}", escaped(name), value(name)));
            }
        }
        format!("{target}?{}", pairs.join("&"))
    }
}

/// Everything that the store holds, as every read tells it.
fn content(server: &Server) -> BTreeMap<String, Value> {
    let window = format!("endTs={END_TS}&lookback=86400000");
    let reads = [
        "/api/v2/services".to_owned(),
        "/api/v2/spans?serviceName=frontend".to_owned(),
        "/api/v2/remoteServices?serviceName=frontend".to_owned(),
        "/api/v2/autocompleteKeys".to_owned(),
        "/api/v2/autocompleteValues?key=env".to_owned(),
        format!("/api/v2/traces?{window}&limit=1000"),
        format!("/api/v2/traces?serviceName=frontend&annotationQuery=env%3Dprod&{window}"),
        format!("/api/v2/dependencies?{window}"),
        format!("/api/ext/v1/summaries?{window}"),
    ];
    let answers = reads.into_iter().map(|read| {
        let response = server.get(&read);
        assert_eq!(response.status, 200, "{read}: {}", response.text());
        let answer = response.json();
        (read, answer)
    });
    answers.collect()
}

fn fill(server: &Server) {
    let span = |trace: u64, id: u64, service: &str, remote: &str, env: &str| {
        json!({"traceId": format!("{trace:x}"), "id": format!("{id:x}"), "name": "get /", "kind": "CLIENT",
               "timestamp": 1_700_000_000_000_000_u64 + trace, "duration": 5_000, "tags": {"env": env},
               "localEndpoint": {"serviceName": service}, "remoteEndpoint": {"serviceName": remote}})
    };
    // Names that a LIKE with the fragments would find.
    let spans = [
        span(0x1001, 1, "frontend", "backend", "prod"),
        span(0x1002, 1, "frontend", "backend", "prod%"),
        span(0x1003, 1, "front_nd", "back%nd", "_rod"),
        span(0x1004, 1, "o'hara", "<b>x</b>", "'"),
    ];
    server.post_spans(serde_json::to_vec(&spans).unwrap());
}

fn attack(server: &Server, target: &str, fragment: &str) {
    let response = server.get(target);
    let text = response.text();
    let about = format!("{target}: {} {:?}", response.status, response.headers);
    assert!([200, 302, 400, 404].contains(&response.status), "{about} {text}");
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{about}");
    let media = response.header("content-type").unwrap_or_default();
    if media.contains("html") {
        // The page of the UI, which is the same whatever is asked.
        assert!(target.starts_with("/zipkin/") && (response.status == 200 || response.status == 404), "{about}");
        assert!(fragment.len() < 8 || !text.contains(fragment), "{about}");
    }
    let names: Vec<_> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"set-cookie") && !names.contains(&"x-injected"), "{about}");
    if response.status == 200 && media == "application/json" {
        response.json();
    }
}

fn is_harmless_on(store: Store) {
    let server = Server::start(store, &[("AUTOCOMPLETE_KEYS", "env")]);
    fill(&server);
    let before = content(&server);
    // Questions to a database server take longer: each parameter there gets its share of the fragments.
    let share = if matches!(store, Store::Memory | Store::Sqlite) { 1 } else { 4 };
    let mut turn = 0;
    for read in reads() {
        for parameter in read.parameters.iter().map(String::as_str).chain(["unknown"]) {
            turn += 1;
            for fragment in FRAGMENTS.iter().skip(turn % share).step_by(share) {
                attack(&server, &read.target(parameter, fragment), fragment);
            }
        }
    }
    for fragment in FRAGMENTS {
        attack(&server, &format!("/api/v2/{}", escaped(fragment)), fragment);
        attack(&server, &format!("/{}", escaped(fragment)), fragment);
    }
    assert_eq!(content(&server), before, "what the store holds");
    assert_eq!(server.get("/health").status, 200);
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("syntax error"), "{log}");
}

#[test]
fn fragments_of_other_languages_change_nothing_in_memory() {
    is_harmless_on(Store::Memory);
}

#[test]
fn fragments_of_other_languages_change_nothing_in_sqlite() {
    is_harmless_on(Store::Sqlite);
}

#[test]
fn fragments_of_other_languages_change_nothing_in_postgres() {
    is_harmless_on(Store::Postgres);
}

#[test]
fn fragments_of_other_languages_change_nothing_in_mysql() {
    is_harmless_on(Store::MysqlNative);
}

#[test]
fn fragments_of_other_languages_change_nothing_in_zipkins_tables() {
    is_harmless_on(Store::MysqlZipkin);
}

/// Wildcards are letters: each of these finds exactly what has them.
#[test]
fn wildcards_find_only_themselves() {
    for store in [Store::Memory, Store::Sqlite, Store::Postgres, Store::MysqlNative, Store::MysqlZipkin] {
        let server = Server::start(store, &[("AUTOCOMPLETE_KEYS", "env")]);
        fill(&server);
        let found = |query: &str| {
            let response = server.get(&format!("/api/v2/traces?endTs={END_TS}&lookback=86400000&{query}"));
            assert_eq!(response.status, 200, "{query}: {}", response.text());
            response.json().as_array().unwrap().len()
        };
        for (query, traces) in [
            ("serviceName=front_nd", 1),
            ("serviceName=front%25", 0),
            ("serviceName=%25", 0),
            ("serviceName=o%27hara", 1),
            ("remoteServiceName=back%25nd", 1),
            ("remoteServiceName=back_nd", 0),
            ("spanName=get%20_", 0),
            ("annotationQuery=env%3Dprod%25", 1),
            ("annotationQuery=env%3D_rod", 1),
            ("annotationQuery=env%3D%25", 0),
            ("annotationQuery=en_", 0),
            ("annotationQuery=env%3D%27", 1),
        ] {
            assert_eq!(found(query), traces, "{store:?} {query}");
        }
        let spans = server.get("/api/v2/spans?serviceName=front%25");
        assert_eq!(spans.json(), json!([]));
    }
}

/// What a sender put into spans comes back as JSON and nothing else, in messages, too.
#[test]
fn markup_in_spans_and_errors_is_never_a_page() {
    let server = Server::start(Store::Memory, &[]);
    let markup = "<script>alert(1)</script>";
    for (path, media_type, body) in [
        ("/api/v2/spans", "application/json", format!(r#"[{{"traceId":"{markup}","id":"1"}}]"#)),
        ("/api/v2/spans", "application/json", format!(r#"[{{"traceId":"1","id":"1","kind":"{markup}"}}]"#)),
        ("/api/v2/spans", "text/html", markup.to_owned()),
        ("/api/v1/spans", "text/html", format!(r#"[{{"traceId":"{markup}","id":"1"}}]"#)),
        ("/v1/traces", "application/json", format!(r#"{{"resourceSpans":"{markup}"}}"#)),
        ("/v1/traces", "text/html", markup.to_owned()),
    ] {
        let response = server.send(&Request::new("POST", path).header("Content-Type", media_type).body(body));
        assert!([400, 415].contains(&response.status), "{path}: {}", response.status);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(
            !response.header("content-type").unwrap_or_default().contains("html"),
            "{path}: {:?}",
            response.headers
        );
    }
}
