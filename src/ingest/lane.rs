//! A lane: a bounded queue of whole messages, one batch of it under way at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::counters::DropReason;
use super::parcel::{Parcel, SubmitError};
use super::part::Part;

/// How much a lane holds and a batch takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLimits {
    pub(super) messages_max: usize,
    pub(super) bytes_max: usize,
    pub(super) batch_spans_max: usize,
    pub(super) batch_bytes_max: usize,
}

/// The queue itself. Messages go in at [`LaneQueue::enter`] and out in batches at [`LaneQueue::cut`].
#[derive(Debug)]
pub(super) struct LaneQueue {
    pub(super) name: String,
    /// Messages leave unwritten when they waited too long.
    pub(super) expires: bool,
    limits: LaneLimits,
    /// Room for messages and for bytes; senders wait here, in the order they came.
    message_room: Semaphore,
    byte_room: Semaphore,
    state: Mutex<LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    queue: VecDeque<Parcel>,
    /// True from the first message until the writer found the queue empty: the lane stands in the list of ready lanes,
    /// or a batch of it is being written.
    busy: bool,
    closed: bool,
}

/// What a lane holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LaneDepth {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// Why a message did not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoEntry {
    Full,
    Closed,
}

impl LaneQueue {
    pub(super) fn new(name: String, limits: LaneLimits, expires: bool) -> Self {
        // A byte of room is one permit; an acquisition counts in u32.
        let bytes_max = limits.bytes_max.clamp(1, u32::MAX as usize);
        let limits = LaneLimits { messages_max: limits.messages_max.max(1), bytes_max, ..limits };
        Self {
            name,
            expires,
            limits,
            message_room: Semaphore::new(limits.messages_max),
            byte_room: Semaphore::new(bytes_max),
            state: Mutex::default(),
        }
    }

    /// Waits until the whole message has room, for at most `wait` (`None`: as long as it takes).
    pub(super) async fn reserve(&self, bytes: usize, wait: Option<Duration>) -> Result<(), NoEntry> {
        let bytes = self.charge(bytes);
        if self.try_reserve(bytes) {
            return Ok(());
        }
        let room = async {
            let message = self.message_room.acquire().await.map_err(|_| NoEntry::Closed)?;
            let bytes = self.byte_room.acquire_many(bytes).await.map_err(|_| NoEntry::Closed)?;
            message.forget();
            bytes.forget();
            Ok(())
        };
        match wait {
            None => room.await,
            Some(wait) => tokio::time::timeout(wait, room).await.unwrap_or(Err(NoEntry::Full)),
        }
    }

    fn try_reserve(&self, bytes: u32) -> bool {
        let Ok(message) = self.message_room.try_acquire() else { return false };
        let Ok(bytes) = self.byte_room.try_acquire_many(bytes) else { return false };
        message.forget();
        bytes.forget();
        true
    }

    /// A message larger than the lane is charged the whole lane, so it enters when the lane is empty.
    fn charge(&self, bytes: usize) -> u32 {
        bytes.min(self.limits.bytes_max) as u32
    }

    /// Appends a message that has its room. `Ok(true)`: the lane was idle, and the caller makes it known as ready.
    /// After [`LaneQueue::close`] the message is answered here.
    pub(super) fn push(&self, parcel: Parcel) -> Result<bool, SubmitError> {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            parcel.receipt.settle_dropped(SubmitError::ShuttingDown);
            return Err(SubmitError::ShuttingDown);
        }
        state.queue.push_back(parcel);
        Ok(!std::mem::replace(&mut state.busy, true))
    }

    /// Takes the next batch: whatever is there, up to the limits of a batch and at least one message.
    pub(super) fn cut(&self) -> Option<Part> {
        let mut parcels = Vec::new();
        let mut bytes_taken = 0;
        {
            let mut state = self.state.lock();
            let mut spans_taken = 0;
            while let Some(parcel) = state.queue.front() {
                let (spans, bytes) = (parcel.receipt.span_count, parcel.bytes());
                let fits = spans_taken + spans <= self.limits.batch_spans_max
                    && bytes_taken + bytes <= self.limits.batch_bytes_max;
                let follows = parcels.last().is_none_or(|previous| Part::follows(previous, parcel));
                let joins = fits && follows;
                if !parcels.is_empty() && !joins {
                    break;
                }
                spans_taken += spans;
                bytes_taken += bytes;
                parcels.extend(state.queue.pop_front());
            }
        }
        self.free(&parcels);
        Part::of(parcels)
    }

    /// Gives back the room of messages that left the queue.
    fn free(&self, parcels: &[Parcel]) {
        if !parcels.is_empty() {
            self.message_room.add_permits(parcels.len());
            self.byte_room.add_permits(parcels.iter().map(|parcel| self.charge(parcel.bytes()) as usize).sum());
        }
    }

    /// After a write: true when more came meanwhile, so that the lane is ready again; else it is idle.
    pub(super) fn finish_write(&self) -> bool {
        let mut state = self.state.lock();
        state.busy = !state.queue.is_empty();
        state.busy
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        !state.busy && state.queue.is_empty()
    }

    pub(super) fn depth(&self) -> LaneDepth {
        let state = self.state.lock();
        LaneDepth { messages: state.queue.len(), bytes: state.queue.iter().map(Parcel::bytes).sum() }
    }

    /// Takes out the messages that came before `limit` and answers them with `error`.
    pub(super) fn expire(&self, limit: Instant, error: &SubmitError) {
        let mut expired = Vec::new();
        {
            let mut state = self.state.lock();
            while state.queue.front().is_some_and(|parcel| parcel.queued_at < limit) {
                expired.extend(state.queue.pop_front());
            }
        }
        self.free(&expired);
        for parcel in expired {
            parcel.receipt.settle_dropped_as(DropReason::Expired, error.clone());
        }
    }

    /// Takes out everything that waits and answers it with `error`.
    pub(super) fn fail_waiting(&self, error: &SubmitError) {
        let waiting = Vec::from(std::mem::take(&mut self.state.lock().queue));
        self.free(&waiting);
        for parcel in waiting {
            parcel.receipt.settle_dropped(error.clone());
        }
    }

    /// Lets nobody in any more; those who wait for room hear it now. What is in the queue stays.
    pub(super) fn refuse_new(&self) {
        self.message_room.close();
        self.byte_room.close();
    }

    /// Throws away what is left, for good.
    pub(super) fn close(&self) {
        self.refuse_new();
        self.state.lock().closed = true;
        self.fail_waiting(&SubmitError::ShuttingDown);
    }
}

/// The list of lanes that have something to write. A lane stands in it at most once, so lanes bound its length.
#[derive(Debug, Default)]
pub(super) struct ReadyLanes {
    queue: Mutex<VecDeque<Arc<LaneQueue>>>,
    arrived: tokio::sync::Notify,
}

impl ReadyLanes {
    pub(super) fn push(&self, lane: Arc<LaneQueue>) {
        self.queue.lock().push_back(lane);
        self.arrived.notify_one();
    }

    /// Waits for ready lanes and moves up to `count_max` of them to `lanes`.
    pub(super) async fn take(&self, count_max: usize, lanes: &mut Vec<Arc<LaneQueue>>) {
        loop {
            {
                let mut queue = self.queue.lock();
                let count = queue.len().min(count_max);
                lanes.extend(queue.drain(..count));
                if !queue.is_empty() {
                    // Others may sleep: one wake-up can stand for several lanes.
                    self.arrived.notify_one();
                }
            }
            if !lanes.is_empty() {
                return;
            }
            self.arrived.notified().await;
        }
    }
}
