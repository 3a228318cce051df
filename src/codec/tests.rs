mod arbitrary;
pub(crate) mod golden;
mod hostile;
mod property;
mod v1_writers;

use super::*;

#[test]
fn bodies_that_are_no_list_are_named_after_the_format() {
    let refused = |format, body: &[u8]| check_list(format, body).map_err(|e| e.to_string()).unwrap_err();
    for body in ["{}", "hello", " []", "\u{feff}[]", "\"[]\"", "null", "1", "][", "\t[]", ""] {
        assert_eq!(refused(Format::JsonV2, body.as_bytes()), "Expected a JSON_V2 encoded list\n", "{body:?}");
        assert_eq!(refused(Format::JsonV1, body.as_bytes()), "Expected a JSON_V1 encoded list\n", "{body:?}");
    }
    for body in [&b"hello"[..], b"{}", &[0x10, 1], &[10, 0], &[10], &[]] {
        assert_eq!(refused(Format::Proto3, body), "Expected a PROTO3 encoded list\n", "{body:?}");
    }
    for body in [&b"hello"[..], b"{}", &[10, 0, 1], &[]] {
        assert_eq!(refused(Format::Thrift, body), "Expected a THRIFT encoded list\n", "{body:?}");
    }
    for (format, body) in
        [(Format::JsonV2, &b"[ ]"[..]), (Format::JsonV1, b"[\n]"), (Format::Proto3, &[10, 1]), (Format::Thrift, &[11])]
    {
        assert_eq!(check_list(format, body), Ok(()));
    }
}

#[test]
fn json_of_the_other_version_is_refused_even_inside_strings() {
    let message = |format, body: &str| check_list(format, body.as_bytes()).map_err(|e| e.to_string());
    let v1_at_v2 = Err("Expected a JSON_V2 encoded list, but received: JSON_V1\n".to_owned());
    let v2_at_v1 = Err("Expected a JSON_V1 encoded list, but received: JSON_V2\n".to_owned());
    assert_eq!(message(Format::JsonV2, r#"[{"traceId":"1","id":"1","binaryAnnotations":[]}]"#), v1_at_v2);
    assert_eq!(message(Format::JsonV2, r#"[{"traceId":"1","id":"1","name":"binaryAnnotations"}]"#), v1_at_v2);
    assert_eq!(message(Format::JsonV1, r#"[{"traceId":"1","id":"1","tags":{}}]"#), v2_at_v1);
    assert_eq!(message(Format::JsonV1, r#"[{"traceId":"1","id":"1","localEndpoint":{}}]"#), v2_at_v1);
    assert_eq!(message(Format::JsonV1, r#"[{"traceId":"1","id":"1","name":"remoteEndpoint"}]"#), v2_at_v1);
    assert_eq!(message(Format::JsonV1, r#"[{"traceId":"1","id":"1","name":"\"tags\""}]"#), Ok(()));
}

#[test]
fn messages_from_queues_are_told_apart_by_content() {
    for (body, format) in [
        (&br#"[{"traceId":"1","id":"1","localEndpoint":{}}]"#[..], Some(Format::JsonV2)),
        (br#"[{"traceId":"1","id":"1","tags":{}}]"#, Some(Format::JsonV2)),
        (br#"[{"traceId":"1","id":"1","binaryAnnotations":[]}]"#, Some(Format::JsonV1)),
        (br#"[{"traceId":"1","annotations":[{"value":"cs","endpoint":{}}]}]"#, Some(Format::JsonV1)),
        (br#"[{"traceId":"1","id":"1","kind":"CLIENT"}]"#, Some(Format::JsonV1)),
        (b"[]", Some(Format::JsonV1)),
        (&[10, 20, 10], Some(Format::Proto3)),
        (&[12, 0, 0, 0, 0], Some(Format::Thrift)),
        (&[11, 0, 0, 0, 0], Some(Format::Thrift)),
        (&[10, 0, 1, 0], Some(Format::Thrift)),
        (&[10], None),
        (b"{}", None),
        (b"hello", None),
        (b"", None),
    ] {
        assert_eq!(detect(body), format, "{body:?}");
    }
}
