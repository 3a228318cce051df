use super::*;
use crate::codec::tests::golden::{answered, compare_clients, replay_recorded};
use crate::codec::{DecodeError, DecodeLimits, Format, json_v2};

/// One field: key, then a length-delimited value.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

fn span(fields: &[&[u8]]) -> Vec<u8> {
    field(1, &fields.concat())
}

const IDS: &[u8] = &[0x0a, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x1a, 8, 0, 0, 0, 0, 0, 0, 0, 2];
const IDS_ANSWERED: &str = r#"[{"traceId":"0000000000000001","id":"0000000000000002"}]"#;

fn read(body: &[u8]) -> Result<String, String> {
    answered(Format::Proto3, body)
}

#[test]
fn zipkins_recorded_answers_are_given_to_the_byte() {
    assert!(replay_recorded(Format::Proto3, "proto3") > 20);
}

#[test]
fn what_real_clients_send_becomes_the_spans_zipkin_made_of_it() {
    assert!(compare_clients(Format::Proto3, "proto3") >= 4);
}

#[test]
fn unknown_fields_are_skipped_wherever_they_stand() {
    let unknown: [&[u8]; 5] = [
        &[0xa0, 0x06, 0xff, 0x01],             // 100, varint
        &[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // 100, fixed64
        &[0xa2, 0x06, 2, b'h', b'i'],          // 100, bytes
        &[0xa5, 0x06, 1, 2, 3, 4],             // 100, fixed32
        &[0x28, 7],                            // 5 (name), but as a varint
    ];
    for unknown in unknown {
        assert_eq!(read(&span(&[unknown, IDS])).as_deref(), Ok(IDS_ANSWERED));
        assert_eq!(read(&span(&[IDS, unknown])).as_deref(), Ok(IDS_ANSWERED));
        assert_eq!(read(&[unknown, &span(&[IDS])].concat()).as_deref(), Ok(IDS_ANSWERED));
        assert_eq!(read(&[&span(&[IDS]), unknown].concat()).as_deref(), Ok(IDS_ANSWERED));
        let endpoint = field(8, &[unknown, &[0x20, 80]].concat());
        assert!(read(&span(&[IDS, &endpoint])).unwrap().contains(r#""localEndpoint":{"port":80}"#));
        let annotation = field(10, &[&[9, 1, 0, 0, 0, 0, 0, 0, 0][..], unknown, &field(2, b"v")].concat());
        assert!(read(&span(&[IDS, &annotation])).unwrap().contains(r#"[{"timestamp":1,"value":"v"}]"#));
        let tag = field(11, &[&field(1, b"k")[..], unknown].concat());
        assert!(read(&span(&[IDS, &tag])).unwrap().contains(r#""tags":{"k":""}"#));
    }
}

#[test]
fn malformed_fields_are_refused_with_their_place() {
    let refused = |body: &[u8]| read(body).unwrap_err().replace(" reading List<Span> from proto3", "");
    assert_eq!(refused(&span(&[IDS, &[0x0b]])), "byte 23: malformed: field 1 is a group");
    assert_eq!(refused(&span(&[IDS, &[0x0c]])), "byte 23: malformed: field 1 is a group");
    assert_eq!(refused(&span(&[IDS, &[0x0e]])), "byte 23: malformed: field 1 has wire type 6");
    assert_eq!(refused(&span(&[IDS, &[0x00]])), "byte 23: malformed: field number 0");
    assert_eq!(refused(&span(&[IDS, &[0x60, 2]])), "byte 23: malformed: 2 is no boolean");
    assert_eq!(refused(&span(&[IDS, &[0x2a, 5, b'a']])), "byte 24: truncated: length 5 > bytes available 1");
    assert_eq!(refused(&span(&[IDS, &[0x2a, 0xff]])), "byte 23: truncated: a varint does not end");
    assert_eq!(
        refused(&span(&[IDS, &[0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]])),
        "byte 23: malformed: a varint of more than 10 bytes"
    );
    assert_eq!(
        refused(&[0x0a, 0x80, 0x80, 0x80, 0x80, 0x10]),
        "byte 1: malformed: length 4294967296 is beyond 32 bits"
    );
}

#[test]
fn empty_ids_are_refused_in_zipkins_words() {
    assert!(read(&span(&[&[0x0a, 0], IDS])).unwrap_err().starts_with("traceId == null reading"));
    assert!(read(&span(&[IDS, &[0x1a, 0]])).unwrap_err().starts_with("id == null reading"));
    assert_eq!(read(&span(&[IDS, &[0x12, 0]])).as_deref(), Ok(IDS_ANSWERED));
}

#[test]
fn a_span_without_any_field_is_passed_over() {
    let body = [span(&[IDS]), vec![0x0a, 0], span(&[IDS])].concat();
    assert_eq!(read(&body).unwrap().matches("traceId").count(), 2);
}

#[test]
fn text_that_is_no_utf8_gets_the_replacement_character() {
    let name = field(5, b"A\xff\xc3(");
    assert!(read(&span(&[IDS, &name])).unwrap().contains(r#""name":"a��(""#));
}

#[test]
fn numbers_with_the_top_bit_set_are_absent() {
    let timestamp = [0x31, 0, 0, 0, 0, 0, 0, 0, 0x80];
    let duration = [0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    let port = field(8, &[0x20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    assert_eq!(read(&span(&[IDS, &timestamp, &duration, &port])).as_deref(), Ok(IDS_ANSWERED));
}

#[test]
fn one_span_more_than_the_limit_refuses_the_message() {
    let body = [span(&[IDS]), span(&[IDS])].concat();
    assert!(decode(&body, &DecodeLimits { spans_max: 2, ..DecodeLimits::default() }).is_ok());
    let refused = decode(&body, &DecodeLimits { spans_max: 1, ..DecodeLimits::default() });
    assert_eq!(refused, Err(DecodeError::TooManySpans { format: Format::Proto3, spans_max: 1 }));
}

#[test]
fn every_field_survives_encoding() {
    let json = r#"[{"traceId":"5f00003c00000001a000003c00000004","parentId":"1","id":"2","kind":"CONSUMER","name":"get",
        "timestamp":1617537600000000,"duration":207000,"localEndpoint":{"serviceName":"web","ipv4":"010.0.0.1","port":80},
        "remoteEndpoint":{"serviceName":"db","ipv4":"192.168.0.1","ipv6":"2001:db8::1","port":3306},
        "annotations":[{"timestamp":-1,"value":"a"},{"timestamp":5,"value":"é"}],"tags":{"a":"","z":"1"},
        "debug":true,"shared":true}]"#;
    let batch = json_v2::decode(json.as_bytes(), &DecodeLimits::default()).unwrap();
    let again = decode(&encode(&batch), &DecodeLimits::default()).unwrap();
    let mut expected = batch.to_spans();
    // Binary addresses have one text.
    expected[0].local_endpoint.as_mut().unwrap().ipv4 = Some("10.0.0.1".to_owned());
    assert_eq!(again.to_spans(), expected);
}
