//! IP addresses as zipkin writes them.

/// An address in the text form that zipkin keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpText {
    /// Dotted quad, kept as it was written.
    V4(String),
    /// Rewritten: lower case, no leading zeros, longest run of zero groups as `::`.
    V6(String),
}

impl IpText {
    /// Reads an address of either family. `None` for anything else (scope ids, ports, host names).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if is_dotted_quad(text) {
            return Some(Self::V4(text.to_owned()));
        }
        let address: std::net::Ipv6Addr = text.parse().ok()?;
        let quad = text.rfind(':').map(|colon| &text[colon + 1..]).filter(|tail| is_dotted_quad(tail));
        if let (Some(quad), true) = (quad, embeds_ipv4(address)) {
            return Some(Self::V4(quad.to_owned()));
        }
        Some(Self::V6(write_ipv6(address.segments())))
    }

    /// From the 4 or 16 bytes of an address. `None` for other lengths.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(quad) = <[u8; 4]>::try_from(bytes) {
            return Some(Self::V4(write_ipv4(quad)));
        }
        let bytes = <[u8; 16]>::try_from(bytes).ok()?;
        let (head, tail) = (&bytes[..12], [bytes[12], bytes[13], bytes[14], bytes[15]]);
        // `::1` is the loopback, every other address below 2^32 the compatible form of an IPv4 one.
        if head.iter().all(|byte| *byte == 0) && tail != [0, 0, 0, 1] {
            return Some(Self::V4(write_ipv4(tail)));
        }
        Some(Self::V6(write_ipv6(std::net::Ipv6Addr::from(bytes).segments())))
    }
}

fn write_ipv4(quad: [u8; 4]) -> String {
    let mut text = String::with_capacity(15);
    push_ipv4(&mut text, quad);
    text
}

/// Appends the four groups. By hand, because every endpoint of the binary formats comes by here.
pub(super) fn push_ipv4(text: &mut String, quad: [u8; 4]) {
    for (index, group) in quad.into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        let digit = |value: u8| char::from(b'0' + value % 10);
        if group >= 100 {
            text.push(digit(group / 100));
        }
        if group >= 10 {
            text.push(digit(group / 10));
        }
        text.push(digit(group));
    }
}

/// The bytes of an IPv4 address as zipkin keeps it, leading zeros allowed. `None` for other text.
#[must_use]
pub fn ipv4_bytes(text: &str) -> Option<[u8; 4]> {
    let mut quad = [0_u8; 4];
    let (mut group, mut digits, mut value) = (0, 0, 0_u16);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && group < 3 => {
                quad[group] = u8::try_from(value).ok()?;
                group += 1;
                (digits, value) = (0, 0);
            }
            _ => return None,
        }
    }
    if group != 3 || digits == 0 {
        return None;
    }
    quad[3] = u8::try_from(value).ok()?;
    Some(quad)
}

/// Four decimal groups 0-255 of one to three digits.
pub(super) fn is_dotted_quad(text: &str) -> bool {
    ipv4_bytes(text).is_some()
}

/// `::a.b.c.d` and `::ffff:a.b.c.d`.
fn embeds_ipv4(address: std::net::Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[..5].iter().all(|group| *group == 0) && (segments[5] == 0 || segments[5] == 0xffff)
}

/// The longest run of zero groups becomes `::`; a single group counts, the first wins a tie, and a run at the end
/// counts only when there is no other (observed in zipkin 3.6: `a:0:0:b:0:0:c:0` is `a::b:0:0:c:0`, `1:2:3:4:5:6:7::` stays).
fn write_ipv6(groups: [u16; 8]) -> String {
    let mut best: Option<(usize, usize)> = None;
    let mut start = None;
    for (index, group) in groups.iter().enumerate() {
        match (group, start) {
            (0, None) => start = Some(index),
            (0, Some(_)) => {}
            (_, Some(from)) => {
                if best.is_none_or(|(_, length)| index - from > length) {
                    best = Some((from, index - from));
                }
                start = None;
            }
            (_, None) => {}
        }
    }
    if let (None, Some(from)) = (best, start) {
        best = Some((from, groups.len() - from));
    }
    let join = |groups: &[u16]| groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":");
    match best {
        None => join(&groups),
        Some((from, length)) => format!("{}::{}", join(&groups[..from]), join(&groups[from + length..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        IpText::parse(text).map(|ip| match ip {
            IpText::V4(text) => format!("ipv4 {text}"),
            IpText::V6(text) => format!("ipv6 {text}"),
        })
    }

    #[test]
    fn ipv4_text_is_kept_as_written() {
        for text in ["1.2.3.4", "01.02.03.004", "255.255.255.255", "0.0.0.0"] {
            assert_eq!(parsed(text), Some(format!("ipv4 {text}")));
        }
        for text in
            ["1.2.3", "256.1.1.1", "1.2.3.4.5", "1..2.3", "1.2.3.", ".1.2.3", "0001.2.3.4", "1.2.3.4 ", "+1.2.3.4", ""]
        {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn dotted_ipv4_inside_ipv6_is_ipv4_but_hex_is_not() {
        for text in ["::1.2.3.4", "::ffff:1.2.3.4", "::FFFF:1.2.3.4"] {
            assert_eq!(parsed(text).as_deref(), Some("ipv4 1.2.3.4"), "{text}");
        }
        assert_eq!(parsed("::ffff:102:304").as_deref(), Some("ipv6 ::ffff:102:304"));
    }

    #[test]
    fn ipv6_text_is_rewritten() {
        for (text, expected) in [
            ("2001:DB8:0:0:0:0:0:C001", "2001:db8::c001"),
            ("2001:0db8::0001", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8::1:1:1:1:1"),
            ("a:0:0:b:0:0:c:0", "a::b:0:0:c:0"),
            ("a:0:b:0:0:c:d:e", "a:0:b::c:d:e"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7::"),
            ("0:0:0:0:0:0:0:0", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
        ] {
            assert_eq!(parsed(text), Some(format!("ipv6 {expected}")), "{text}");
        }
    }

    #[test]
    fn scopes_ports_and_names_are_no_addresses() {
        for text in ["fe80::1%eth0", "1.2.3.4:80", "[::1]:80", "localhost", "::1 ", "1::2::3", ":", "12345::"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_told_apart_by_length_and_zeros() {
        let wide = |head: &[u8], tail: [u8; 4]| {
            let mut bytes = [0; 16];
            bytes[..head.len()].copy_from_slice(head);
            bytes[12..].copy_from_slice(&tail);
            IpText::from_bytes(&bytes)
        };
        let v4 = |text: &str| Some(IpText::V4(text.to_owned()));
        let v6 = |text: &str| Some(IpText::V6(text.to_owned()));
        assert_eq!(IpText::from_bytes(&[1, 2, 3, 4]), v4("1.2.3.4"));
        assert_eq!(IpText::from_bytes(&[0, 10, 109, 255]), v4("0.10.109.255"));
        assert_eq!(wide(&[], [1, 2, 3, 4]), v4("1.2.3.4"));
        assert_eq!(wide(&[], [0, 0, 0, 0]), v4("0.0.0.0"));
        assert_eq!(wide(&[], [0, 0, 0, 1]), v6("::1"));
        assert_eq!(wide(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255], [1, 2, 3, 4]), v6("::ffff:102:304"));
        assert_eq!(wide(&[0x20, 0x01, 0x0d, 0xb8], [0, 0, 0, 1]), v6("2001:db8::1"));
        assert_eq!(IpText::from_bytes(&[1, 2, 3]), None);
        assert_eq!(IpText::from_bytes(&[]), None);
    }
}
