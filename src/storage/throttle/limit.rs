//! The limit itself: pure, no clock.

use std::time::Duration;

/// A write may take this many times as long as usual before the limit shrinks.
const TOLERANCE: f64 = 1.5;
/// The limit is halved at most by one slow write, and grows by this much at most by a quick one.
const GRADIENT_MIN: f64 = 0.5;
const ROOM: f64 = 1.0;
/// Part of a new value that counts: of the limit, and of what is usual.
const LIMIT_WEIGHT: f64 = 0.2;
const USUAL_WEIGHT: f64 = 0.02;
/// What is left of the limit when the store is over its capacity.
const BACKOFF: f64 = 0.9;

/// How many writes may be under way, between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GradientLimit {
    least: usize,
    most: usize,
    value: f64,
    /// Seconds that a write usually takes; `None` before the first.
    usual: Option<f64>,
}

impl GradientLimit {
    /// Begins with the least. The higher bound is never below the lower one.
    pub(super) fn new(least: usize, most: usize) -> Self {
        Self { least, most: most.max(least), value: least as f64, usual: None }
    }

    pub(super) fn value(&self) -> usize {
        self.value as usize
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// A write succeeded while so many were under way, itself included.
    pub(super) fn took(&mut self, time: Duration, in_flight: usize) {
        let seconds = time.as_secs_f64();
        let usual = self.usual.map_or(seconds, |usual| usual + USUAL_WEIGHT * (seconds - usual));
        self.usual = Some(usual);
        // Far from the limit it says nothing about it.
        if (in_flight as f64) < self.value / 2.0 {
            return;
        }
        let gradient = if seconds > 0.0 { (TOLERANCE * usual / seconds).clamp(GRADIENT_MIN, 1.0) } else { 1.0 };
        let wanted = self.value * gradient + ROOM;
        self.set(self.value + LIMIT_WEIGHT * (wanted - self.value));
    }

    /// The store could not take a write.
    pub(super) fn over_capacity(&mut self) {
        self.set(self.value * BACKOFF);
    }

    fn set(&mut self, value: f64) {
        self.value = value.clamp(self.least as f64, self.most as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_millis(10);

    #[test]
    fn it_grows_while_writes_take_as_long_as_usual_and_stays_in_its_bounds() {
        let mut limit = GradientLimit::new(2, 6);
        assert_eq!(limit.value(), 2);
        (0..200).for_each(|_| limit.took(USUAL, limit.value()));
        assert_eq!(limit.value(), 6);
        (0..200).for_each(|_| limit.over_capacity());
        assert_eq!(limit.value(), 2);
    }

    #[test]
    fn it_shrinks_when_writes_take_longer_and_comes_back() {
        let mut limit = GradientLimit::new(1, 40);
        (0..300).for_each(|_| limit.took(USUAL, limit.value()));
        assert_eq!(limit.value(), 40);
        (0..12).for_each(|_| limit.took(USUAL * 10, limit.value()));
        assert!(limit.value() < 20, "{limit:?}");
        (0..300).for_each(|_| limit.took(USUAL, limit.value()));
        assert_eq!(limit.value(), 40);
    }

    #[test]
    fn what_is_far_from_the_limit_does_not_move_it() {
        let mut limit = GradientLimit::new(10, 40);
        (0..100).for_each(|_| limit.took(USUAL, 1));
        assert_eq!(limit.value(), 10);
    }

    #[test]
    fn bounds_the_wrong_way_round_are_the_lower_one() {
        assert_eq!(GradientLimit::new(10, 4).most(), 10);
    }
}
