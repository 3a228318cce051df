//! A set of texts that never forgets one and seldom pretends to know another (a Bloom filter of cache lines).

/// What a text was found as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::storage) enum Term {
    Service,
    RemoteService,
    SpanName,
    /// Key of a tag, or value of an annotation: what a term without value asks for.
    Key,
    /// Key and value of a tag.
    Tag,
}

const LINE_BITS: u64 = 512;
const BITS_PER_TERM: u32 = 3;
/// Spans a first, single line is meant for.
const FIRST_SPANS: usize = 4;
/// Spans for each line of a larger filter; their terms are partly the same.
const SPANS_PER_LINE: usize = 10;
/// Each growth multiplies the lines by this.
const GROWTH: usize = 4;
/// Beyond this many lines the filter fills up and lets more pass; it is never wrong.
const LINES_MAX: usize = 4_096;

type Line = [u64; 8];

/// The terms of one trace, by hash.
#[derive(Debug, Default)]
pub(in crate::storage) struct Filter {
    lines: Vec<Line>,
}

impl Filter {
    /// Bytes on the heap.
    pub(in crate::storage) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// Whether a trace of so many spans has outgrown the filter, so that it should be made anew with [`Self::grown`].
    pub(in crate::storage) fn is_outgrown(&self, spans: usize) -> bool {
        match self.lines.len() {
            0 => true,
            1 => spans > FIRST_SPANS,
            lines => lines < LINES_MAX && spans > lines * SPANS_PER_LINE,
        }
    }

    /// An empty filter of the next size.
    pub(in crate::storage) fn grown(&self) -> Self {
        let lines = if self.lines.is_empty() { 1 } else { self.lines.len() * GROWTH };
        let mut grown = Vec::new();
        grown.reserve_exact(lines);
        grown.resize(lines, Line::default());
        Self { lines: grown }
    }

    pub(in crate::storage) fn insert(&mut self, hash: u64) {
        let Some(line) = self.line(hash) else { return };
        for bit in bits(hash) {
            self.lines[line][(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    /// False: the term is surely not there.
    pub(in crate::storage) fn may_contain(&self, hash: u64) -> bool {
        let Some(line) = self.line(hash) else { return false };
        bits(hash).all(|bit| self.lines[line][(bit / 64) as usize] & (1 << (bit % 64)) != 0)
    }

    /// The number of lines is a power of two.
    fn line(&self, hash: u64) -> Option<usize> {
        let last = self.lines.len().checked_sub(1)?;
        Some((hash >> 40) as usize & last)
    }
}

fn bits(hash: u64) -> impl Iterator<Item = u64> {
    (0..BITS_PER_TERM).map(move |n| (hash >> (n * 9)) % LINE_BITS)
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    fn filled(spans: usize) -> (Filter, foldhash::fast::FixedState) {
        let hasher = foldhash::fast::FixedState::with_seed(7);
        let mut filter = Filter::default();
        for span in 1..=spans {
            if filter.is_outgrown(span) {
                filter = filter.grown();
                (1..span)
                    .flat_map(|span| (0..5).map(move |n| (span, n)))
                    .for_each(|t| filter.insert(hasher.hash_one(t)));
            }
            (0..5).for_each(|n| filter.insert(hasher.hash_one((span, n))));
        }
        (filter, hasher)
    }

    #[test]
    fn what_was_put_in_is_found() {
        for spans in [1, 5, 18, 45, 500] {
            let (filter, hasher) = filled(spans);
            let all = (1..=spans).flat_map(|span| (0..5).map(move |n| (span, n)));
            assert!(all.into_iter().all(|term| filter.may_contain(hasher.hash_one(term))), "{spans} spans");
        }
    }

    #[test]
    fn few_others_pass() {
        for spans in [1, 4, 18, 40, 160, 1_000] {
            let (filter, hasher) = filled(spans);
            let passed = (0..10_000).filter(|n| filter.may_contain(hasher.hash_one((n, "other")))).count();
            assert!(passed < 300, "{passed} of 10000 pass a filter of {spans} spans in {} lines", filter.lines.len());
        }
    }

    #[test]
    fn an_empty_filter_contains_nothing() {
        assert!(!Filter::default().may_contain(1));
    }
}
