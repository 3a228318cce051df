use super::*;
use crate::codec::tests::golden::{answered, compare_clients, replay_recorded};
use crate::codec::{DecodeError, DecodeLimits, Format};
use crate::model::DependencyLink;

fn read(body: impl AsRef<[u8]>) -> Result<String, String> {
    answered(Format::JsonV2, body)
}

/// The answer for one span with these members besides its ids.
fn member(member: &str) -> Result<String, String> {
    let answer = read(format!(r#"[{{"traceId":"1","id":"2",{member}}}]"#))?;
    let head = r#"[{"traceId":"0000000000000001","id":"0000000000000002""#;
    let rest = answer.strip_prefix(head).expect("the ids come first").strip_suffix("}]").expect("one span");
    Ok(rest.trim_start_matches(',').to_owned())
}

#[test]
fn zipkins_recorded_answers_are_given_to_the_byte() {
    assert!(replay_recorded(Format::JsonV2, "json_v2") > 100);
}

#[test]
fn what_real_clients_send_becomes_the_spans_zipkin_made_of_it() {
    assert!(compare_clients(Format::JsonV2, "json_v2") >= 10);
}

#[test]
fn syntax_errors_say_what_was_expected_and_where() {
    let refused = |body: &str| read(body).unwrap_err().replace(" reading List<Span> from json", "");
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1","name":{}}]"#),
        "expected a string or null but found an object at line 1 column 33, $[0].name"
    );
    assert_eq!(
        refused("[{\"traceId\":\"1\",\n \"id\":\"é\",\n  \"tags\":{\"ключ\":\"é\",\"b\":[1]}}]"),
        "é should be lower-hex encoded with no prefix"
    );
    assert_eq!(refused("[{},\n {\"traceId\":\"1\",\n  \"tags\":{\"ключ\":\"é\",\"b\":[1]}}]"), "Missing : traceId id");
    assert_eq!(
        refused("[{\"traceId\":\"1\",\"id\":\"1\"},\n{\"traceId\":\"1\",\n  \"tags\":{\"ключ\":\"é\",\"b\":[1]}}]"),
        "expected a string as the value of a tag but found a list at line 3 column 26, $[1].tags.b"
    );
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1"}"#),
        "expected `,` or `]` but found the end of the text at line 1 column 26, $[0]"
    );
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1","annotations":[{"timestamp":1,"value":"a"},{"value":"a"}]}]"#),
        "annotation without a timestamp at line 1 column 82, $[0].annotations[1]"
    );
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1","timestamp":1.5}]"#),
        "expected a whole number but found 1.5 at line 1 column 38, $[0].timestamp"
    );
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1","timestamp":"a"}]"#),
        "expected a whole number but found \"a\" at line 1 column 38, $[0].timestamp"
    );
    assert_eq!(
        refused(r#"[{"traceId":"1","id":"1","kind":"client"}]"#),
        "expected CLIENT, SERVER, PRODUCER or CONSUMER but found kind \"client\" at line 1 column 33, $[0].kind"
    );
    assert_eq!(
        refused("[{\"traceId\":\"1\",\"id\":\"1\",'name':\"x\"}]"),
        "expected the name of a member in double quotes but found `'` at line 1 column 26, $[0]"
    );
}

