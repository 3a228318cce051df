//! The inner loop: where does a string end.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;
/// Strings longer than this are left to memchr, whose start costs more than a few words of eight bytes.
const WORDS_BEFORE_MEMCHR: usize = 4;

/// Position of the first `"` or `\` from `from` on, or the length of the text.
#[inline]
pub(super) fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    for _ in 0..WORDS_BEFORE_MEMCHR {
        let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*word);
        let hits = zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    memchr::memchr2(b'"', b'\\', rest).map_or(bytes.len(), |found| at + found)
}

/// The high bit of each zero byte; bytes above the lowest zero may be wrong, so only the lowest counts.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}
