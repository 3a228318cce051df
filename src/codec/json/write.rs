//! Writing JSON: two ways to escape, because zipkin has two writers.

/// Appends `text` in quotes as zipkin writes spans and links: control characters as `\u001f` in lower hex, U+2028
/// and U+2029 escaped, everything else raw.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let special = SPECIAL[byte as usize];
        if special == PLAIN {
            continue;
        }
        if special == MAYBE_SEPARATOR {
            let Some([_, 0x80, last @ (0xa8 | 0xa9)]) = bytes.get(at..at + 3) else { continue };
            out.extend_from_slice(&bytes[plain_from..at]);
            out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
            plain_from = at + 3;
            continue;
        }
        out.extend_from_slice(&bytes[plain_from..at]);
        write_escape(out, byte, special, b"0123456789abcdef");
        plain_from = at + 1;
    }
    out.extend_from_slice(&bytes[plain_from..]);
    out.push(b'"');
}

/// Appends `text` in quotes as zipkin writes lists of names: control characters as `\u001F` in upper hex, U+2028 and
/// U+2029 raw, characters above U+FFFF as escaped pairs.
pub(crate) fn write_name(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '\u{1_0000}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    (0..4).rev().for_each(|digit| out.push(UPPER_HEX[(*unit >> (4 * digit) & 0xf) as usize]));
                }
            }
            '\0'..='\x7f' if SPECIAL[character as usize] != PLAIN => {
                write_escape(out, character as u8, SPECIAL[character as usize], UPPER_HEX);
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends a number.
pub(crate) fn write_number(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends 16 lower-case hex digits.
pub(crate) fn write_hex(out: &mut Vec<u8>, value: u64) {
    let digits: [u8; 16] = std::array::from_fn(|index| b"0123456789abcdef"[(value >> (60 - 4 * index) & 0xf) as usize]);
    out.extend_from_slice(&digits);
}

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";
const PLAIN: u8 = 0;
/// Written as `\u00xx`.
const BY_CODE: u8 = b'u';
/// The first byte of U+2028 and U+2029, among others.
const MAYBE_SEPARATOR: u8 = b'?';

/// What to do with each byte: nothing, or the letter after the backslash.
const SPECIAL: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = BY_CODE;
        control += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[0xe2] = MAYBE_SEPARATOR;
    table
};

fn write_escape(out: &mut Vec<u8>, byte: u8, letter: u8, hex: &[u8; 16]) {
    out.extend_from_slice(&[b'\\', letter]);
    if letter == BY_CODE {
        out.extend_from_slice(&[b'0', b'0', hex[(byte >> 4) as usize], hex[(byte & 0xf) as usize]]);
    }
}
