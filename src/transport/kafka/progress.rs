//! How far a partition was handed on, and what an offset that was not expected means. Pure: no client, no store.

/// What identifies the message before the stored position, to tell a topic that was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) time_ms: i64,
    pub(super) checksum: u64,
}

impl Mark {
    /// Of a message; equal bytes at another time differ, and so do other bytes at the same time.
    pub(super) fn of(time_ms: i64, payload: &[u8]) -> Self {
        let checksum = u64::from(crc32fast::hash(payload)) | (payload.len() as u64) << 32;
        Self { time_ms, checksum }
    }
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It follows: its position begins at `from`, which is its own offset, or that of a gap before it.
    Take { from: i64 },
    /// It was handed on before, and was read again for comparison.
    Skip,
    /// The topic is not the one the position was made with, or lost its end: go on from its beginning.
    MadeAnew,
}

/// Where a partition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The offset after the last message that was handed on; `None` until the first one, without a stored position.
    next: Option<i64>,
    /// To be found at `next - 1`, as long as nothing came since the position was read.
    mark: Option<Mark>,
}

impl Progress {
    /// Goes on at a position of which the last message is known, or not.
    pub(super) fn resume(next: i64, mark: Option<Mark>) -> Self {
        Self { next: Some(next), mark: mark.filter(|_| next > 0) }
    }

    /// The offset to fetch from; `None` is for Kafka to say. The message before the position is read once more, for
    /// comparison.
    pub(super) fn fetch_from(&self) -> Option<i64> {
        self.next.map(|next| if self.mark.is_some() { next - 1 } else { next })
    }

    /// The offset after the last message that was handed on.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    /// Looks at a message; after [`Step::Take`] it counts as handed on.
    pub(super) fn look(&mut self, offset: i64, mark: impl FnOnce() -> Mark) -> Step {
        let from = match self.next {
            None => offset,
            Some(next) => {
                let expected_mark = self.mark.take();
                if offset < next {
                    // Kafka goes back by itself only where the partition ends before the position.
                    let is_known = offset == next - 1 && expected_mark.is_some_and(|expected| mark() == expected);
                    return if is_known { Step::Skip } else { Step::MadeAnew };
                }
                next
            }
        };
        self.next = Some(offset + 1);
        Step::Take { from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mark = Mark { time_ms: 1, checksum: 1 };
    const B: Mark = Mark { time_ms: 2, checksum: 1 };

    #[test]
    fn messages_follow_each_other_from_wherever_the_first_is() {
        let mut progress = Progress::default();
        assert_eq!((progress.fetch_from(), progress.next()), (None, None));
        assert_eq!(progress.look(70, || A), Step::Take { from: 70 });
        assert_eq!(progress.look(71, || A), Step::Take { from: 71 });
        assert_eq!(progress.next(), Some(72));
    }

    #[test]
    fn a_gap_belongs_to_the_message_after_it() {
        let mut progress = Progress::resume(10, None);
        assert_eq!(progress.look(13, || A), Step::Take { from: 10 });
        assert_eq!(progress.look(14, || A), Step::Take { from: 14 });
    }

    #[test]
    fn a_partition_that_begins_again_is_another_one() {
        let mut progress = Progress::resume(10, None);
        assert_eq!(progress.look(9, || A), Step::MadeAnew);
        let mut progress = Progress::default();
        assert_eq!(progress.look(10, || A), Step::Take { from: 10 });
        assert_eq!(progress.look(0, || A), Step::MadeAnew);
    }

    #[test]
    fn the_message_before_the_position_is_compared() {
        let same = || Progress::resume(10, Some(A));
        assert_eq!(same().fetch_from(), Some(9));
        let mut progress = same();
        assert_eq!(progress.look(9, || A), Step::Skip);
        assert_eq!(progress.look(10, || B), Step::Take { from: 10 });
        assert_eq!(same().look(9, || B), Step::MadeAnew);
        // The topic is shorter than it was: Kafka went back to the beginning.
        assert_eq!(same().look(0, || B), Step::MadeAnew);
        // The message is gone, by retention or because it was a marker: nothing to compare.
        assert_eq!(same().look(12, || B), Step::Take { from: 10 });
    }

    #[test]
    fn only_the_first_message_is_compared() {
        let mut progress = Progress::resume(10, Some(A));
        assert_eq!(progress.look(10, || B), Step::Take { from: 10 });
        assert_eq!(progress.look(11, || B), Step::Take { from: 11 });
    }

    #[test]
    fn a_position_at_the_beginning_has_nothing_before_it() {
        assert_eq!(Progress::resume(0, Some(A)).fetch_from(), Some(0));
    }

    #[test]
    fn marks_tell_messages_apart() {
        assert_eq!(Mark::of(1, b"a"), Mark::of(1, b"a"));
        assert_ne!(Mark::of(1, b"a"), Mark::of(1, b"b"));
        assert_ne!(Mark::of(1, b"a"), Mark::of(2, b"a"));
        assert_ne!(Mark::of(1, b"").checksum, Mark::of(1, b"\0").checksum);
    }
}
