//! Numbers in base 128, low digits first, as fragments and tallies hold them.

/// Bytes of a number that is read, at most: 63 bits.
const BYTES_MAX: usize = 9;

pub(super) fn put_number(value: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        value.push(number as u8 | 0x80);
        number >>= 7;
    }
    value.push(number as u8);
}

/// A number and the bytes after it; `None` when they end before it does, or it is too long.
pub(super) fn take_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_put_and_not_when_cut_or_too_long() {
        for number in [0, 1, 127, 128, 300, u32::MAX as usize, usize::MAX >> 1] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            assert_eq!(take_number(&bytes[..bytes.len() - 1]), None);
            bytes.push(7);
            assert_eq!(take_number(&bytes), Some((number, [7].as_slice())));
        }
        assert_eq!(take_number(&[0x80; 20]), None);
    }
}
