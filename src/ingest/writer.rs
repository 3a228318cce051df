//! The writer stage: where the batches of all lanes meet again and go to the store.
//!
//! A store with one writer gets the ready batches of all lanes in one call; a store that takes several writes at once has
//! as many workers, each with one lane at a time. A lane never has two writes under way, so its order is the store's.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::counters::Counters;
use super::lane::{LaneQueue, ReadyLanes};
use super::parcel::{Receipt, SubmitError};
use super::part::Part;
use crate::storage::{Batch, ErrorKind, StorageBackend, StorageError, Stored};

/// One worker of the stage; clones share everything.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) storage: Arc<dyn StorageBackend>,
    pub(super) ready: Arc<ReadyLanes>,
    pub(super) counters: Arc<Counters>,
    /// Told after every turn, for who waits until nothing is left.
    pub(super) turn_over: Arc<Notify>,
    pub(super) lanes_per_turn: usize,
    pub(super) linger: Duration,
    pub(super) write_timeout: Duration,
    pub(super) retry_after: Duration,
}

/// What is left to write of one lane's batch. More than one part only after a refusal.
struct Turn {
    lane: Arc<LaneQueue>,
    parts: VecDeque<Part>,
}

impl Writer {
    /// Writes what the lanes have, until the task is dropped.
    pub(super) async fn run_forever(self) {
        let mut lanes = Vec::new();
        loop {
            self.ready.take(self.lanes_per_turn, &mut lanes).await;
            if !self.linger.is_zero() {
                tokio::time::sleep(self.linger).await;
            }
            let mut turns: Vec<Turn> =
                lanes.drain(..).map(|lane| Turn { parts: lane.cut().into_iter().collect(), lane }).collect();
            while self.write_first_parts(&mut turns).await {}
            for turn in turns {
                if turn.lane.finish_write() {
                    self.ready.push(turn.lane);
                }
            }
            self.turn_over.notify_waiters();
        }
    }

    /// Writes the first part of each turn in one call and settles it. False when there was nothing left.
    async fn write_first_parts(&self, turns: &mut [Turn]) -> bool {
        let mut batches = Vec::with_capacity(turns.len());
        let mut senders = Vec::with_capacity(turns.len());
        for turn in turns {
            let Some(part) = turn.parts.pop_front() else { continue };
            if let Some(oldest) = part.oldest {
                self.counters.queue_wait.observe(oldest.elapsed().as_secs_f64());
            }
            self.counters.batch_spans.observe(part.batch.spans.len() as f64);
            batches.push(part.batch);
            senders.push((turn, part.receipts));
        }
        if batches.is_empty() {
            return false;
        }
        let results = self.write(&batches).await;
        for (((turn, receipts), batch), result) in senders.into_iter().zip(batches).zip(results) {
            self.settle(turn, batch, receipts, result);
        }
        true
    }

    /// One result per batch, whatever the store does.
    async fn write(&self, batches: &[Batch]) -> Vec<Result<Stored, StorageError>> {
        let start = Instant::now();
        let write = AssertUnwindSafe(self.storage.write(batches)).catch_unwind();
        let answer = tokio::time::timeout(self.write_timeout, write).await;
        self.counters.write_seconds.observe(start.elapsed().as_secs_f64());
        let problem = match answer {
            Ok(Ok(results)) if results.len() == batches.len() => return results,
            Ok(Ok(_)) => "the number of results is not the number of batches",
            Ok(Err(_)) => "the write panicked",
            Err(_) => "no answer in time",
        };
        let backend = self.storage.name();
        tracing::error!(backend, batches = batches.len(), problem, "a write to the store went wrong");
        let failed = |_| Err(StorageError::new(ErrorKind::Unavailable, backend, "write", problem));
        batches.iter().map(failed).collect()
    }

    fn settle(&self, turn: &mut Turn, batch: Batch, receipts: Vec<Receipt>, result: Result<Stored, StorageError>) {
        let error = match result {
            Ok(_) => return Part::settle_stored(receipts, &self.counters),
            Err(error) => error,
        };
        match error.kind {
            // The store will never take this batch: halves of it are tried, until the message that offends is alone.
            ErrorKind::Rejected if receipts.len() > 1 => {
                self.counters.batches_divided.inc();
                let (left, right) = Part { batch, receipts, oldest: None }.divide();
                turn.parts.push_front(right);
                turn.parts.push_front(left);
            }
            ErrorKind::Rejected => self.refuse(turn, batch, receipts, &error),
            ErrorKind::StalePosition => {
                tracing::warn!(spans = batch.spans.len(), %error, "a position is not the stored one");
                Part::settle_dropped(receipts, &SubmitError::StalePosition);
            }
            _ => {
                tracing::warn!(spans = batch.spans.len(), messages = receipts.len(), %error, "spans are not stored");
                self.give_up(turn, batch, receipts, &error);
            }
        }
    }

    /// The store is not there: this part and the rest of the turn are not stored. Pieces of a divided batch are not
    /// tried one by one, each of them would wait for the store again.
    fn give_up(&self, turn: &mut Turn, batch: Batch, receipts: Vec<Receipt>, error: &StorageError) {
        let unavailable =
            SubmitError::Unavailable { retry_after: self.retry_after, reason: Arc::from(error.to_string()) };
        Part::settle_dropped(receipts, &unavailable);
        for part in turn.parts.drain(..) {
            Part::settle_dropped(part.receipts, &unavailable);
        }
        if batch.position.is_some() {
            // What waits behind a gap can only be refused; its source reads again from the stored position.
            turn.lane.fail_waiting(&unavailable);
        }
    }

    /// The message that offends was found.
    fn refuse(&self, turn: &mut Turn, batch: Batch, receipts: Vec<Receipt>, error: &StorageError) {
        tracing::warn!(spans = batch.spans.len(), %error, "the store refuses a message");
        if batch.spans.is_empty() {
            // A position alone was refused: nothing behind it can be stored either.
            return self.give_up(turn, batch, receipts, error);
        }
        Part::settle_dropped(receipts, &SubmitError::Rejected { reason: Arc::from(error.source.to_string()) });
        if batch.position.is_some() {
            // The position moves past a message that is refused, or its source would offer it for ever.
            let batch = Batch { position: batch.position, ..Batch::default() };
            turn.parts.push_front(Part { batch, receipts: Vec::new(), oldest: None });
        }
    }
}
