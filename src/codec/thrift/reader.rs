//! The TBinary encoding: big-endian numbers, length-prefixed strings, fields with a type and a number.

use std::borrow::Cow;

use crate::codec::fault::Fault;
use crate::codec::lossy_text;

/// Type codes.
pub(super) mod ttype {
    pub(in super::super) const STOP: u8 = 0;
    pub(in super::super) const BOOL: u8 = 2;
    pub(in super::super) const BYTE: u8 = 3;
    pub(in super::super) const DOUBLE: u8 = 4;
    pub(in super::super) const I16: u8 = 6;
    pub(in super::super) const I32: u8 = 8;
    pub(in super::super) const I64: u8 = 10;
    pub(in super::super) const STRING: u8 = 11;
    pub(in super::super) const STRUCT: u8 = 12;
    pub(in super::super) const MAP: u8 = 13;
    pub(in super::super) const SET: u8 = 14;
    pub(in super::super) const LIST: u8 = 15;
}

/// Deepest nesting inside an unknown field.
const DEPTH_MAX: usize = 64;

/// Reads one body from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    /// Bytes not read yet.
    pub(super) fn available(&self) -> usize {
        self.body.len() - self.at
    }

    /// Type and number of the next field, `None` at the end of the struct.
    pub(super) fn next_field(&mut self) -> Result<Option<(u8, i16)>, Fault> {
        let field_type = self.byte()?;
        if field_type == ttype::STOP {
            return Ok(None);
        }
        Ok(Some((field_type, i16::from_be_bytes(self.array()?))))
    }

    /// Element type and count of a list.
    pub(super) fn list(&mut self) -> Result<(u8, usize), Fault> {
        let element_type = self.byte()?;
        Ok((element_type, self.count()?))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Fault> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.count()?;
        self.take(length)
    }

    /// Text; what is no UTF-8 becomes U+FFFD (zipkin-js sends Latin-1 bytes now and then).
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.bytes().map(lossy_text)
    }

    /// A length or count. Each element takes at least a byte, so one beyond what is there is wrong at once.
    fn count(&mut self) -> Result<usize, Fault> {
        let at = self.at;
        let count = self.i32()?;
        let available = self.available();
        match usize::try_from(count) {
            Ok(count) if count <= available => Ok(count),
            Ok(count) => Err(Fault::at(at, format!("truncated: length {count} > bytes available {available}"))),
            Err(_) => Err(Fault::at(at, format!("malformed: length {count}"))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let available = self.available();
        match self.body.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(Fault::at(self.at, format!("truncated: length {N} > bytes available {available}"))),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let available = self.available();
        match self.body.get(self.at..self.at + length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(Fault::at(self.at, format!("truncated: length {length} > bytes available {available}"))),
        }
    }

    /// Skips a value of any type.
    pub(super) fn skip(&mut self, value_type: u8) -> Result<(), Fault> {
        self.skip_nested(value_type, 0)
    }

    fn skip_nested(&mut self, value_type: u8, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::at(self.at, format!("more than {DEPTH_MAX} levels of nesting")));
        }
        match value_type {
            ttype::BOOL | ttype::BYTE => _ = self.take(1)?,
            ttype::I16 => _ = self.take(2)?,
            ttype::I32 => _ = self.take(4)?,
            ttype::I64 | ttype::DOUBLE => _ = self.take(8)?,
            ttype::STRING => _ = self.bytes()?,
            ttype::STRUCT => {
                while let Some((field_type, _)) = self.next_field()? {
                    self.skip_nested(field_type, depth + 1)?;
                }
            }
            ttype::LIST | ttype::SET => {
                let (element_type, count) = self.list()?;
                for _ in 0..count {
                    self.skip_nested(element_type, depth + 1)?;
                }
            }
            ttype::MAP => {
                let (key_type, value_type) = (self.byte()?, self.byte()?);
                for _ in 0..self.count()? {
                    self.skip_nested(key_type, depth + 1)?;
                    self.skip_nested(value_type, depth + 1)?;
                }
            }
            _ => return Err(Fault::at(self.at, format!("malformed: no type {value_type}"))),
        }
        Ok(())
    }
}
