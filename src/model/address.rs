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
        let compatible = head.iter().all(|byte| *byte == 0) && tail != [0, 0, 0, 1] && tail != [0; 4];
        if compatible {
            return Some(Self::V4(write_ipv4(tail)));
        }
        Some(Self::V6(write_ipv6(std::net::Ipv6Addr::from(bytes).segments())))
    }
}

fn write_ipv4(quad: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(quad).to_string()
}

/// Four decimal groups 0-255 of one to three digits.
fn is_dotted_quad(text: &str) -> bool {
    let mut groups = 0;
    for group in text.split('.') {
        groups += 1;
        let digits = (1..=3).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit());
        if groups > 4 || !digits || group.parse::<u16>().map_or(true, |value| value > 255) {
            return false;
        }
    }
    groups == 4
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