#[test]
fn messages_repeat_only_the_beginning_of_long_text() {
    let long = "x".repeat(1_000_000);
    assert!(member(&format!(r#""kind":"{long}""#)).unwrap_err().len() < 1_000);
    assert!(member(&format!(r#""timestamp":"{long}""#)).unwrap_err().len() < 1_000);
    assert!(member(&format!(r#""tags":{{"{long}":null}}"#)).unwrap_err().len() < 1_000);
}

#[test]
fn strings_take_what_zipkins_reader_takes() {
    assert_eq!(member("\"name\":\"a\nb\""), Ok(r#""name":"a\nb""#.to_owned()));
    assert_eq!(member(r#""name":"\u00e9\'\/""#), Ok(r#""name":"é'/""#.to_owned()));
    assert_eq!(member("\"\\u006eame\":\"x\""), Ok(r#""name":"x""#.to_owned()));
    assert_eq!(member(r#""tags":{"\n":"\t","\r":"\b"}"#), Ok(r#""tags":{"\n":"\t","\r":"\b"}"#.to_owned()));
    assert_eq!(member(r#""tags":{"a":"\uD83D\uD83D\uDE00"}"#), Ok(r#""tags":{"a":"?😀"}"#.to_owned()));
    assert!(member(r#""name":"\u00g9""#).is_err());
    assert!(member(r#""name":"\uD83D\u12""#).is_err());
    assert!(member(r#""name":"\x""#).is_err());
}

#[test]
fn strings_of_every_length_end_where_they_should() {
    for length in 0..200 {
        let text = "x".repeat(length);
        let expected = |text: &str| Ok(format!(r#""tags":{{"k":"{text}"}}"#));
        assert_eq!(member(&format!(r#""tags":{{"k":"{text}"}}"#)), expected(&text));
        assert_eq!(member(&format!(r#""tags":{{"k":"{text}\n"}}"#)), expected(&(text + "\\n")));
    }
}

#[test]
fn invalid_utf8_becomes_the_replacement_character_string_by_string() {
    let body = b"[{\"traceId\":\"1\",\"id\":\"2\",\"tags\":{\"a\xff\":\"\xc3(\\n\xe2\x82\",\"b\":\"\xc3\xa9\"}}]";
    let expected = r#"[{"traceId":"0000000000000001","id":"0000000000000002","tags":{"a�":"�(\n�","b":"é"}}]"#;
    assert_eq!(read(body).as_deref(), Ok(expected));
    assert!(read(b"[{\"traceId\":\"1\",\"id\":\"2\"\xff}]").is_err());
}

#[test]
fn numbers_take_what_zipkins_reader_takes() {
    let timestamp = |text: &str| member(&format!("\"timestamp\":{text}"));
    for (text, value) in [
        ("20", "20"),
        ("\" 20 \"", "20"),
        ("\"1.0e6\"", "1000000"),
        ("1E3", "1000"),
        ("80.0", "80"),
        ("999999999999999999", "999999999999999999"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775807"),
    ] {
        assert_eq!(timestamp(text), Ok(format!("\"timestamp\":{value}")), "{text}");
    }
    for text in ["-0", "-5", "0", "0.0", "-9223372036854775809"] {
        assert_eq!(timestamp(text), Ok(String::new()), "{text}");
    }
    for text in ["01", "1.", ".5", "1e", "+1", "1a", "NaN", "1e300", "\"NaN\"", "\"\"", "-", "0x1", "1.5"] {
        assert!(timestamp(text).is_err(), "{text}");
    }
    assert_eq!(member(r#""localEndpoint":{"port":80.0}"#), Ok(r#""localEndpoint":{"port":80}"#.to_owned()));
    assert!(member(r#""localEndpoint":{"port":4294967296}"#).is_err());
}

#[test]
fn literals_are_taken_in_any_case_but_whole() {
    assert_eq!(member(r#""debug":TRUE,"name":Null"#), Ok("\"debug\":true".to_owned()));
    assert!(member(r#""debug":truex"#).is_err());
    assert!(member(r#""debug":"true""#).is_err());
    assert!(member(r#""name":nulls"#).is_err());
}

#[test]
fn repeated_members_follow_zipkins_rules() {
    assert_eq!(member(r#""debug":true,"debug":false"#), Ok("\"debug\":true".to_owned()));
    assert_eq!(
        member(r#""localEndpoint":{"serviceName":"a","port":1},"localEndpoint":{"port":2}"#),
        Ok(r#""localEndpoint":{"port":2}"#.to_owned())
    );
    assert_eq!(member(r#""localEndpoint":{"port":1},"localEndpoint":{}"#), Ok(String::new()));
    assert_eq!(
        member(r#""localEndpoint":{"port":1},"localEndpoint":null"#),
        Ok(r#""localEndpoint":{"port":1}"#.to_owned())
    );
    assert_eq!(member(r#""tags":{"a":"1","b":"2","a":"3"}"#), Ok(r#""tags":{"a":"3","b":"2"}"#.to_owned()));
}

#[test]
fn equal_endpoints_of_neighbours_are_read_alike_and_others_afresh() {
    let endpoints = [
        r#"{"serviceName":"a","ipv4":"1.2.3.4","port":1}"#,
        r#"{"serviceName":"a","ipv4":"1.2.3.4","port":1}"#,
        r#"{"serviceName":"a","ipv4":"1.2.3.4","port":12}"#,
        r#"{"serviceName":"a"}"#,
        r#"{"serviceName":"a"}"#,
        r#"{"serviceName" : "\u0062", "x":{"serviceName":"a"}}"#,
        r#"{}"#,
        r#"{"ipv6":"::1"}"#,
    ];
    let span = |endpoint: &&str| format!(r#"{{"traceId":"1","id":"2","remoteEndpoint": {endpoint}}}"#);
    let answer = read(format!("[{}]", endpoints.iter().map(span).collect::<Vec<_>>().join(","))).unwrap();
    let alone: Vec<String> = endpoints.iter().map(|e| read(format!("[{}]", span(e))).unwrap()).collect();
    assert_eq!(answer, alone.join(",").replace("],[", ","));
    assert!(alone[5].contains(r#""remoteEndpoint":{"serviceName":"b"}"#));
}

#[test]
fn unknown_members_are_skipped_to_a_bounded_depth() {
    let nested = |depth: usize, open: &str, close: &str| {
        member(&format!("\"x\":{}1{}", open.repeat(depth), close.repeat(depth)))
    };
    assert_eq!(nested(255, "[", "]"), Ok(String::new()));
    assert_eq!(nested(255, "{\"a\":", "}"), Ok(String::new()));
    assert!(nested(256, "[", "]").unwrap_err().contains("more than 255 levels of nesting"));
    assert!(nested(1_000_000, "[", "").is_err());
    assert_eq!(
        member(r#""x":[{"a":[],"b":{}},[[],{}],"s",-1.5e3,true,null,{"c":[1,{"d":2}]}],"name":"n""#),
        Ok("\"name\":\"n\"".to_owned())
    );
    for bad in ["[1,]", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "[}", "{]", "[1}", "tru", "'a'", "[,1]", "//x\n1"] {
        assert!(member(&format!("\"x\":{bad}")).is_err(), "{bad}");
    }
}

#[test]
fn one_span_more_than_the_limit_refuses_the_message() {
    let body = r#"[{"traceId":"1","id":"1"},{"traceId":"1","id":"2"}]"#;
    assert!(decode(body.as_bytes(), &DecodeLimits { spans_max: 2, ..DecodeLimits::default() }).is_ok());
    let refused = decode(body.as_bytes(), &DecodeLimits { spans_max: 1, ..DecodeLimits::default() });
    assert_eq!(refused, Err(DecodeError::TooManySpans { format: Format::JsonV2, spans_max: 1 }));
}

#[test]
fn lists_of_names_are_written_by_zipkins_other_writer() {
    let mut out = Vec::new();
    write_names(&["s\"\\/\u{2029}".to_owned(), "q\u{1f}\u{7f}\n\t\u{8}\u{c}\r é😀\0\u{85}<>&".to_owned()], &mut out);
    let expected = "[\"s\\\"\\\\/\u{2029}\",\"q\\u001F\u{7f}\\n\\t\\b\\f\\r é\\uD83D\\uDE00\\u0000\u{85}<>&\"]";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn links_carry_an_error_count_only_when_there_were_errors() {
    let link = |child: &str, error_count| DependencyLink {
        parent: "\u{1f}\u{2028}é⃐".to_owned(),
        child: child.to_owned(),
        call_count: 12,
        error_count,
    };
    let mut out = Vec::new();
    write_links(&[link("b", 0), link("c", 3)], &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "[{\"parent\":\"\\u001f\\u2028é⃐\",\"child\":\"b\",\"callCount\":12},\
         {\"parent\":\"\\u001f\\u2028é⃐\",\"child\":\"c\",\"callCount\":12,\"errorCount\":3}]"
    );
}

#[test]
fn traces_are_lists_of_lists() {
    let trace = |body: &str| decode(body.as_bytes(), &DecodeLimits::default()).unwrap();
    let mut out = Vec::new();
    write_traces(&[trace(r#"[{"traceId":"1","id":"1"},{"traceId":"1","id":"2"}]"#), trace("[]")], &mut out);
    let expected = r#"[[{"traceId":"0000000000000001","id":"0000000000000001"},{"traceId":"0000000000000001","id":"0000000000000002"}],[]]"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
