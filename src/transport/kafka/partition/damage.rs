//! Record batches that cannot be read: their bytes were damaged at the broker, or were never what their header says.
//!
//! librdkafka tells the error and fetches the same batch for ever. Where the batch ends it does not tell, so that place is looked
//! for: reading fails from anywhere within the batch, and works behind it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::consumer::Events;
use super::super::message::Poison;
use super::super::metrics::Reposition;
use super::super::progress::Progress;
use super::{CALL_TIMEOUT, Ended, PAUSE, PartitionTask, Stop, TELLINGS_AFTER};

/// How long reading from one offset may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Steps of each length before they become one offset longer, and their greatest length. The first offsets are tried one by
/// one, so that nothing readable between two damaged batches is missed where batches have the usual size. Behind
/// [`STEPS_OF_A_LENGTH`] messages that cannot be read, fewer than [`STEP_MAX`] readable ones in a row can be missed.
const STEPS_OF_A_LENGTH: i64 = 64;
const STEP_MAX: i64 = 16;

/// What reading from an offset came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// A message, or the end of the partition.
    Readable,
    Damaged,
    /// Neither in time, or the task is to stop.
    Unknown,
}

/// How far the next step goes after so many.
fn step(steps: i64) -> i64 {
    (steps / STEPS_OF_A_LENGTH + 1).min(STEP_MAX)
}

/// True for errors that come again with every fetch of the same batch.
pub(super) fn is_damage(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{BadCompression, BadMessage};
    matches!(error, KafkaError::MessageConsumption(BadCompression | BadMessage))
}

impl PartitionTask {
    /// Passes what cannot be read, counts it, and goes on behind it. What is not found out now is tried at the next error.
    pub(super) async fn pass_damage(&mut self, queue: &PartitionQueue<Events>, arrived: &Notify) -> Option<Ended> {
        let Some(next) = self.place_of_damage() else {
            // Checksums are compared with every fetch, without a pause between two.
            tokio::time::sleep(PAUSE).await;
            return None;
        };
        self.origin.get_or_insert(next);
        let behind = self.end_of_damage(queue, arrived, next).await.unwrap_or(next);
        if *self.stop.borrow() != Stop::No {
            return Some(Ended::Stopped);
        }
        if behind > next {
            let messages = (behind - next).unsigned_abs();
            tracing::error!(
                topic = self.topic,
                partition = self.partition,
                from = next,
                to = behind,
                messages,
                "messages cannot be read, their bytes are damaged, and are passed"
            );
            self.shared.metrics.poisoned_many(Poison::Damaged, messages);
            self.end_seen = None;
            self.progress = Progress::resume(behind, None);
            if let Some(ended) = self.hand_on_nothing(next, behind).await {
                return Some(ended);
            }
        }
        // The search left the client at another place: without this seek, reading on would skip what was never looked at.
        let sought = self.seek(behind).await;
        sought.err().map(|error| {
            tracing::warn!(%error, topic = self.topic, partition = self.partition, offset = behind, "a seek failed");
            Ended::Again(Reposition::Damage)
        })
    }

    /// The first offset that cannot be read: the position, or, before the first message, where the client stands by its own
    /// word. That must have been told since the error: `None` as long as it was not, and the error comes again.
    pub(super) fn place_of_damage(&mut self) -> Option<i64> {
        if let Some(next) = self.progress.next() {
            return Some(next);
        }
        let told = self.end.tellings.load(Ordering::Acquire);
        let seen = *self.damage_seen.get_or_insert(told);
        if told < seen + TELLINGS_AFTER {
            return None;
        }
        self.damage_seen = None;
        let place = self.end.fetched_from.load(Ordering::Relaxed);
        (place >= 0).then_some(place)
    }

    /// The first offset from `damaged` on from which can be read.
    async fn end_of_damage(&mut self, queue: &PartitionQueue<Events>, arrived: &Notify, damaged: i64) -> Option<i64> {
        let watermarks = self.shared.prober.watermarks(&self.topic, self.partition, CALL_TIMEOUT).await;
        let (_, end) = watermarks.ok()?;
        // Once more: the error may have been told of a batch that was passed meanwhile.
        if self.probe(queue, arrived, damaged).await != Probe::Damaged {
            return None;
        }
        let (mut damaged, mut readable, mut steps) = (damaged, end, 0);
        while damaged + step(steps) < end {
            let place = damaged + step(steps);
            match self.probe(queue, arrived, place).await {
                Probe::Readable => {
                    readable = place;
                    break;
                }
                Probe::Damaged => (damaged, steps) = (place, steps + 1),
                Probe::Unknown => return None,
            }
        }
        // What the last step went over, one by one.
        while damaged + 1 < readable {
            match self.probe(queue, arrived, damaged + 1).await {
                Probe::Readable => readable = damaged + 1,
                Probe::Damaged => damaged += 1,
                Probe::Unknown => return None,
            }
        }
        Some(readable)
    }

    /// Reads from an offset, and takes nothing.
    async fn probe(&mut self, queue: &PartitionQueue<Events>, arrived: &Notify, offset: i64) -> Probe {
        if self.seek(offset).await.is_err() {
            return Probe::Unknown;
        }
        let end = Instant::now() + PROBE_TIMEOUT;
        loop {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) if message.offset() >= offset => return Probe::Readable,
                Some(Err(KafkaError::PartitionEOF(_))) => return Probe::Readable,
                Some(Err(error)) if is_damage(&error) => return Probe::Damaged,
                Some(_) => {}
                None => {
                    tokio::select! {
                        _ = self.stop.wait_for(|stop| *stop != Stop::No) => return Probe::Unknown,
                        woken = tokio::time::timeout_at(end, arrived.notified()) => {
                            if woken.is_err() {
                                return Probe::Unknown;
                            }
                        }
                    }
                }
            }
        }
    }
}
