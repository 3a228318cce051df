//! What the store knows of one trace.

use hashbrown::{HashMap, HashTable};

use super::filter::Filter;

/// Up to so many entries a list is searched from the front, beyond it has an index.
const FEW: usize = 64;

/// Where the record of a span lies.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Slot {
    pub(in crate::storage) segment: u32,
    pub(in crate::storage) place: u32,
    /// Hash of the record.
    pub(in crate::storage) hash: u32,
    /// Number of the write that brought it, counted from the trace's first.
    pub(in crate::storage) write: u32,
}

/// What a reader sees: writes up to one, and the state of what was handed over to elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Seen {
    pub(in crate::storage) write: u64,
    pub(in crate::storage) epoch: u32,
}

/// All spans of one low 64-bit trace id. Without spans the entry is free.
#[derive(Debug, Default)]
pub(in crate::storage) struct Trace {
    pub(in crate::storage) low: u64,
    /// Numbers of the first and the last write that brought a span.
    pub(in crate::storage) first_write: u64,
    pub(in crate::storage) last_write: u64,
    /// Readers of this epoch and later ones see it, until those of the second.
    pub(in crate::storage) shown: u32,
    pub(in crate::storage) hidden: u32,
    /// Earliest and latest millisecond of its spans; 0 stands for no timestamp.
    pub(in crate::storage) min_ms: i64,
    pub(in crate::storage) max_ms: i64,
    /// Buckets of the time index that it was put into last.
    pub(in crate::storage) recent_buckets: [i64; 2],
    /// Longest duration of its spans, as [`duration_code`].
    pub(in crate::storage) longest: u16,
    pub(in crate::storage) services: Services,
    pub(in crate::storage) filter: Filter,
    /// Spans as they arrived.
    slots: Vec<Slot>,
    /// Indexes of `slots` by hash, for traces with more than a few.
    by_hash: Option<Box<HashTable<u32>>>,
}

impl Trace {
    /// A trace whose first span comes with that write.
    pub(in crate::storage) fn new(low: u64, Seen { write, epoch }: Seen, time_ms: i64) -> Self {
        Self {
            low,
            first_write: write,
            shown: epoch,
            hidden: u32::MAX,
            min_ms: time_ms,
            max_ms: time_ms,
            recent_buckets: [i64::MIN; 2],
            ..Self::default()
        }
    }

    pub(in crate::storage) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(in crate::storage) fn is_seen(&self, seen: Seen) -> bool {
        self.first_write <= seen.write && (self.shown..self.hidden).contains(&seen.epoch)
    }

