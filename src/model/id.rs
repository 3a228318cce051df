//! Identifiers of traces and spans, and the rules zipkin applies to their text form.

use std::fmt;

/// 128-bit trace identifier; a 64-bit id has a zero high half.
///
/// Text form: 16 or 32 lower-case hex digits (B3, Zipkin v2 JSON). Shorter text is padded with zeros on the
/// left, and 32 digits whose first 16 are zeros are the 64-bit id of the last 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// 64-bit span identifier, written as 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

/// Why a text is not an identifier. [`IdError::describe`] words it as zipkin does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No characters at all.
    #[error("empty")]
    Empty,
    /// Only zeros, where zeros mean nothing.
    #[error("all zeros")]
    AllZeros,
    /// More characters than the identifier has hex digits.
    #[error("longer than {max} characters")]
    TooLong {
        /// The most characters this identifier may have.
        max: usize,
    },
    /// A character outside `0-9a-f`.
    #[error("{text:?} should be lower-hex encoded with no prefix")]
    NotLowerHex {
        /// The text as it was sent.
        text: String,
    },
}

impl IdError {
    /// Zipkin's words for this error of the member `field` (`traceId`, `id`, `parentId`).
    #[must_use]
    pub fn describe(&self, field: &str) -> String {
        match self {
            Self::Empty => format!("{field} is empty"),
            Self::AllZeros => format!("{field} is all zeros"),
            Self::TooLong { max } => format!("{field}.length > {max}"),
            Self::NotLowerHex { text } => format!("{text} should be lower-hex encoded with no prefix"),
        }
    }
}

impl TraceId {
    /// From the two halves; `high` is zero for a 64-bit id. `None` when both are zero.
    #[must_use]
    pub fn from_halves(high: u64, low: u64) -> Option<Self> {
        let value = (u128::from(high) << 64) | u128::from(low);
        (value != 0).then_some(Self(value))
    }

    /// Reads 1 to 32 lower-case hex digits.
    ///
    /// # Errors
    /// [`IdError`] for no text, more than 32 characters, other characters, or zeros alone.
    pub fn parse(text: &[u8]) -> Result<Self, IdError> {
        let value = parse_lower_hex(text, 32)?;
        if value == 0 { Err(IdError::AllZeros) } else { Ok(Self(value)) }
    }

    /// The high 64 bits, zero for a 64-bit id.
    #[must_use]
    pub fn high(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// The low 64 bits: what lenient lookups, dependency links and sampling go by.
    #[must_use]
    pub fn low(self) -> u64 {
        self.0 as u64
    }

    /// True for an id whose text form has 32 digits.
    #[must_use]
    pub fn is_128_bit(self) -> bool {
        self.high() != 0
    }
}

impl SpanId {
    /// From its value. Zipkin accepts a zero id written with fewer than 16 digits, so zero is allowed.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self(value)
    }

    /// Reads 1 to 16 lower-case hex digits; zeros alone give the value zero (the caller knows what that means).
    ///
    /// # Errors
    /// [`IdError`] for no text, more than 16 characters or other characters.
    pub fn parse(text: &[u8]) -> Result<Self, IdError> {
        parse_lower_hex(text, 16).map(|value| Self(value as u64))
    }

    /// The identifier as a number.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

fn parse_lower_hex(text: &[u8], max: usize) -> Result<u128, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > max {
        return Err(IdError::TooLong { max });
    }
    let (head, tail) = text.split_at(text.len().saturating_sub(16));
    match (parse_digits(head), parse_digits(tail)) {
        (Some(high), Some(low)) => Ok(u128::from(high) << 64 | u128::from(low)),
        _ => Err(IdError::NotLowerHex { text: String::from_utf8_lossy(text).into_owned() }),
    }
}

/// The value of up to 16 digits, 0 of none.
fn parse_digits(digits: &[u8]) -> Option<u64> {
    if let Ok(digits) = <&[u8; 16]>::try_from(digits) {
        let (high, low) = digits.split_first_chunk::<8>()?;
        return Some(u64::from(parse_eight(*high)?) << 32 | u64::from(parse_eight(*low.first_chunk()?)?));
    }
    let mut value = 0;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

/// Eight digits at once, a byte each of one word: three identifiers a span come by here, and digit by digit they
/// cost as much as reading all of its strings.
fn parse_eight(digits: [u8; 8]) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_be_bytes(digits);
    // Bit 6 tells `a` to `f` (0x61 to 0x66) from `0` to `9` (0x30 to 0x39).
    let letters = (word >> 6) & ONES;
    let values = (word & (0x0f * ONES)) + letters * 9;
    // A byte is a digit when writing its value gives the byte again, and letters (no other) mean 10 to 15.
    let written = values + 0x30 * ONES + letters * 0x27;
    let at_least_ten = ((values + 0x76 * ONES) >> 7) & ONES;
    if written != word || at_least_ten != letters || values & (0x10 * ONES) != 0 {
        return None;
    }
    // Nibbles into bytes, bytes into pairs, pairs into the word.
    let bytes = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    Some((pairs | pairs >> 16) as u32)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_128_bit() { write!(f, "{:032x}", self.0) } else { write!(f, "{:016x}", self.0) }
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_padded_and_leading_zeros_cut() {
        let written = |text: &str| TraceId::parse(text.as_bytes()).map(|id| id.to_string());
        assert_eq!(written("1").as_deref(), Ok("0000000000000001"));
        assert_eq!(written("00000000000000010000000000000002").as_deref(), Ok("00000000000000010000000000000002"));
        assert_eq!(written("10000000000000002").as_deref(), Ok("00000000000000010000000000000002"));
        assert_eq!(written("00000000000000000000000000000002").as_deref(), Ok("0000000000000002"));
    }

    #[test]
    fn every_other_character_anywhere_is_refused() {
        for length in [1, 8, 16, 17, 31, 32] {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut text = vec![b'1'; length];
                    text[at] = byte;
                    let expected = std::str::from_utf8(&text).ok().filter(|_| !byte.is_ascii_uppercase());
                    let expected = expected.and_then(|text| u128::from_str_radix(text, 16).ok());
                    // `+1` is a number to Rust, but no identifier.
                    let expected = expected.filter(|value| byte != b'+' && *value != 0);
                    let parsed = TraceId::parse(&text).ok().map(|id| id.0);
                    assert_eq!(parsed, expected, "{:?}", String::from_utf8_lossy(&text));
                }
            }
        }
    }

    #[test]
    fn wrong_ids_are_described_in_zipkins_words() {
        let refused = |text: &str| TraceId::parse(text.as_bytes()).map_err(|e| e.describe("traceId")).unwrap_err();
        assert_eq!(refused(""), "traceId is empty");
        assert_eq!(refused("000"), "traceId is all zeros");
        assert_eq!(refused(&"1".repeat(33)), "traceId.length > 32");
        assert_eq!(refused("A"), "A should be lower-hex encoded with no prefix");
    }
}
