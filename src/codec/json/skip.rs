//! Skipping members nobody asked for, without recursion and to a bounded depth.

use super::reader::Reader;
use crate::codec::fault::Fault;

/// Deepest nesting below an unknown member. Real senders nest a handful of levels.
const DEPTH_MAX: usize = 255;

/// Which of the open levels are objects, one bit each.
#[derive(Default)]
struct Levels {
    bits: [u64; DEPTH_MAX / 64 + 1],
    depth: usize,
}

impl Levels {
    fn push(&mut self, is_object: bool) -> bool {
        if self.depth == DEPTH_MAX {
            return false;
        }
        let bit = 1 << (self.depth % 64);
        let word = &mut self.bits[self.depth / 64];
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        true
    }

    fn innermost_is_object(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        self.bits[level / 64] & (1 << (level % 64)) != 0
    }
}

impl Reader<'_> {
    /// Takes one value of any kind; its syntax is checked all the same.
    pub(crate) fn skip_value(&mut self) -> Result<(), Fault> {
        let mut levels = Levels::default();
        loop {
            let opened = self.skip_scalar_or_open(&mut levels)?;
            if levels.depth == 0 {
                return Ok(());
            }
            if !self.step_to_value(&mut levels, opened)? {
                return Ok(());
            }
        }
    }

    /// True when the value was the opening of a list or object.
    fn skip_scalar_or_open(&mut self, levels: &mut Levels) -> Result<bool, Fault> {
        let byte = self.peek();
        match byte {
            b'{' | b'[' => {
                if !levels.push(byte == b'{') {
                    return Err(Fault::at(self.at, format!("more than {DEPTH_MAX} levels of nesting")));
                }
                self.at += 1;
                return Ok(true);
            }
            b'"' | b'-' | b'0'..=b'9' => {
                self.string("a value")?;
            }
            _ if self.literal("null") || self.literal("true") || self.literal("false") => {}
            _ => return Err(Fault::expected(self.at, "a value")),
        }
        Ok(false)
    }

    /// Goes on to the next value inside the open levels, closing those that end. False when all are closed.
    fn step_to_value(&mut self, levels: &mut Levels, opened: bool) -> Result<bool, Fault> {
        let mut first = opened;
        while levels.depth > 0 {
            let more = if levels.innermost_is_object() {
                self.next_member(&mut first)?.is_some()
            } else {
                self.next_element(&mut first)?
            };
            if more {
                return Ok(true);
            }
            levels.depth -= 1;
            first = false;
        }
        Ok(false)
    }
}
