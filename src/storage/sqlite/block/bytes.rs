//! Numbers and texts one after the other.

use super::frame::FrameError;

/// LEB128.
pub(in super::super) fn put_var(target: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        target.push(value as u8 | 0x80);
        value >>= 7;
    }
    target.push(value as u8);
}

/// Small numbers of either sign.
pub(in super::super) fn put_signed(target: &mut Vec<u8>, value: i64) {
    put_var(target, ((value << 1) ^ (value >> 63)) as u64);
}

pub(in super::super) fn put_bytes(target: &mut Vec<u8>, bytes: &[u8]) {
    put_var(target, bytes.len() as u64);
    target.extend_from_slice(bytes);
}

/// Reads what was put.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(in super::super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(in super::super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(in super::super) fn var(&mut self) -> Result<u64, FrameError> {
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(FrameError::Torn)
    }

    pub(in super::super) fn signed(&mut self) -> Result<i64, FrameError> {
        let value = self.var()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(in super::super) fn u64(&mut self) -> Result<u64, FrameError> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(FrameError::Torn)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(in super::super) fn take(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(FrameError::Torn)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(in super::super) fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let count = usize::try_from(self.var()?).map_err(|_| FrameError::Torn)?;
        self.take(count)
    }

    pub(in super::super) fn text(&mut self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| FrameError::Torn)
    }

    /// A count of things of at least a byte (or bit) each: never more than the bytes could hold.
    pub(in super::super) fn count(&mut self) -> Result<usize, FrameError> {
        let count = self.var()?;
        if count > self.rest.len() as u64 { Err(FrameError::Torn) } else { Ok(count as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let values = [0, 1, -1, 127, -128, 1 << 40, i64::MAX, i64::MIN];
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put_signed(&mut bytes, *value));
        values.iter().for_each(|value| put_var(&mut bytes, *value as u64));
        put_bytes(&mut bytes, b"text");
        let mut cursor = Cursor::new(&bytes);
        for value in values {
            assert_eq!(cursor.signed(), Ok(value));
        }
        for value in values {
            assert_eq!(cursor.var(), Ok(value as u64));
        }
        assert_eq!((cursor.text(), cursor.var()), (Ok("text"), Err(FrameError::Torn)));
    }
}