    pub(in crate::storage) fn is_free(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes on the heap.
    pub(in crate::storage) fn heap_bytes(&self) -> usize {
        let index = self.by_hash.as_ref().map_or(0, |index| index.allocation_size());
        self.slots.capacity() * size_of::<Slot>() + index + self.services.heap_bytes() + self.filter.bytes()
    }

    /// The slot with that hash that `is_it` says yes to.
    pub(in crate::storage) fn find(&self, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<usize> {
        match &self.by_hash {
            None => self.slots.iter().position(|slot| slot.hash == hash && is_it(*slot)),
            Some(index) => {
                let found = index.find(spread(hash), |&at| {
                    let slot = self.slots[at as usize];
                    slot.hash == hash && is_it(slot)
                });
                found.map(|&at| at as usize)
            }
        }
    }

    pub(in crate::storage) fn push(&mut self, segment: u32, place: u32, hash: u32, write: u64) {
        self.last_write = write;
        let write = u32::try_from(write - self.first_write).unwrap_or(u32::MAX);
        let at = self.slots.len() as u32;
        if self.slots.len() == self.slots.capacity() {
            // By half: there are many short lists.
            self.slots.reserve_exact(self.slots.len() / 2 + 2);
        }
        self.slots.push(Slot { segment, place, hash, write });
        let slots = &self.slots;
        let hash_at = |at: &u32| spread(slots[*at as usize].hash);
        match &mut self.by_hash {
            Some(index) => {
                index.insert_unique(spread(hash), at, hash_at);
            }
            None if slots.len() > FEW => {
                let mut index = HashTable::with_capacity(slots.len() * 2);
                for at in 0..slots.len() as u32 {
                    index.insert_unique(hash_at(&at), at, hash_at);
                }
                self.by_hash = Some(Box::new(index));
            }
            None => {}
        }
    }

    /// Tells that the record of a slot lies elsewhere now.
    pub(in crate::storage) fn moved(&mut self, at: usize, segment: u32, place: u32) {
        let slot = &mut self.slots[at];
        slot.segment = segment;
        slot.place = place;
    }

    /// The slots that writes up to `write` brought.
    pub(in crate::storage) fn slots_before(&self, write: u64) -> impl Iterator<Item = Slot> {
        let all = self.last_write <= write;
        // Writes only grow, so the slots that count are the first ones.
        let from = self.first_write;
        self.slots.iter().copied().take_while(move |slot| all || from.saturating_add(u64::from(slot.write)) <= write)
    }
}

impl Trace {
    /// The slots that writes after `write` brought, each with its write.
    pub(in crate::storage) fn slots_after(&self, write: u64) -> impl Iterator<Item = (u64, Slot)> {
        let from = self.first_write;
        let numbered = self.slots.iter().map(move |slot| (from.saturating_add(u64::from(slot.write)), *slot));
        numbered.filter(move |(of_write, _)| *of_write > write)
    }
}

/// The table wants its entropy in the high bits too.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The services of a trace, with the longest duration each recorded.
#[derive(Debug, Default)]
pub(in crate::storage) struct Services {
    few: Vec<(u32, u16)>,
    many: Option<Box<HashMap<u32, u16>>>,
}

impl Services {
    /// Notes a span of the service; true when it is its first here.
    pub(in crate::storage) fn note(&mut self, service: u32, duration: u16) -> bool {
        if let Some(many) = &mut self.many {
            let mut is_first = false;
            let longest = many.entry(service).or_insert_with(|| {
                is_first = true;
                0
            });
            *longest = duration.max(*longest);
            return is_first;
        }
        if let Some(known) = self.few.iter_mut().find(|known| known.0 == service) {
            known.1 = known.1.max(duration);
            return false;
        }
        if self.few.len() == self.few.capacity() {
            self.few.reserve_exact(self.few.len() / 2 + 2);
        }
        self.few.push((service, duration));
        if self.few.len() > FEW {
            self.many = Some(Box::new(std::mem::take(&mut self.few).into_iter().collect()));
        }
        true
    }

    /// The longest duration that a service recorded, if it is here at all.
    pub(in crate::storage) fn longest(&self, service: u32) -> Option<u16> {
        match &self.many {
            Some(many) => many.get(&service).copied(),
            None => self.few.iter().find(|known| known.0 == service).map(|known| known.1),
        }
    }

    pub(in crate::storage) fn ids(&self) -> impl Iterator<Item = u32> {
        let many = self.many.iter().flat_map(|many| many.keys().copied());
        self.few.iter().map(|known| known.0).chain(many)
    }

    fn heap_bytes(&self) -> usize {
        let many = self.many.as_ref().map_or(0, |many| many.allocation_size());
        self.few.capacity() * size_of::<(u32, u16)>() + many
    }
}

/// A duration in 16 bits: never falls when durations grow, exact up to 1023 µs, then to a thousandth.
pub(in crate::storage) fn duration_code(duration_us: Option<i64>) -> u16 {
    let duration = duration_us.unwrap_or(0).max(0) as u64;
    let shift = (u64::BITS - duration.leading_zeros()).saturating_sub(10);
    (shift * 512) as u16 + (duration >> shift) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_codes_keep_the_order() {
        let mut durations: Vec<i64> = (0..63).flat_map(|bit| [(1_i64 << bit) - 1, 1 << bit, (1 << bit) + 1]).collect();
        durations.extend((0..5_000).chain([i64::MAX - 1, i64::MAX]));
        durations.sort_unstable();
        let codes: Vec<u16> = durations.iter().map(|duration| duration_code(Some(*duration))).collect();
        assert!(codes.is_sorted());
        assert_eq!((duration_code(None), duration_code(Some(0)), duration_code(Some(1_023))), (0, 0, 1_023));
        assert!(duration_code(Some(2_000)) < duration_code(Some(2_002)));
    }

    #[test]
    fn records_are_found_by_hash_in_small_and_large_traces() {
        for spans in [3, FEW, FEW + 1, 1_000] {
            let mut trace = Trace::new(1, Seen { write: 10, epoch: 0 }, 0);
            (0..spans as u32).for_each(|place| trace.push(0, place, place / 2, 10));
            for place in 0..spans as u32 {
                assert_eq!(trace.find(place / 2, |slot| slot.place == place), Some(place as usize));
            }
            assert_eq!(trace.find(spans as u32, |_| true), None);
            assert_eq!(trace.find(0, |_| false), None);
        }
    }

    #[test]
    fn slots_of_later_writes_are_left_out() {
        let mut trace = Trace::new(1, Seen { write: 10, epoch: 0 }, 0);
        [10, 10, 12, 15].into_iter().enumerate().for_each(|(place, write)| trace.push(0, place as u32, 0, write));
        let seen = |write| trace.slots_before(write).count();
        assert_eq!([9, 10, 11, 12, 14, 15, 99].map(seen), [0, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn services_are_noted_once_however_many() {
        let mut services = Services::default();
        for round in 0..2 {
            for service in 1..=200 {
                assert_eq!(services.note(service, round * 7), round == 0);
            }
        }
        assert_eq!((services.longest(1), services.longest(200), services.longest(201)), (Some(7), Some(7), None));
        let mut ids: Vec<u32> = services.ids().collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=200).collect::<Vec<_>>());
    }
}
