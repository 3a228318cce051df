//! Lies about where a body ends, and requests within requests.

use super::*;

/// Longer than any deadline that the server was given: it ends each connection itself.
const SILENCE: Duration = Duration::from_secs(30);
const SPAN: &str = r#"[{"traceId":"5a","id":"1"}]"#;

/// A request that nobody sent openly.
fn smuggled(trace: &str) -> String {
    let body = format!(r#"[{{"traceId":"{trace}","id":"1"}}]"#);
    format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn siege() -> Siege {
    Siege::begin(&[("HTTP_BODY_TIMEOUT", "1s"), ("HTTP_HEAD_TIMEOUT", "1s"), ("HTTP_IDLE_TIMEOUT", "2s")])
}

#[test]
fn lengths_that_lie_are_refused_or_time_out() {
    let siege = siege();
    let head = "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n";
    // (head and body, the statuses that answer it)
    let lies: [(String, &[u16]); 14] = [
        (format!("{head}Content-Length: 5000\r\n\r\n{SPAN}"), &[408]),
        (format!("{head}Content-Length: -1\r\n\r\n{SPAN}"), &[400]),
        (format!("{head}Content-Length: +27\r\n\r\n{SPAN}"), &[400]),
        (format!("{head}Content-Length: 0x1b\r\n\r\n{SPAN}"), &[400]),
        (format!("{head}Content-Length: 27, 28\r\n\r\n{SPAN}"), &[400]),
        (format!("{head}Content-Length: 99999999999999999999999\r\n\r\n{SPAN}"), &[400]),
        (format!("{head}Content-Length: 18446744073709551615\r\n\r\n{SPAN}"), &[431]),
        (format!("{head}Content-Length: 9223372036854775807\r\n\r\n{SPAN}"), &[413]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n1b\r\n{SPAN}\r\n"), &[408]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{SPAN}\r\n0\r\n\r\n"), &[400]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{SPAN}\r\n0\r\n\r\n"), &[400]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{SPAN}\r\n0\r\n\r\n"), &[400]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n-1\r\n{SPAN}\r\n0\r\n\r\n"), &[400]),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n{}2\r\n[]\r\n0\r\n\r\n", "0".repeat(100_000)), &[202, 400]),
    ];
    for (lie, expected) in lies {
        let answers = exchange(&mut siege.connect(), lie.as_bytes(), SILENCE);
        let seen = statuses(&answers);
        let about = lie.get(..lie.len().min(200)).unwrap_or_default();
        assert!(seen.len() == 1 && expected.contains(&seen[0]), "{about}\n{answers}");
    }
    assert_eq!(siege.server.get("/api/v2/trace/5a").status, 404);
    siege.end("lengths that lie", 300);
}

#[test]
fn two_ways_to_read_a_request_never_pass_one_within_another() {
    let siege = siege();
    let post = "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n";
    let hidden = smuggled("5b");
    let pairs = [
        ("two lengths", format!("{post}Content-Length: 0\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len())),
        ("an encoding that is no chunked", format!("{post}Transfer-Encoding: xchunked\r\n\r\n{hidden}")),
        ("chunked is not the last", format!("{post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{hidden}")),
        ("identity and a length", format!("{post}Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n{hidden}")),
        ("a vertical tab", format!("{post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a folded line", format!("{post}X: a\r\n Content-Length: 0\r\nContent-Length: 2\r\n\r\n[]{hidden}")),
        ("a space before the colon", format!("{post}Content-Length : 2\r\n\r\n[]{hidden}")),
        ("a carriage return alone", format!("{post}X: a\rContent-Length: 2\r\n\r\n[]{hidden}")),
        ("a NUL in a name", format!("{post}Content\0-Length: 2\r\n\r\n[]{hidden}")),
        (
            "an old version and chunks",
            format!("POST /api/v2/spans HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "a length that ends a chunk early",
            format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\n[]XX0\r\n\r\n{hidden}"),
        ),
    ];
    for (about, bytes) in pairs {
        let answers = exchange(&mut siege.connect(), bytes.as_bytes(), SILENCE);
        assert_eq!(statuses(&answers), [400], "{about}: {answers}");
        assert_eq!(siege.server.get("/api/v2/trace/5b").status, 404, "{about}");
    }
    siege.end("requests within requests", 300);
}

#[test]
fn chunks_win_over_a_length_as_the_standard_says() {
    let siege = siege();
    // A length that covers what follows, and chunks that end before it, and the other way round: the chunks count.
    let inner = smuggled("5c");
    let body = format!("1b\r\n{SPAN}\r\n0\r\n\r\n");
    for lengths in
        ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4000"]
    {
        let bytes = format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n{body}");
        let answers = exchange(&mut siege.connect(), bytes.as_bytes(), SILENCE);
        assert_eq!(statuses(&answers), [202], "{answers}");
    }
    // The inner request is content of a chunk here, and nothing else.
    let chunked = format!(
        "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
        inner.len()
    );
    let answers = exchange(&mut siege.connect(), chunked.as_bytes(), SILENCE);
    assert_eq!(statuses(&answers), [400], "{answers}");
    assert_eq!(siege.server.get("/api/v2/trace/5c").status, 404);
    siege.end("chunks and a length", 300);
}

#[test]
fn lines_that_are_no_http_end_the_connection() {
    let siege = siege();
    let garbage = [
        "\r\n\r\n\r\nGET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03".to_owned(),
        "G".repeat(70_000),
        format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(2_000)),
    ];
    for bytes in garbage {
        let answers = exchange(&mut siege.connect(), bytes.as_bytes(), SILENCE);
        let seen = statuses(&answers);
        let about = bytes.get(..40).unwrap_or(&bytes);
        assert!(
            seen.iter().all(|status| [400, 414, 431, 505].contains(status)) && seen.len() <= 1,
            "{about:?}: {answers}"
        );
    }
    siege.end("no HTTP", 300);
}
