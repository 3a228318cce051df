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

/// Every read, with every parameter it takes; each is attacked alone, the others are as they should be.
const READS: [(&str, &[(&str, &str)]); 11] = [
    ("/api/v2/services", &[]),
    ("/api/v2/spans", &[("serviceName", "frontend")]),
    ("/api/v2/remoteServices", &[("serviceName", "frontend")]),
    ("/api/v2/autocompleteKeys", &[]),
    ("/api/v2/autocompleteValues", &[("key", "env")]),
    ("/api/v2/trace/", &[("", "1001")]),
    ("/api/v2/traceMany", &[("traceIds", "1001,1002")]),
    ("/api/v2/dependencies", &[("endTs", END_TS), ("lookback", "86400000")]),
    ("/api/v2/traces", SEARCH),
    ("/zipkin/api/v2/traces", SEARCH),
    ("/api/ext/v1/summaries", SUMMARIES),
];
const END_TS: &str = "1700000100000";
const SEARCH: &[(&str, &str)] = &[
    ("serviceName", "frontend"),
    ("remoteServiceName", "backend"),
    ("spanName", "get /"),
    ("annotationQuery", "env=prod"),
    ("minDuration", "1"),
    ("maxDuration", "100000"),
    ("endTs", END_TS),
    ("lookback", "86400000"),
    ("limit", "10"),
];
const SUMMARIES: &[(&str, &str)] = &[
    ("serviceName", "frontend"),
    ("annotationQuery", "env=prod"),
    ("endTs", END_TS),
    ("lookback", "86400000"),
    ("sort", "newest"),
    ("cursor", ""),
];

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn target(path: &str, parameters: &[(&str, &str)], attacked: &str, with: &str) -> String {
    if path.ends_with('/') {
        return format!("{path}{}", escaped(if attacked.is_empty() { with } else { parameters[0].1 }));
    }
    let value = |name: &str, value: &str| escaped(if name == attacked { with } else { value });
    let pairs: Vec<_> = parameters.iter().map(|(name, usual)| format!("{name}={}", value(name, usual))).collect();
    format!("{path}?{}", pairs.join("&"))
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

fn attack(server: &Server, target: &str, about: &str) {
    let response = server.get(target);
    let text = response.text();
    assert!([200, 400, 404].contains(&response.status), "{about}: {} {text}", response.status);
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{about}");
    let media = response.header("content-type").unwrap_or_default();
    assert!(!media.contains("html") && !media.contains("xml"), "{about}: {media}");
    let names: Vec<_> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"set-cookie") && !names.contains(&"x-injected"), "{about}: {names:?}");
    if response.status == 200 {
        response.json();
    }
}

fn is_harmless_on(store: Store) {
    let server = Server::start(store, &[("AUTOCOMPLETE_KEYS", "env")]);
    fill(&server);
    let before = content(&server);
    for (path, parameters) in READS {
        let unknown = ("unknown", "x");
        for (name, _) in parameters.iter().chain([&unknown]) {
            for fragment in FRAGMENTS {
                let attacked = target(path, parameters, name, fragment);
                attack(&server, &attacked, &format!("{path} {name} {fragment:?}"));
            }
        }
    }
    // In the path itself, in headers, and as a method.
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

/// Wildcards are letters: each of these finds exactly what has them.
#[test]
fn wildcards_find_only_themselves() {
    for store in [Store::Memory, Store::Sqlite] {
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
