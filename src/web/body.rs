//! Reads request bodies: within the limits of size and time, taking memory from the budget before it is used.

mod error;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

pub use error::BodyError;

use super::inflate::{Encoding, Inflater, Step};
use super::limits::BodyLimits;
use crate::ingest::{MemoryBudget, MemoryPermit};

/// What a refused sender may still send before its connection is cut, so that it gets to read the answer.
const DISCARD_BYTES_MAX: usize = 20 << 20;
/// The same in time.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);
/// What an inflated body grows by at most in one step.
const STEP_BYTES_MAX: usize = 8 << 20;
/// A body that says it is larger leaves the reserve of the memory budget to others.
const SMALL_BYTES_MAX: usize = 128 << 10;
/// A body that holds no more memory than this may come as slowly as its deadline allows.
const SLOW_BYTES_MAX: usize = 4 << 10;
/// How often a body that holds more is looked at while others wait for memory.
const PACE_INTERVAL: Duration = Duration::from_secs(1);
/// The part of what it holds that it must have brought since the last look.
const PACE_SHARE: usize = 4;
/// No more than this is asked of a body, however much it holds.
const PACE_BYTES_MAX: usize = 16 << 10;
/// The least room of a first step.
const STEP_BYTES_MIN: usize = 512;
/// The least room for a body that comes in pieces.
const PIECES_BYTES_MIN: usize = 8 << 10;

/// A body, and the memory it takes.
#[derive(Debug)]
pub struct ReceivedBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Their memory.
    pub permit: MemoryPermit,
}

/// Reads and inflates bodies. Cheap to clone; clones share the bound on concurrent work.
#[derive(Clone, Debug)]
pub struct BodyReader {
    limits: BodyLimits,
    budget: MemoryBudget,
    work_slots: Arc<Semaphore>,
    refused: IntCounterVec,
}

