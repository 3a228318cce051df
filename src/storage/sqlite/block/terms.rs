//! Hashes that are stored, and a set of them that never forgets one and seldom pretends to know another.

use super::bytes::{Cursor, put_var};
use super::frame::{FrameError, pack, unpack};

/// Bits for each term; of 10,000 terms that are not there some 80 seem to be.
const BITS_PER_TERM: usize = 11;
const PROBES: u32 = 6;
const LINE_BITS: u64 = 512;
/// The constant of splitmix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a number's entropy over all bits. Part of the file format.
pub(in super::super) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Hash of texts, in order. Part of the file format.
pub(in super::super) fn hash(texts: &[&str]) -> u64 {
    let mut hash = GOLDEN;
    for text in texts {
        hash = mix(hash ^ text.len() as u64);
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(GOLDEN);
            hash ^= hash >> 29;
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(GOLDEN);
        hash ^= hash >> 29;
    }
    mix(hash)
}

/// A tag key, or the value of an annotation: what a term without value asks for.
pub(in super::super) fn key_term(key: &str) -> u64 {
    hash(&["k", key])
}

/// Key and value of a tag.
pub(in super::super) fn tag_term(key: &str, value: &str) -> u64 {
    hash(&["t", key, value])
}

type Line = [u64; 8];

/// The terms of each chunk of a block (Bloom filters of cache lines, one behind the other).
#[derive(Debug, Default)]
pub(in super::super) struct TermFilter {
    lines: Vec<Line>,
    /// The line after the last of each chunk.
    ends: Vec<u32>,
}

impl TermFilter {
    /// Appends the terms of the next chunk.
    pub(super) fn push(&mut self, terms: &mut Vec<u64>) {
        terms.sort_unstable();
        terms.dedup();
        let start = self.lines.len();
        let end = start + (terms.len() * BITS_PER_TERM).div_ceil(LINE_BITS as usize);
        self.lines.resize(end, Line::default());
        self.ends.push(end as u32);
        let lines = &mut self.lines[start..];
        for term in terms.iter() {
            let line = &mut lines[line_of(*term, end - start)];
            bits(*term).for_each(|bit| line[(bit / 64) as usize] |= 1 << (bit % 64));
        }
    }

    /// False: the term is surely not in that chunk.
    pub(in super::super) fn may_contain(&self, chunk: u32, term: u64) -> bool {
        let chunk = chunk as usize;
        let Some(end) = self.ends.get(chunk) else { return false };
        let start = if chunk == 0 { 0 } else { self.ends[chunk - 1] };
        let lines = &self.lines[start as usize..*end as usize];
        let line = lines.get(line_of(term, lines.len()));
        line.is_some_and(|line| bits(term).all(|bit| line[(bit / 64) as usize] & 1 << (bit % 64) != 0))
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>() + self.ends.len() * size_of::<u32>()
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut soft = Vec::with_capacity(2 + self.ends.len() * 2);
        put_var(&mut soft, self.ends.len() as u64);
        let mut start = 0;
        for end in &self.ends {
            put_var(&mut soft, u64::from(end - start));
            start = *end;
        }
        let hard: Vec<u8> = self.lines.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect();
        pack(&soft, &hard)
    }

    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (soft, hard) = unpack(value)?;
        let mut cursor = Cursor::new(&soft);
        let (mut ends, mut end) = (Vec::new(), 0_u32);
        for _ in 0..cursor.count()? {
            let lines = u32::try_from(cursor.var()?).map_err(|_| FrameError::Torn)?;
            end = end.checked_add(lines).ok_or(FrameError::Torn)?;
            ends.push(end);
        }
        let (words, rest) = hard.as_chunks::<8>();
        let (lines, odd) = words.as_chunks::<8>();
        if !rest.is_empty() || !odd.is_empty() || lines.len() != end as usize {
            return Err(FrameError::Torn);
        }
        Ok(Self { lines: lines.iter().map(|line| line.map(u64::from_le_bytes)).collect(), ends })
    }
}

/// Which of so many lines has the term.
fn line_of(term: u64, lines: usize) -> usize {
    ((u128::from(mix(term)) * lines as u128) >> 64) as usize
}

fn bits(term: u64) -> impl Iterator<Item = u64> {
    (0..PROBES).map(move |probe| (term >> (probe * 9)) % LINE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let mut terms: Vec<u64> = (0..5_000).map(|n| tag_term("key", &n.to_string())).collect();
        let mut filter = TermFilter::default();
        filter.push(&mut vec![key_term("first")]);
        filter.push(&mut Vec::new());
        filter.push(&mut terms);
        let filter = TermFilter::read(&filter.encode().unwrap()).unwrap();
        assert!(terms.iter().all(|term| filter.may_contain(2, *term)));
        let others = (0..10_000).filter(|n| filter.may_contain(2, key_term(&format!("other {n}")))).count();
        assert!(others < 300, "{others} of 10000");
        let of_first: Vec<bool> = (0..4).map(|chunk| filter.may_contain(chunk, key_term("first"))).collect();
        assert_eq!(of_first, [true, false, false, false]);
        assert!(terms.iter().all(|term| !filter.may_contain(1, *term)));
    }

    /// Files hold these numbers.
    #[test]
    fn hashes_stay_as_they_are() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["http.method", "GET"]), HASH_OF_GET);
    }

    const HASH_OF_GET: u64 = 8_616_749_001_967_878_406;
}
