use super::*;
use crate::codec::tests::golden::{answered, compare_clients, replay_recorded};

fn read(body: impl AsRef<[u8]>) -> Result<String, String> {
    answered(Format::JsonV1, body)
}

#[test]
fn zipkins_recorded_answers_are_given_to_the_byte() {
    assert!(replay_recorded(Format::JsonV1, "json_v1") > 40);
}

#[test]
fn what_real_clients_send_becomes_the_spans_zipkin_made_of_it() {
    assert!(compare_clients(Format::JsonV1, "json_v1") >= 2);
}

#[test]
fn only_the_last_sixteen_digits_of_ids_count() {
    let ids = |trace_id: &str, parent_id: &str, id: &str| {
        read(format!(r#"[{{"traceId":"{trace_id}","parentId":"{parent_id}","id":"{id}"}}]"#))
    };
    let expected = |trace_id: &str| {
        Ok(format!(r#"[{{"traceId":"{trace_id}","parentId":"0000000000000003","id":"0000000000000002"}}]"#))
    };
    let (two, three) = ("f0000000000000002", "f0000000000000000000000000000003");
    assert_eq!(ids("5f000000000000010000000000000009", three, two), expected("5f000000000000010000000000000009"));
    assert_eq!(ids("f0000000000000009", three, two), expected("0000000000000009"));
    assert_eq!(ids("9", three, two), expected("0000000000000009"));
    assert!(ids("5f000000000000010000000000000000", "3", "2").unwrap_err().starts_with("traceId == 0 reading"));
    assert!(ids("zf000000000000010000000000000009", "3", "2").is_err());
    assert_eq!(ids("9", "0", "2").unwrap(), r#"[{"traceId":"0000000000000009","id":"0000000000000002"}]"#);
}

#[test]
fn endpoints_of_null_or_without_members_are_none() {
    for endpoint in ["null", "{}", r#"{"serviceName":null}"#] {
        let body = format!(
            r#"[{{"traceId":"1","id":"2","annotations":[{{"endpoint":{endpoint},"timestamp":1,"value":"cs"}}],
                "binaryAnnotations":[{{"key":"sa","value":true,"endpoint":{endpoint}}},{{"key":"k","value":"v","endpoint":{endpoint}}}]}}]"#
        );
        let expected = r#"[{"traceId":"0000000000000001","id":"0000000000000002","annotations":[{"timestamp":1,"value":"cs"}],"tags":{"k":"v"}}]"#;
        assert_eq!(read(body).as_deref(), Ok(expected));
    }
}

#[test]
fn the_limit_counts_the_spans_after_conversion() {
    let body = r#"[{"traceId":"1","id":"2","annotations":[{"timestamp":1,"value":"cs","endpoint":{"serviceName":"a"}},
        {"timestamp":2,"value":"sr","endpoint":{"serviceName":"b"}}]}]"#;
    assert_eq!(
        decode(body.as_bytes(), &DecodeLimits { spans_max: 2, ..DecodeLimits::default() }).map(|batch| batch.len()),
        Ok(2)
    );
    let refused = decode(body.as_bytes(), &DecodeLimits { spans_max: 1, ..DecodeLimits::default() });
    assert_eq!(refused, Err(DecodeError::TooManySpans { format: Format::JsonV1, spans_max: 1 }));
}
