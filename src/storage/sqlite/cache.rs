//! Decoded values of blocks, bounded in bytes; the ones not used for longest go first.
//!
//! Values of some kinds are asked for of every block by one query: those stay while they take no more than half of the room. When
//! they take more, always the same of them stay: going by use each such query would find none of them.

use std::any::Any;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::block::mix;

/// What a value is: block, kind, number.
pub(super) type Key = (i64, u8, u32);
type Value = Arc<dyn Any + Send + Sync>;

#[derive(Debug)]
struct Entry {
    value: Value,
    bytes: usize,
    used: u64,
}

#[derive(Debug, Default)]
struct Entries {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
pub(super) struct Cache {
    bytes_max: usize,
    entries: Mutex<Entries>,
    /// Kinds that stay.
    lasting: &'static [u8],
}

impl Cache {
    pub(super) fn new(bytes_max: usize, lasting: &'static [u8]) -> Self {
        Self { bytes_max, entries: Mutex::default(), lasting }
    }

    /// Whether it is there. Does not count as use.
    pub(super) fn has(&self, key: Key) -> bool {
        self.entries.lock().entries.contains_key(&key)
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self, key: Key) -> Option<Arc<T>> {
        let mut entries = self.entries.lock();
        entries.clock += 1;
        let clock = entries.clock;
        let entry = entries.entries.get_mut(&key)?;
        entry.used = clock;
        entry.value.clone().downcast().ok()
    }

    pub(super) fn put<T: Send + Sync + 'static>(&self, key: Key, value: &Arc<T>, bytes: usize) {
        if bytes > self.bytes_max / 4 {
            return;
        }
        let mut entries = self.entries.lock();
        entries.clock += 1;
        let entry = Entry { value: value.clone(), bytes, used: entries.clock };
        entries.bytes += bytes;
        if let Some(before) = entries.entries.insert(key, entry) {
            entries.bytes -= before.bytes;
        }
        if entries.bytes > self.bytes_max {
            entries.shrink(self.bytes_max - self.bytes_max / 8, self.bytes_max / 2, self.lasting);
        }
    }

    /// Forgets a block.
    pub(super) fn forget(&self, block: i64) {
        let mut entries = self.entries.lock();
        let mut gone = 0;
        entries.entries.retain(|key, entry| {
            gone += if key.0 == block { entry.bytes } else { 0 };
            key.0 != block
        });
        entries.bytes -= gone;
    }
}

impl Entries {
    /// An eighth at a time, so that the sorting is paid for by many.
    fn shrink(&mut self, bytes: usize, lasting_bytes: usize, lasting: &[u8]) {
        let mut stay: Vec<(u64, Key, usize)> = self
            .entries
            .iter()
            .filter(|(key, _)| lasting.contains(&key.1))
            .map(|(key, entry)| (mix(key.0 as u64), *key, entry.bytes))
            .collect();
        stay.sort_unstable();
        let mut sum = 0;
        stay.retain(|(_, _, bytes)| {
            sum += bytes;
            sum <= lasting_bytes
        });
        let stay: HashSet<Key> = stay.into_iter().map(|(_, key, _)| key).collect();
        let goes = |(key, entry): (&Key, &Entry)| (!stay.contains(key)).then_some((entry.used, *key));
        let mut by_use: Vec<(u64, Key)> = self.entries.iter().filter_map(goes).collect();
        by_use.sort_unstable();
        for (_, key) in by_use {
            if self.bytes <= bytes {
                return;
            }
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::new(100, &[]);
        (0..4).for_each(|n| cache.put((1, 0, n), &Arc::new(n), 25));
        assert_eq!(cache.get::<u32>((1, 0, 0)).as_deref(), Some(&0));
        cache.put((2, 0, 9), &Arc::new(9_u32), 25);
        let kept: Vec<bool> = (0..4).map(|n| cache.get::<u32>((1, 0, n)).is_some()).collect();
        assert_eq!(kept, [true, false, false, true]);
        cache.forget(1);
        assert!(cache.get::<u32>((1, 0, 0)).is_none() && cache.get::<u32>((2, 0, 9)).is_some());
    }

    #[test]
    fn what_one_query_asks_of_every_block_stays_in_half_of_the_room() {
        let cache = Cache::new(1_000, &[7]);
        let put = |block: i64, kind: u8| cache.put((block, kind, 0), &Arc::new(block), 25);
        let there = |kind: u8, blocks: i64| (0..blocks).filter(|block| cache.has((*block, kind, 0))).count();
        (0..20).for_each(|block| put(block, 7));
        (0..400).for_each(|block| put(block, 1));
        assert_eq!(there(7, 20), 20, "used longest ago and there");
        // Of more than that a good part is found again by every query that goes through all of them.
        for _ in 0..3 {
            let found = there(7, 200);
            (0..200).filter(|block| !cache.has((*block, 7, 0))).for_each(|block| put(block, 7));
            assert!(found >= 18, "{found}");
        }
        assert!(cache.entries.lock().bytes <= 1_000);
    }
}
