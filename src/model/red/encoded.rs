//! The bytes of a table of minutes: what stores keep of traces that do not change any more.
//!
//! ```text
//! version u8 (1) · var names, {text}… · var series, {view u8, var name, [var name], var minutes, {minute}…}…
//! minute: var distance from the minute before · var calls · var errors · sketch
//! ```
//!
//! Names are sorted and stand there once, series and minutes are sorted: equal tables have equal bytes, so a checksum over
//! them, which is the store's affair, tells whether two are the same.

use super::{DurationSketch, Red, RedKeyRef};
use crate::model::record::{put_text, put_var};

const VERSION: u8 = 1;
/// The one view with a single name.
const SERVICE_VIEW: u8 = 0;

/// Bytes that are no table of minutes: a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a table of minutes")]
pub struct CorruptRed;

/// Reads the parts of a table.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> Result<u8, CorruptRed> {
        let (byte, rest) = self.rest.split_first().ok_or(CorruptRed)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn var(&mut self) -> Result<u64, CorruptRed> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(CorruptRed)
    }

    fn text(&mut self) -> Result<&'a str, CorruptRed> {
        let length = usize::try_from(self.var()?).map_err(|_| CorruptRed)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(CorruptRed)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| CorruptRed)
    }

    fn name(&mut self, names: &[&'a str]) -> Result<&'a str, CorruptRed> {
        let at = usize::try_from(self.var()?).map_err(|_| CorruptRed)?;
        names.get(at).copied().ok_or(CorruptRed)
    }

    fn red(&mut self) -> Result<Red, CorruptRed> {
        let (calls, errors) = (self.var()?, self.var()?);
        Ok(Red { calls, errors, durations: DurationSketch::decode(self)? })
    }
}

/// Appends series, sorted by the parts of their keys, with sorted minutes.
pub(super) fn encode(series: &[(RedKeyRef<'_>, &[(i64, Red)])], out: &mut Vec<u8>) {
    let mut names: Vec<&str> = series.iter().flat_map(|(key, _)| names_of(*key)).collect();
    names.sort_unstable();
    names.dedup();
    out.push(VERSION);
    put_var(out, names.len() as u64);
    names.iter().for_each(|name| put_text(out, name));
    put_var(out, series.len() as u64);
    for (key, minutes) in series {
        out.push(key.parts().0);
        for name in names_of(*key) {
            put_var(out, names.binary_search(&name).unwrap_or_default() as u64);
        }
        put_var(out, minutes.len() as u64);
        let mut before = 0;
        for (minute, red) in *minutes {
            put_var(out, minute.abs_diff(before));
            put_var(out, red.calls);
            put_var(out, red.errors);
            red.durations.encode(out);
            before = *minute;
        }
    }
}

/// One name of a service, two of the other views.
fn names_of(key: RedKeyRef<'_>) -> impl Iterator<Item = &str> {
    let (view, first, second) = key.parts();
    std::iter::once(first).chain((view != SERVICE_VIEW).then_some(second))
}

/// Gives every minute of every series to `emit`. What came before an error was given all the same.
pub(super) fn decode<'a>(bytes: &'a [u8], mut emit: impl FnMut(RedKeyRef<'a>, i64, Red)) -> Result<(), CorruptRed> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return Err(CorruptRed);
    }
    let mut names: Vec<&str> = Vec::new();
    for _ in 0..reader.var()? {
        names.push(reader.text()?);
    }
    for _ in 0..reader.var()? {
        let view = reader.byte()?;
        let first = reader.name(&names)?;
        let second = if view == SERVICE_VIEW { "" } else { reader.name(&names)? };
        let key = RedKeyRef::from_parts(view, first, second).ok_or(CorruptRed)?;
        let mut minute = 0_i64;
        for _ in 0..reader.var()? {
            minute = minute.checked_add_unsigned(reader.var()?).ok_or(CorruptRed)?;
            emit(key, minute, reader.red()?);
        }
    }
    if reader.is_at_end() { Ok(()) } else { Err(CorruptRed) }
}
