//! Decoded values of blocks, bounded in bytes; the ones not used for longest go first.

use std::any::Any;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

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
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, entries: Mutex::default() }
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
            entries.shrink(self.bytes_max - self.bytes_max / 8);
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
    fn shrink(&mut self, bytes: usize) {
        let mut by_use: Vec<(u64, Key)> = self.entries.iter().map(|(key, entry)| (entry.used, *key)).collect();
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
        let cache = Cache::new(100);
        (0..4).for_each(|n| cache.put((1, 0, n), &Arc::new(n), 25));
        assert_eq!(cache.get::<u32>((1, 0, 0)).as_deref(), Some(&0));
        cache.put((2, 0, 9), &Arc::new(9_u32), 25);
        let kept: Vec<bool> = (0..4).map(|n| cache.get::<u32>((1, 0, n)).is_some()).collect();
        assert_eq!(kept, [true, false, false, true]);
        cache.forget(1);
        assert!(cache.get::<u32>((1, 0, 0)).is_none() && cache.get::<u32>((2, 0, 9)).is_some());
    }
}
