//! Messages that are whole, and strange.

use serde_json::{Value, json};

use super::*;

const PEAK_MIB: u64 = 700;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn stored(siege: &Siege, trace_id: &str) -> Vec<Value> {
    let response = siege.server.get(&format!("/api/v2/trace/{trace_id}"));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json().as_array().unwrap().clone()
}

#[test]
fn deep_json_is_skipped_to_a_depth_and_refused_beyond() {
    let siege = Siege::begin(&[]);
    for (open, close) in [("[", "]"), (r#"{"x":"#, "}")] {
        for depth in [50, 100_000, 1_000_000] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let v2 = siege.post_json(format!(r#"[{{"traceId":"d1","id":"1","x":{nested}}}]"#));
            let v1 = siege.post(
                "/api/v1/spans",
                "application/json",
                format!(r#"[{{"traceId":"d1","id":"1","x":{nested}}}]"#),
            );
            let expected = if depth == 50 { 202 } else { 400 };
            assert_eq!((v2.status, v1.status), (expected, expected), "{depth} {open}");
            let unclosed = siege.post_json(format!(r#"[{{"traceId":"d1","id":"1","x":{}"#, open.repeat(depth)));
            assert_eq!(unclosed.status, 400);
        }
    }
    siege.end("deep JSON", PEAK_MIB);
}

#[test]
fn a_span_with_very_many_or_very_large_parts_is_kept_whole() {
    const ANNOTATIONS: usize = 100_000;
    let tag_count = scaled(100_000, 1_000_000);
    let siege = Siege::begin(&[]);
    let tags: Vec<String> = (0..tag_count).map(|number| format!(r#""tag{number}":"""#)).collect();
    let message = format!(r#"[{{"traceId":"a1","id":"1","tags":{{{}}}}}]"#, tags.join(","));
    let request =
        Request::new("POST", "/api/v2/spans").header("Content-Encoding", "gzip").body(gzipped(message.as_bytes()));
    assert_eq!(siege.server.send(&request).status, 202);
    assert_eq!(stored(&siege, "a1")[0]["tags"].as_object().unwrap().len(), tag_count);

    let large = "x".repeat(9_000_000);
    assert_eq!(siege.post_json(format!(r#"[{{"traceId":"a2","id":"1","tags":{{"large":"{large}"}}}}]"#)).status, 202);
    assert_eq!(stored(&siege, "a2")[0]["tags"]["large"], large);

    let annotations: Vec<String> =
        (1..=ANNOTATIONS).map(|time| format!(r#"{{"timestamp":{time},"value":"v"}}"#)).collect();
    assert_eq!(
        siege.post_json(format!(r#"[{{"traceId":"a3","id":"1","annotations":[{}]}}]"#, annotations.join(","))).status,
        202
    );
    assert_eq!(stored(&siege, "a3")[0]["annotations"].as_array().unwrap().len(), ANNOTATIONS);
    siege.end("very many parts", PEAK_MIB);
}

#[test]
fn strange_bytes_and_numbers_are_kept_or_refused_and_never_change_the_rest() {
    let siege = Siege::begin(&[]);
    let span = |member: &str| format!(r#"[{{"traceId":"c1","id":"1",{member}}}]"#).into_bytes();
    let with_bytes = |bytes: &[u8]| [br#"[{"traceId":"c2","id":"1","name":""#, bytes, br#""}]"#].concat();
    let taken = [
        span(r#""tags":{"nul":"a\u0000b"}"#),
        span(r#""tags":{"lone":"\ud800","pair":"\ud83d\ude00","low":"\udc00x"}"#),
        span(r#""tags":{"control":"\u0001\u001f\u007f\u2028"}"#),
        with_bytes(b"\xff\xfe"),
        with_bytes(b"\xed\xa0\x80"),
        with_bytes(b"\xc0\xaf"),
        span(r#""timestamp":9223372036854775807"#),
    ];
    for message in taken {
        let response = siege.post_json(message.clone());
        assert_eq!(response.status, 202, "{}: {}", String::from_utf8_lossy(&message), response.text());
        let read = siege.server.get("/api/v2/trace/c1");
        assert!(std::str::from_utf8(&read.body).is_ok(), "an answer is UTF-8");
    }
    let refused = [
        b"\xef\xbb\xbf[{\"traceId\":\"c3\",\"id\":\"1\"}]".to_vec(),
        b"\xff\xfe[\0{\0".to_vec(),
        b"\0".to_vec(),
        span(r#""timestamp":1e400"#),
        span(r#""timestamp":-99999999999999999999999999"#),
        span(&format!(r#""duration":{}"#, "9".repeat(100_000))),
        span(r#""localEndpoint":{"port":65536}"#),
        span(r#""localEndpoint":{"port":1e5}"#),
        span("\"tags\":{\"a\":\"\u{1}"),
    ];
    for message in refused {
        let response = siege.post_json(message.clone());
        let about = String::from_utf8_lossy(&message[..message.len().min(80)]).into_owned();
        assert_eq!(response.status, 400, "{about}: {}", response.text());
        assert_ne!(response.header("content-type"), Some("text/html"));
    }
    assert_eq!(siege.server.get("/api/v2/trace/c3").status, 404);
    siege.end("strange bytes", PEAK_MIB);
}

#[test]
fn traces_whose_parents_go_in_circles_are_read_searched_and_linked() {
    let length: u64 = scaled(3_000, 20_000);
    let siege = Siege::begin(&[]);
    let span = |trace: &str, id: u64, parent: u64, kind: &str| {
        json!({"traceId": trace, "id": format!("{id:x}"), "parentId": format!("{parent:x}"), "kind": kind, "timestamp": 1_700_000_000_000_000_u64 + id,
               "duration": 1, "localEndpoint": {"serviceName": format!("circle{}", id % 7)}})
    };
    let circles = [
        vec![span("e1", 1, 1, "SERVER")],
        vec![span("e2", 1, 2, "CLIENT"), span("e2", 2, 1, "SERVER")],
        vec![
            span("e3", 1, 2, "CLIENT"),
            span("e3", 2, 3, "SERVER"),
            span("e3", 3, 1, "CLIENT"),
            span("e3", 3, 2, "SERVER"),
        ],
        (1..=length).map(|id| span("e4", id, id % length + 1, if id % 2 == 0 { "SERVER" } else { "CLIENT" })).collect(),
    ];
    for (circle, trace) in circles.iter().zip(["e1", "e2", "e3", "e4"]) {
        assert_eq!(siege.post_json(serde_json::to_vec(circle).unwrap()).status, 202);
        assert_eq!(stored(&siege, trace).len(), circle.len(), "{trace}");
    }
    let mut pair = [span("e5", 1, 0x99, "CLIENT"), span("e5", 1, 0x99, "SERVER")];
    pair[0]["localEndpoint"]["serviceName"] = json!("before");
    pair[1]["localEndpoint"]["serviceName"] = json!("after");
    pair[1]["shared"] = json!(true);
    assert_eq!(siege.post_json(serde_json::to_vec(&pair).unwrap()).status, 202);
    let window = "endTs=1700000100000&lookback=86400000";
    let links = siege.server.get(&format!("/api/v2/dependencies?{window}"));
    assert_eq!(links.status, 200, "{}", links.text());
    let link = json!({"parent": "before", "child": "after", "callCount": 1});
    assert!(links.json().as_array().unwrap().contains(&link), "{}", links.text());
    let traces = siege.server.get(&format!("/api/v2/traces?{window}"));
    assert_eq!(traces.json().as_array().unwrap().len(), circles.len() + 1);
    assert_eq!(siege.server.get(&format!("/api/ext/v1/summaries?{window}")).status, 200);
    siege.end("parents in circles", PEAK_MIB);
}
