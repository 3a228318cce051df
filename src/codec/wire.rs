//! The protobuf wire format: keys, varints, fixed and length-delimited values. Both protobuf codecs read with it.

use std::borrow::Cow;

use super::fault::Fault;
use super::lossy_text;

/// Wire types, the low bits of a key.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;

/// Reads one message; [`Reader::message`] gives the reader of a message inside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// The whole body, so that positions are those the sender can count.
    body: &'a [u8],
    at: usize,
    /// End of this message, at most the length of the body.
    end: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, end: body.len() }
    }

    /// Field number and wire type of the next field, `None` at the end of the message.
    #[inline]
    pub(super) fn next_key(&mut self) -> Result<Option<u32>, Fault> {
        match self.body.get(self.at) {
            _ if self.at >= self.end => Ok(None),
            // One byte holds the fields 1 to 15: all that zipkin and OTLP have, but one.
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(Some(byte.into()))
            }
            _ => {
                let at = self.at;
                let key = self.varint()?;
                u32::try_from(key)
                    .map(Some)
                    .map_err(|_| Fault::at(at, "malformed: field key beyond 32 bits".to_owned()))
            }
        }
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        match self.body.get(self.at) {
            // Most lengths, kinds and flags.
            Some(&byte) if byte < 0x80 && self.at < self.end => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let rest = self.body.get(self.at..self.end).unwrap_or_default();
        let mut value = 0_u64;
        for (index, byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(if rest.len() < 10 {
            Fault::at(self.at, "truncated: a varint does not end".to_owned())
        } else {
            Fault::at(self.at, "malformed: a varint of more than 10 bytes".to_owned())
        })
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, Fault> {
        let bytes = self.take(8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        let at = self.at;
        match self.varint()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Fault::at(at, format!("malformed: {other} is no boolean"))),
        }
    }

    /// A length-delimited value.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let at = self.at;
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if u32::try_from(length).is_ok() => self.take(length),
            _ => Err(Fault::at(at, format!("malformed: length {length} is beyond 32 bits"))),
        }
    }

    /// Text; what is no UTF-8 becomes U+FFFD.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.bytes().map(lossy_text)
    }

    /// A message inside this one.
    #[inline]
    pub(super) fn message(&mut self) -> Result<Self, Fault> {
        let length = self.bytes()?.len();
        Ok(Self { body: self.body, at: self.at - length, end: self.at })
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let available = self.end - self.at;
        if length > available {
            return Err(Fault::at(self.at, format!("truncated: length {length} > bytes available {available}")));
        }
        let start = self.at;
        self.at += length;
        Ok(self.body.get(start..self.at).unwrap_or_default())
    }

    /// Something is wrong here.
    #[cold]
    pub(super) fn fault(&self, message: String) -> Fault {
        Fault::at(self.at, message)
    }

    /// Skips the value of a field that we do not know, or know with another wire type: `key` came just before.
    #[cold]
    pub(super) fn skip(&mut self, key: u32) -> Result<(), Fault> {
        self.skip_value(key)
    }

    /// The same for a field that is there in most messages.
    pub(super) fn skip_value(&mut self, key: u32) -> Result<(), Fault> {
        let (field, wire_type) = (key >> 3, key & 7);
        let at = self.at;
        match wire_type {
            _ if field == 0 => return Err(Fault::at(at, "malformed: field number 0".to_owned())),
            0 => _ = self.varint()?,
            1 => _ = self.take(8)?,
            2 => _ = self.bytes()?,
            5 => _ = self.take(4)?,
            3 | 4 => return Err(Fault::at(at, format!("malformed: field {field} is a group"))),
            _ => return Err(Fault::at(at, format!("malformed: field {field} has wire type {wire_type}"))),
        }
        Ok(())
    }
}
