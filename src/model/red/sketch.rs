//! Durations in so few numbers that they can be kept for every minute, and still tell quantiles.

use super::encoded::{CorruptRed, Reader};
use crate::model::record::put_var;

/// Bits of a duration that are kept: each power of two has 32 buckets, so their middle is within 1/64 of what is in them.
const KEPT_BITS: u32 = 6;
/// The bucket of the longest duration there is (`i64::MAX`).
const LAST_BUCKET: u16 = bucket_of(i64::MAX as u64);

/// How many durations (in microseconds) lie in which bucket.
///
/// Buckets grow with the duration: below 64 µs each value has its own, above that a bucket is at most 1/32 of its lower
/// bound wide. All is integers and a merge adds counts, so the result, and its bytes, are the same in whatever order and
/// portions the durations came; a sketch over floating point logarithms does not promise that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurationSketch {
    /// Bucket and how many are in it, sorted by bucket, none empty.
    buckets: Vec<(u16, u64)>,
    count: u64,
    sum_us: u64,
    max_us: u64,
}

const fn bucket_of(duration_us: u64) -> u16 {
    let shift = (u64::BITS - duration_us.leading_zeros()).saturating_sub(KEPT_BITS);
    ((shift << (KEPT_BITS - 1)) as u64 + (duration_us >> shift)) as u16
}

/// The middle of a bucket.
fn middle_of(bucket: u16) -> u64 {
    let half = 1 << (KEPT_BITS - 1);
    let shift = (u32::from(bucket) / half).saturating_sub(1);
    let low = u64::from(u32::from(bucket) - shift * half) << shift;
    low + ((1 << shift) - 1) / 2
}

impl DurationSketch {
    /// Adds a duration; one below zero counts as zero.
    pub fn add(&mut self, duration_us: i64) {
        let duration_us = duration_us.max(0).unsigned_abs();
        self.add_to(bucket_of(duration_us), 1);
        self.sum_us = self.sum_us.saturating_add(duration_us);
        self.max_us = self.max_us.max(duration_us);
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |known| known.0) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
        self.count = self.count.saturating_add(count);
    }

    /// Adds all durations of another sketch.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        other.buckets.iter().for_each(|&(bucket, count)| self.add_to(bucket, count));
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many durations were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, exact up to `u64::MAX`.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The longest, exact.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The shortest duration that a share of `quantile` (0 to 1) of all does not exceed, within 1/64 of it. `None` without
    /// durations.
    #[must_use]
    pub fn quantile_us(&self, quantile: f64) -> Option<u64> {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0_u64;
        let found = self.buckets.iter().find(|(_, count)| {
            below = below.saturating_add(*count);
            below >= rank
        });
        let bucket = found.or(self.buckets.last())?.0;
        Some(middle_of(bucket).min(self.max_us))
    }

    /// Appends `var buckets, {var distance from the bucket before, var count}…`, and if there are any `var sum, var max`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_var(out, self.buckets.len() as u64);
        let mut before = 0;
        for &(bucket, count) in &self.buckets {
            put_var(out, u64::from(bucket - before));
            put_var(out, count);
            before = bucket;
        }
        if !self.buckets.is_empty() {
            put_var(out, self.sum_us);
            put_var(out, self.max_us);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CorruptRed> {
        let mut sketch = Self::default();
        let buckets = reader.var()?;
        let mut before = None;
        for _ in 0..buckets {
            let (distance, count) = (reader.var()?, reader.var()?);
            let bucket = before.map_or(Some(distance), |before: u16| distance.checked_add(u64::from(before)));
            let bucket = bucket.and_then(|bucket| u16::try_from(bucket).ok()).ok_or(CorruptRed)?;
            if bucket > LAST_BUCKET || count == 0 || before.is_some_and(|before| bucket <= before) {
                return Err(CorruptRed);
            }
            sketch.buckets.push((bucket, count));
            sketch.count = sketch.count.saturating_add(count);
            before = Some(bucket);
        }
        if buckets > 0 {
            sketch.sum_us = reader.var()?;
            sketch.max_us = reader.var()?;
        }
        Ok(sketch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(durations: &[i64]) -> DurationSketch {
        let mut sketch = DurationSketch::default();
        durations.iter().for_each(|duration| sketch.add(*duration));
        sketch
    }

    fn bytes_of(sketch: &DurationSketch) -> Vec<u8> {
        let mut bytes = Vec::new();
        sketch.encode(&mut bytes);
        bytes
    }

    /// From a microsecond to years, evenly in their logarithms.
    fn duration() -> impl Strategy<Value = i64> {
        prop_oneof![20 => (0_u32..50, any::<u64>()).prop_map(|(bits, random)| (random % (2 << bits)) as i64), 1 => Just(i64::MAX)]
    }

    #[test]
    fn buckets_are_in_order_and_hold_their_middle() {
        let mut before = 0;
        for duration in (0..100_000).chain((6..63).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let bucket = bucket_of(duration);
            assert!(bucket >= before || duration < 100_000, "{duration}");
            assert!(middle_of(bucket).abs_diff(duration) * 64 <= duration, "{duration}");
            assert_eq!(bucket_of(middle_of(bucket)), bucket, "{duration}");
            before = bucket;
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_one_is_its_own() {
        assert_eq!(DurationSketch::default().quantile_us(0.5), None);
        let one = sketch_of(&[1_000_003]);
        let figures = [one.quantile_us(0.0), one.quantile_us(0.99), Some(one.max_us()), Some(one.sum_us())];
        assert_eq!(figures.map(|figure| figure.unwrap().abs_diff(1_000_003) * 64 <= 1_000_003), [true; 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn quantiles_are_within_two_percent_of_the_exact_ones(
            mut durations in vec(duration(), 1..500), quantile in 0.0..=1.0,
        ) {
            let sketch = sketch_of(&durations);
            durations.sort_unstable();
            for quantile in [0.5, 0.95, 0.99, quantile] {
                let rank = ((quantile * durations.len() as f64).ceil() as usize).clamp(1, durations.len());
                let exact = durations[rank - 1] as f64;
                let told = sketch.quantile_us(quantile).unwrap() as f64;
                prop_assert!((told - exact).abs() <= 0.02 * exact, "p{quantile}: {told} instead of {exact}");
            }
            prop_assert_eq!(sketch.max_us(), *durations.last().unwrap() as u64);
        }

        #[test]
        fn order_and_portions_change_nothing(durations in vec(duration(), 0..300), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
            let whole = sketch_of(&durations);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(durations.len() + 1)).chain([0, durations.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|cut| sketch_of(&durations[cut[0]..cut[1]])).collect();
            let mut merged = DurationSketch::default();
            parts.iter().rev().for_each(|part| merged.merge(part));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(bytes_of(&merged), bytes_of(&whole));
        }

        #[test]
        fn bytes_give_back_the_sketch(durations in vec(duration(), 0..300)) {
            let sketch = sketch_of(&durations);
            let bytes = bytes_of(&sketch);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(DurationSketch::decode(&mut reader).unwrap(), sketch);
            prop_assert!(reader.is_at_end());
        }
    }
}
