//! Distinct byte strings of a chunk, by number in order of first use.
//!
//! A column refers to them by codes: 0 nothing, 1 the next one not used yet, n + 2 number n. So what comes once costs a byte that
//! is always the same.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::bytes::{Cursor, put_var};
use super::frame::FrameError;

pub(super) const NONE: u32 = u32::MAX;

/// Strings one after the other.
#[derive(Debug, Default)]
pub(super) struct Strings {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &[u8] {
        let at = number as usize;
        let Some(&end) = self.ends.get(at) else { return &[] };
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start as usize..end as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|number| self.get(number))
    }

    fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn put(&self, target: &mut Vec<u8>) {
        put_var(target, self.len() as u64);
        self.iter().for_each(|string| put_var(target, string.len() as u64));
        target.extend_from_slice(&self.bytes);
    }

    pub(super) fn take(cursor: &mut Cursor<'_>) -> Result<Self, FrameError> {
        let count = cursor.count()?;
        let mut ends = Vec::with_capacity(count);
        let mut end = 0_u64;
        for _ in 0..count {
            end = end.checked_add(cursor.var()?).ok_or(FrameError::Torn)?;
            ends.push(u32::try_from(end).map_err(|_| FrameError::Torn)?);
        }
        Ok(Self { ends, bytes: cursor.take(end as usize)?.to_vec() })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.ends.len() * 4 + self.bytes.len()
    }
}

/// Gives strings their numbers.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    pub(super) strings: Strings,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Dictionary {
    pub(super) fn clear(&mut self) {
        self.strings.ends.clear();
        self.strings.bytes.clear();
        self.numbers.clear();
    }

    /// Appends the code of a string to a column, and gives its number.
    pub(super) fn put(&mut self, column: &mut Vec<u8>, string: Option<&[u8]>) -> u32 {
        let Some(string) = string else {
            column.push(0);
            return NONE;
        };
        let Self { strings, numbers, hasher } = self;
        let hash = hasher.hash_one(string);
        if let Some(&number) = numbers.find(hash, |&number| strings.get(number) == string) {
            put_var(column, u64::from(number) + 2);
            return number;
        }
        let number = strings.len() as u32;
        strings.push(string);
        numbers.insert_unique(hash, number, |&number| hasher.hash_one(strings.get(number)));
        column.push(1);
        number
    }
}

/// Reads codes of a column of `strings` strings.
#[derive(Debug)]
pub(super) struct Codes {
    strings: u32,
    next: u32,
}

impl Codes {
    pub(super) fn new(strings: &Strings) -> Self {
        Self { strings: strings.len() as u32, next: 0 }
    }

    /// The number of the string, [`NONE`] for nothing.
    #[inline]
    pub(super) fn take(&mut self, column: &mut Cursor<'_>) -> Result<u32, FrameError> {
        let number = match column.var()? {
            0 => return Ok(NONE),
            1 => {
                self.next += 1;
                self.next - 1
            }
            code => u32::try_from(code - 2).map_err(|_| FrameError::Torn)?,
        };
        if number < self.strings { Ok(number) } else { Err(FrameError::Torn) }
    }
}
