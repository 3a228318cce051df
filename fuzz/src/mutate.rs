//! A small mutator for runs without libFuzzer: repeatable, and good enough to find what any byte breaks.

/// xorshift64*: the same numbers from the same seed.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// Bytes that mean something to one of the formats.
const TELLING: [u8; 8] = [0, 0xff, 0x80, b'"', b'\\', b'{', b'[', b'-'];

/// Flips, overwrites, inserts, removes, repeats and splices, up to five times.
pub fn mutate(random: &mut Random, message: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(4) {
        let at = random.below(message.len());
        match random.below(6) {
            0 if !message.is_empty() => message[at] ^= 1 << random.below(8),
            1 if !message.is_empty() => message[at] = TELLING[random.below(TELLING.len())],
            2 => message.insert(at.min(message.len()), random.below(256) as u8),
            3 => _ = message.drain(at..(at + random.below(8)).min(message.len())),
            4 => {
                let piece = message[at..(at + random.below(32)).min(message.len())].to_vec();
                message.splice(at..at, piece);
            }
            _ => {
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(64)).min(other.len())];
                message.splice(at..at, piece.iter().copied());
            }
        }
    }
}