impl BodyReader {
    /// A reader whose refusals are counted in `registry`. One for the process: its bounds are the process's.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(limits: BodyLimits, budget: MemoryBudget, registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = IntCounterVec::new(
            Opts::new("http_request_bodies_refused_total", "request bodies not taken"),
            &["reason"],
        )?;
        registry.register(Box::new(refused.clone()))?;
        for reason in BodyError::REASONS {
            refused.with_label_values(&[reason]);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots_wanted = if limits.work_max == 0 { cores } else { limits.work_max };
        // As many as have room to inflate to the limit at once, with the other half of the memory for all else.
        let slots_with_room = budget.bytes_max() / 2 / limits.inflated_bytes_max.max(1);
        let work_slots = Arc::new(Semaphore::new(slots_wanted.min(slots_with_room).max(1)));
        Ok(Self { limits, budget, work_slots, refused })
    }

    /// The bytes of a body as they are on the wire.
    ///
    /// After a refusal the sender is given some time to finish, because many read no answer before.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<ReceivedBody, BodyError> {
        if body.size_hint().lower() > self.limits.wire_bytes_max as u64 {
            let waits_for_us = headers.contains_key(EXPECT);
            if !waits_for_us {
                discard(&mut body).await;
            }
            return self.refuse(BodyError::TooLarge);
        }
        let read = tokio::time::timeout(self.limits.timeout, self.read_pieces(&mut body));
        match read.await.unwrap_or(Err(BodyError::Timeout)) {
            Ok(received) => Ok(received),
            Err(error) => {
                if matches!(error, BodyError::TooLarge | BodyError::NoMemory) {
                    discard(&mut body).await;
                }
                self.refuse(error)
            }
        }
    }

    async fn read_pieces(&self, body: &mut Body) -> Result<ReceivedBody, BodyError> {
        let length_said = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let Some(first) = next_piece(body).await? else {
            return Ok(ReceivedBody { bytes: Bytes::new(), permit: self.budget.empty_permit() });
        };
        if first.len() > self.limits.wire_bytes_max {
            return Err(BodyError::TooLarge);
        }
        let mut permit = self.budget.empty_permit();
        if length_said.is_some_and(|length| length > SMALL_BYTES_MAX) {
            permit.leave_reserve_alone();
        }
        permit.grow(first.len(), self.limits.memory_wait).await?;
        let mut pace = Pace::new();
        // Most bodies come in one piece, which is not copied.
        let Some(mut piece) = self.next_piece_in_time(body, &permit, &mut pace).await? else {
            return Ok(ReceivedBody { bytes: first, permit });
        };
        let mut bytes = Vec::new();
        self.make_room(&mut bytes, &mut permit, first.len() + piece.len(), length_said).await?;
        bytes.extend_from_slice(&first);
        drop(first);
        loop {
            let length = bytes.len() + piece.len();
            if length > self.limits.wire_bytes_max {
                return Err(BodyError::TooLarge);
            }
            if length > bytes.capacity() {
                self.make_room(&mut bytes, &mut permit, length, length_said).await?;
                // The wait for memory was ours, not the sender's.
                pace = Pace::new();
            }
            bytes.extend_from_slice(&piece);
            match self.next_piece_in_time(body, &permit, &mut pace).await? {
                Some(next) => piece = next,
                None => return Ok(ReceivedBody { bytes: bytes.into(), permit }),
            }
        }
    }

    /// The next piece, unless the body holds much memory, others wait for it, and too little comes.
    async fn next_piece_in_time(
        &self,
        body: &mut Body,
        permit: &MemoryPermit,
        pace: &mut Pace,
    ) -> Result<Option<Bytes>, BodyError> {
        if permit.bytes() <= SLOW_BYTES_MAX {
            return next_piece(body).await;
        }
        loop {
            let arrived = match tokio::time::timeout_at(pace.next_check, next_piece(body)).await {
                Ok(Ok(Some(piece))) => Some(piece),
                Ok(end) => return end,
                Err(_) => None,
            };
            pace.bytes += arrived.as_ref().map_or(0, Bytes::len);
            if Instant::now() >= pace.next_check {
                let is_slow = pace.bytes < (permit.bytes() / PACE_SHARE).min(PACE_BYTES_MAX);
                *pace = Pace::new();
                if is_slow && self.budget.is_short() {
                    return Err(BodyError::TooSlow);
                }
            }
            if arrived.is_some() {
                return Ok(arrived);
            }
        }
    }

    /// Makes `bytes` hold `length` bytes and some more. Memory follows what arrived, not what was promised: a sender that
    /// says 10 MiB and sends nothing takes nothing from the others.
    async fn make_room(
        &self,
        bytes: &mut Vec<u8>,
        permit: &mut MemoryPermit,
        length: usize,
        length_said: Option<usize>,
    ) -> Result<(), BodyError> {
        let most = length_said.unwrap_or(self.limits.wire_bytes_max);
        let capacity = bytes.capacity().saturating_mul(2).max(PIECES_BYTES_MIN).min(most).max(length);
        let more = capacity.saturating_sub(permit.bytes());
        permit.grow(more, self.limits.memory_wait).await?;
        bytes.reserve_exact(capacity - bytes.len());
        Ok(())
    }

    /// Takes off the encodings of the request, the last one first.
    ///
    /// # Errors
    /// [`BodyError`]. Of encodings that zipkin ignores, a body that is not packed at all is taken as it is.
    pub async fn inflate(&self, headers: &HeaderMap, received: ReceivedBody) -> Result<ReceivedBody, BodyError> {
        let was_empty = received.bytes.is_empty();
        let inflated = self.inflate_even_to_nothing(headers, received).await?;
        match Encoding::of(headers).first() {
            // As zipkin: a list of spans has at least two bytes.
            Some(encoding) if inflated.bytes.is_empty() && !was_empty => self.refuse(BodyError::Malformed(*encoding)),
            _ => Ok(inflated),
        }
    }

    /// The same for formats in which nothing at all is a message: protobuf without any field.
    ///
    /// # Errors
    /// As [`BodyReader::inflate`].
    pub async fn inflate_even_to_nothing(
        &self,
        headers: &HeaderMap,
        received: ReceivedBody,
    ) -> Result<ReceivedBody, BodyError> {
        let encodings = Encoding::of(headers);
        if encodings.is_empty() || received.bytes.is_empty() {
            return Ok(received);
        }
        if encodings.len() > self.limits.encodings_max {
            return self.refuse(BodyError::TooManyEncodings);
        }
        let mut received = received;
        let mut bytes_left = self.limits.inflated_bytes_max;
        for encoding in encodings.into_iter().rev() {
            received = match self.inflate_one(encoding, received, bytes_left).await {
                Ok(inflated) => inflated,
                Err(error) => return self.refuse(error),
            };
            bytes_left = bytes_left.saturating_sub(received.bytes.len());
        }
        Ok(received)
    }

    async fn inflate_one(
        &self,
        encoding: Encoding,
        packed: ReceivedBody,
        bytes_max: usize,
    ) -> Result<ReceivedBody, BodyError> {
        let mut permit = self.budget.empty_permit();
        let window_log_max = self.limits.zstd_window_log_max;
        let new_inflater = || {
            Inflater::new(encoding, packed.bytes.clone(), window_log_max).map_err(|_| BodyError::Malformed(encoding))
        };
        let mut inflater = new_inflater()?;
        let mut slot = None;
        let mut target =
            (packed.bytes.len() * 4).clamp(STEP_BYTES_MIN, self.limits.inline_bytes_max.max(STEP_BYTES_MIN));
        loop {
            // One byte beyond the limit tells a body that fits exactly from one that does not.
            let room = target.min(bytes_max + 1);
            let is_heavy = room.max(packed.bytes.len()) > self.limits.inline_bytes_max;
            if is_heavy && slot.is_none() {
                // Who waits for a turn holds nothing but its body, or the waiting ones would starve the working ones. What came
                // out so far is cheap to make again.
                inflater = new_inflater()?;
                permit.shrink_to(0);
                slot = Some(self.heavy_slot(encoding).await?);
            }
            permit.grow(room - permit.bytes().min(room), self.limits.memory_wait).await?;
            let step = if is_heavy {
                let (back, step) = on_work_thread(move || {
                    let step = inflater.fill_to(room);
                    (inflater, step)
                })
                .await?;
                inflater = back;
                step
            } else {
                inflater.fill_to(room)
            };
            match step {
                Err(_) if encoding != Encoding::Gzip && begins_as_text(&packed.bytes) => return Ok(packed),
                Err(_) => return Err(BodyError::Malformed(encoding)),
                Ok(_) if inflater.len() > bytes_max => return Err(BodyError::InflatedTooLarge),
                Ok(Step::Full) => target = inflater.len() + inflater.len().min(STEP_BYTES_MAX),
                Ok(Step::Finished) => break,
            }
        }
        drop(packed);
        Ok(ReceivedBody { bytes: inflater.into_output().into(), permit })
    }

    /// A place among the bodies that are worked on at once, with the memory of a decoder's window.
    async fn heavy_slot(&self, encoding: Encoding) -> Result<(OwnedSemaphorePermit, MemoryPermit), BodyError> {
        let slot = self.work_slot().await?;
        // A small budget must not forbid an encoding altogether.
        let window = encoding.window_bytes_max(self.limits.zstd_window_log_max).min(self.budget.bytes_max() / 8);
        Ok((slot, self.budget.acquire(window, self.limits.memory_wait).await?))
    }

    async fn work_slot(&self) -> Result<OwnedSemaphorePermit, BodyError> {
        let slot = tokio::time::timeout(self.limits.work_wait, Arc::clone(&self.work_slots).acquire_owned()).await;
        slot.ok().and_then(Result::ok).ok_or(BodyError::Busy)
    }

    /// Runs work on a body of `bytes` bytes: at once when it is small, else on a thread for work, where it takes its turn.
    ///
    /// # Errors
    /// [`BodyError::Busy`] when its turn did not come in time.
    pub async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BodyError> {
        if bytes <= self.limits.inline_bytes_max {
            return Ok(work());
        }
        let turn = async {
            let _slot = self.work_slot().await?;
            on_work_thread(work).await
        };
        match turn.await {
            Ok(done) => Ok(done),
            Err(error) => self.refuse(error),
        }
    }

    /// The time a body waits for memory, for callers that take more of it for what they make of a body.
    #[must_use]
    pub fn memory_wait(&self) -> Duration {
        self.limits.memory_wait
    }

    /// Counts a body that another layer refused.
    pub fn count_refusal(&self, error: BodyError) {
        self.refused.with_label_values(&[error.reason()]).inc();
    }

    fn refuse<T>(&self, error: BodyError) -> Result<T, BodyError> {
        self.count_refusal(error);
        Err(error)
    }
}

/// How much came since the last check.
struct Pace {
    next_check: Instant,
    bytes: usize,
}

impl Pace {
    fn new() -> Self {
        Self { next_check: Instant::now() + PACE_INTERVAL, bytes: 0 }
    }
}

/// A panic of the work goes on in the caller.
async fn on_work_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BodyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(BodyError::Busy),
        },
    }
}

/// The next piece with bytes in it.
async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                _ => {}
            },
        }
    }
}

async fn discard(body: &mut Body) {
    let mut bytes_left = DISCARD_BYTES_MAX;
    let rest = async {
        while let Ok(Some(piece)) = next_piece(body).await {
            bytes_left = bytes_left.saturating_sub(piece.len());
            if bytes_left == 0 {
                return;
            }
        }
    };
    // Whatever ends it, the answer follows.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, rest).await;
}

/// The first byte of a list of spans in JSON, which nobody packs by accident.
fn begins_as_text(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'[')
}

#[cfg(test)]
mod tests;
