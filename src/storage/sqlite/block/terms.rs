//! Hashes that are stored, and a set of them that never forgets one and seldom pretends to know another.

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

/// The terms of a block (a Bloom filter of cache lines).
#[derive(Debug, Default)]
pub(in super::super) struct TermFilter {
    lines: Vec<Line>,
}

impl TermFilter {
    pub(super) fn of(terms: &mut Vec<u64>) -> Self {
        terms.sort_unstable();
        terms.dedup();
        let lines = (terms.len() * BITS_PER_TERM).div_ceil(LINE_BITS as usize);
        let mut filter = Self { lines: vec![Line::default(); lines] };
        for term in terms.iter() {
            let Some(line) = filter.line(*term) else { continue };
            bits(*term).for_each(|bit| filter.lines[line][(bit / 64) as usize] |= 1 << (bit % 64));
        }
        filter
    }

    /// False: the term is surely not there.
    pub(in super::super) fn may_contain(&self, term: u64) -> bool {
        let Some(line) = self.line(term) else { return false };
        bits(term).all(|bit| self.lines[line][(bit / 64) as usize] & 1 << (bit % 64) != 0)
    }

    fn line(&self, term: u64) -> Option<usize> {
        let lines = self.lines.len() as u128;
        (lines > 0).then(|| ((u128::from(mix(term)) * lines) >> 64) as usize)
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let hard: Vec<u8> = self.lines.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect();
        pack(&[], &hard)
    }

    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (_, hard) = unpack(value)?;
        let (words, rest) = hard.as_chunks::<8>();
        let (lines, odd) = words.as_chunks::<8>();
        if !rest.is_empty() || !odd.is_empty() {
            return Err(FrameError::Torn);
        }
        Ok(Self { lines: lines.iter().map(|line| line.map(u64::from_le_bytes)).collect() })
    }
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
        let filter = TermFilter::read(&TermFilter::of(&mut terms).encode().unwrap()).unwrap();
        assert!(terms.iter().all(|term| filter.may_contain(*term)));
        let others = (0..10_000).filter(|n| filter.may_contain(key_term(&format!("other {n}")))).count();
        assert!(others < 300, "{others} of 10000");
        assert!(!TermFilter::default().may_contain(1));
    }

    /// Files hold these numbers.
    #[test]
    fn hashes_stay_as_they_are() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["http.method", "GET"]), HASH_OF_GET);
    }

    const HASH_OF_GET: u64 = 8_616_749_001_967_878_406;
}
