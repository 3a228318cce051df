//! Numbers: whole ones are what spans hold, but fractions without a rest and numbers in strings are taken too.

use super::reader::{Kind, Reader, Text, ends_literal};
use crate::codec::error::shorten;
use crate::codec::fault::Fault;

/// Digits that fit into an `i64` whatever they are.
const DIGITS_SAFE: usize = 18;

impl<'a> Reader<'a> {
    /// A whole number: `20`, `"20"`, `2.0e1`. Beyond 64 bits it saturates, as zipkin's reader does.
    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Fault> {
        self.peek();
        if let Some((value, end)) = self.plain_digits() {
            self.at = end;
            return Ok(value);
        }
        self.lenient_long()
    }

    /// One to 18 digits without sign, fraction or exponent: all that well-behaved senders write.
    #[inline]
    fn plain_digits(&self) -> Option<(i64, usize)> {
        let rest = self.bytes.get(self.at..)?;
        let mut value = 0_i64;
        for (index, byte) in rest.iter().take(DIGITS_SAFE + 1).enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                let plain = index > 0 && ends_literal(*byte) && (rest[0] != b'0' || index == 1);
                return plain.then_some((value, self.at + index));
            }
            if index == DIGITS_SAFE {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        None
    }

    #[cold]
    fn lenient_long(&mut self) -> Result<i64, Fault> {
        let at = self.at;
        let is_string = self.next_kind() == Kind::String;
        let text = self.string("a whole number")?;
        let text = self.str(text).trim_matches(|c: char| c <= ' ');
        if let Ok(value) = text.parse::<i64>() {
            return Ok(value);
        }
        let Ok(value) = text.parse::<f64>() else {
            return Err(Fault::at(at, format!("expected a whole number but found {:?}", shorten(text))));
        };
        let whole = value as i64;
        if whole as f64 == value {
            return Ok(whole);
        }
        let quote = if is_string { "\"" } else { "" };
        Err(Fault::at(at, format!("expected a whole number but found {quote}{}{quote}", shorten(text))))
    }

    /// A whole number of 32 bits.
    #[inline]
    pub(crate) fn int(&mut self) -> Result<i32, Fault> {
        self.peek();
        let at = self.at;
        let value = self.long()?;
        i32::try_from(value).map_err(|_| Fault::at(at, format!("expected a whole number of 32 bits but found {value}")))
    }

    /// The text of a number, as JSON defines numbers; the reader stands on its first byte.
    pub(super) fn number_text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at;
        let digits_end = |from: usize| {
            let rest = self.bytes.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0);
        let integer = start + usize::from(byte(start) == b'-');
        let mut end = digits_end(integer);
        let mut valid = end > integer && (byte(integer) != b'0' || end == integer + 1);
        if byte(end) == b'.' {
            let fraction_end = digits_end(end + 1);
            valid &= fraction_end > end + 1;
            end = fraction_end;
        }
        if matches!(byte(end), b'e' | b'E') {
            let exponent = end + 1 + usize::from(matches!(byte(end + 1), b'+' | b'-'));
            let exponent_end = digits_end(exponent);
            valid &= exponent_end > exponent;
            end = exponent_end;
        }
        let ends_here = self.bytes.get(end).is_none_or(|byte| ends_literal(*byte));
        if !(valid && ends_here) {
            return Err(Fault::at(start, "malformed number".to_owned()));
        }
        self.at = end;
        Ok(self.borrow_or_keep(start, end))
    }
}
