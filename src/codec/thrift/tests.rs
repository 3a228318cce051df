use super::*;
use crate::codec::tests::golden::{answered, compare_clients, replay_recorded};
use crate::codec::{DecodeError, DecodeLimits, Format};

fn field(field_type: u8, number: i16, value: &[u8]) -> Vec<u8> {
    [&[field_type][..], &number.to_be_bytes(), value].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i32).to_be_bytes()[..], bytes].concat()
}

fn list(element_type: u8, elements: &[&[u8]]) -> Vec<u8> {
    [&[element_type][..], &(elements.len() as i32).to_be_bytes(), &elements.concat()].concat()
}

fn ids() -> Vec<u8> {
    [field(10, 1, &1_i64.to_be_bytes()), field(10, 4, &2_i64.to_be_bytes())].concat()
}

fn span(fields: &[u8]) -> Vec<u8> {
    [fields, &[0]].concat()
}

const IDS_ANSWERED: &str = r#"[{"traceId":"0000000000000001","id":"0000000000000002"}]"#;

fn read(body: &[u8]) -> Result<String, String> {
    answered(Format::Thrift, body)
}

#[test]
fn zipkins_recorded_answers_are_given_to_the_byte() {
    assert!(replay_recorded(Format::Thrift, "thrift") > 5);
}

#[test]
fn what_real_clients_send_becomes_the_spans_zipkin_made_of_it() {
    assert!(compare_clients(Format::Thrift, "thrift") >= 2);
}

#[test]
fn a_bare_struct_is_one_span() {
    assert_eq!(read(&span(&ids())).as_deref(), Ok(IDS_ANSWERED));
    assert_eq!(read(&list(12, &[&span(&ids())])).as_deref(), Ok(IDS_ANSWERED));
    assert_eq!(read(&list(11, &[&span(&ids())])).as_deref(), Ok(IDS_ANSWERED));
}

#[test]
fn unknown_fields_of_every_type_are_skipped() {
    let text = sized(b"hi");
    let nested = span(&[field(11, 1, &text), field(12, 2, &span(&field(3, 1, &[1])))].concat());
    let unknown = [
        field(2, 99, &[1]),
        field(3, 99, &[1]),
        field(4, 99, &[0; 8]),
        field(6, 99, &[0; 2]),
        field(8, 99, &[0; 4]),
        field(10, 99, &[0; 8]),
        field(11, 99, &text),
        field(12, 99, &nested),
        field(13, 99, &[&[11, 8, 0, 0, 0, 1][..], &text, &[0; 4]].concat()),
        field(14, 99, &list(8, &[&[0; 4]])),
        field(15, 99, &list(12, &[&nested, &nested])),
        field(8, 3, &[0; 4]),               // a name, but as a number
        field(15, 6, &list(8, &[&[0; 4]])), // annotations, but of numbers
        field(12, 8, &nested),              // binary annotations, but no list
    ]
    .concat();
    assert_eq!(read(&span(&[&unknown[..], &ids()].concat())).as_deref(), Ok(IDS_ANSWERED));
    assert_eq!(read(&span(&[&ids()[..], &unknown].concat())).as_deref(), Ok(IDS_ANSWERED));
}

#[test]
fn malformed_bodies_are_refused_with_their_place() {
    let refused = |body: &[u8]| read(body).unwrap_err().replace(" reading List<Span> from TBinary", "");
    assert_eq!(refused(&[12]), "byte 1: truncated: length 4 > bytes available 0");
    assert_eq!(refused(&[12, 0, 0, 0, 5]), "byte 1: truncated: length 5 > bytes available 0");
    assert_eq!(refused(&[12, 0xff, 0xff, 0xff, 0xff]), "byte 1: malformed: length -1");
    assert_eq!(refused(&field(10, 1, &[0])), "byte 3: truncated: length 8 > bytes available 1");
    assert_eq!(refused(&field(7, 1, &[0])), "byte 3: malformed: no type 7");
    let deep = [field(15, 99, &[15, 0, 0, 0, 1].repeat(100_000)), ids()].concat();
    assert_eq!(refused(&deep), "byte 328: more than 64 levels of nesting");
}

#[test]
fn addresses_of_both_families_and_high_ports_are_read() {
    let ipv6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let endpoint = [
        field(8, 1, &[200, 1, 2, 3]),
        field(6, 2, &[0xff, 0xff]),
        field(11, 3, &sized(b"DB\xff")),
        field(11, 4, &sized(&ipv6)),
    ]
    .concat();
    let annotation = [field(10, 1, &5_i64.to_be_bytes()), field(11, 2, &sized(b"x")), field(12, 3, &span(&endpoint))];
    let timeless = span(&field(11, 2, &sized(b"dropped")));
    let annotations = field(15, 6, &list(12, &[&span(&annotation.concat()), &timeless]));
    assert_eq!(
        read(&span(&[ids(), annotations].concat())).unwrap(),
        "[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000002\",\"localEndpoint\":{\"serviceName\":\"db\u{fffd}\",\
         \"ipv4\":\"200.1.2.3\",\"ipv6\":\"2001:db8::1\",\"port\":65535},\"annotations\":[{\"timestamp\":5,\"value\":\"x\"}]}]"
    );
}

#[test]
fn one_span_more_than_the_limit_refuses_the_message() {
    let body = list(12, &[&span(&ids()), &span(&ids())]);
    assert!(decode(&body, &DecodeLimits { spans_max: 2, ..DecodeLimits::default() }).is_ok());
    let refused = decode(&body, &DecodeLimits { spans_max: 1, ..DecodeLimits::default() });
    assert_eq!(refused, Err(DecodeError::TooManySpans { format: Format::Thrift, spans_max: 1 }));
}
