//! From a message in the queue to one in the lane.

use std::sync::atomic::Ordering;
use std::task::Poll;

use futures_util::poll;
use rdkafka::message::{BorrowedMessage, Message};

use super::super::dead_letter::Source;
use super::super::message::{Poison, decode, memory_bytes};
use super::super::metrics::Reposition;
use super::super::progress::{Mark, Step};
use super::{CALL_TIMEOUT, Ended, MEMORY_WAIT, PartitionTask, Stop, UnderWay};
use crate::ingest::{MemoryPermit, SubmitError, Ticket};
use crate::model::SpanBatch;
use crate::storage::SourcePosition;

/// Longer messages are decoded on a thread for blocking work, so that others do not wait.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// A message with its place, for what is made of it.
struct Place {
    from: i64,
    offset: i64,
    time_ms: i64,
}

impl PartitionTask {
    /// Decodes a message and hands it to the lane; waits there for room.
    pub(super) async fn take(&mut self, message: &BorrowedMessage<'_>) -> Option<Ended> {
        let (offset, payload) = (message.offset(), message.payload().unwrap_or_default());
        let time_ms = message.timestamp().to_millis().unwrap_or_default();
        let before = self.progress.next();
        let from = match self.progress.look(offset, || Mark::of(time_ms, payload)) {
            Step::Skip => {
                self.know_stored(offset + 1, time_ms);
                return None;
            }
            Step::MadeAnew => {
                return Some(self.made_anew(before.unwrap_or_default(), offset));
            }
            Step::Take { from } => from,
        };
        if before.is_none() && self.damage_seen.take().is_some() {
            // The client passed it by itself, and does not tell how many messages it was.
            tracing::error!(
                topic = self.topic,
                partition = self.partition,
                to = offset,
                "damaged messages were passed"
            );
            self.shared.metrics.poisoned(Poison::Damaged);
        }
        self.origin.get_or_insert(from);
        if from < offset {
            self.look_into_gap(from, offset);
        }
        self.end_seen = None;
        self.count(payload.len());
        let place = Place { from, offset, time_ms };
        let mut permit = match self.memory_for(payload).await {
            Ok(Some(permit)) => permit,
            Ok(None) => {
                let detail = format!("{} bytes need more memory than there is", payload.len());
                return self.put_aside(&place, payload, Poison::TooLarge, &detail).await;
            }
            Err(stopped) => return Some(stopped),
        };
        match self.decode(payload).await {
            Err((poison, detail)) => self.put_aside(&place, payload, poison, &detail).await,
            Ok(spans) => {
                permit.shrink_to(spans.memory_bytes());
                let _ = permit.try_grow(spans.memory_bytes().saturating_sub(permit.bytes()));
                self.hand_on(&place, payload, spans, permit).await
            }
        }
    }

    /// The topic is another one than the position tells of, as `offset` shows: a message, or the end.
    pub(super) fn made_anew(&self, stored_offset: i64, offset: i64) -> Ended {
        tracing::warn!(
            topic = self.topic,
            partition = self.partition,
            stored_offset,
            offset,
            "the topic is not the one it was: it was deleted and made again, or lost its end; it is read from its beginning"
        );
        // Nothing of the new topic is stored; the count tells that from the old topic's end.
        self.metrics.consumed.set(0);
        self.shared.metrics.made_anew.inc();
        Ended::Again(Reposition::MadeAnew)
    }

    /// Zipkin's counters, and ours.
    fn count(&self, bytes: usize) {
        let transport = &self.shared.metrics.transport;
        transport.messages.inc();
        transport.bytes.inc_by(bytes as u64);
        transport.message_bytes.set(bytes as f64);
        self.metrics.messages.inc();
    }

    /// Memory for the spans of a message; `Ok(None)` when there will never be enough.
    async fn memory_for(&mut self, payload: &[u8]) -> Result<Option<MemoryPermit>, Ended> {
        let bytes = memory_bytes(self.content, payload);
        let mut permit = self.shared.budget.empty_permit();
        if permit.try_grow(bytes) {
            return Ok(Some(permit));
        }
        self.metrics.pauses.inc();
        self.metrics.paused.set(1);
        let granted = loop {
            tokio::select! {
                _ = self.stop.changed() => break Err(Ended::Stopped),
                grown = permit.grow(bytes, MEMORY_WAIT) => match grown {
                    Ok(()) => break Ok(true),
                    Err(refused) if !refused.can_ever => break Ok(false),
                    Err(_) => {}
                },
            }
        };
        self.metrics.paused.set(0);
        granted.map(|granted| granted.then_some(permit))
    }

    async fn decode(&self, payload: &[u8]) -> Result<SpanBatch, (Poison, String)> {
        let (content, limits) = (self.content, self.shared.config.decode);
        if payload.len() <= INLINE_BYTES_MAX {
            return decode(content, payload, &limits);
        }
        let payload = payload.to_vec();
        let decoded = tokio::task::spawn_blocking(move || decode(content, &payload, &limits)).await;
        decoded.unwrap_or_else(|error| Err((Poison::Malformed, error.to_string())))
    }

    /// A message that cannot be kept: counted, sent to its topic if there is one, and passed.
    async fn put_aside(&mut self, place: &Place, payload: &[u8], poison: Poison, detail: &str) -> Option<Ended> {
        self.shared.metrics.poisoned(poison);
        tracing::debug!(
            topic = self.topic,
            partition = self.partition,
            offset = place.offset,
            poison = poison.as_str(),
            detail,
            "a message cannot be kept"
        );
        self.send_dead_letter(place.offset, payload, poison, detail).await;
        self.hand_on(place, payload, SpanBatch::new(), self.shared.budget.empty_permit()).await
    }

    pub(super) async fn send_dead_letter(&self, offset: i64, payload: &[u8], poison: Poison, detail: &str) {
        let Some(dead_letters) = &self.shared.dead_letters else { return };
        let source = Source { topic: &self.topic, partition: self.partition, offset };
        let sent = dead_letters.send(source, poison, detail, payload).await;
        self.shared.metrics.dead_letter(sent.is_ok());
        if let Err(error) = sent {
            tracing::error!(
                %error, topic = self.topic, partition = self.partition, offset, poison = poison.as_str(),
                "a message that cannot be kept did not reach the dead-letter topic either and is lost"
            );
        }
    }

    /// Puts spans into the lane, or only their position where the store keeps it.
    async fn hand_on(
        &mut self,
        place: &Place,
        payload: &[u8],
        spans: SpanBatch,
        permit: MemoryPermit,
    ) -> Option<Ended> {
        let count = spans.len() as u64;
        let next = place.offset + 1;
        let kept = (count > 0).then(|| self.kept_payload(payload)).flatten();
        let ticket = if spans.is_empty() && !self.shared.keeps_positions {
            None
        } else {
            // Checksums cost: only where they are kept.
            let mark = self.shared.keeps_positions.then(|| Mark::of(place.time_ms, payload));
            match self.submit(spans, self.position(place.from, next, mark), permit).await {
                Ok(ticket) => Some(ticket),
                Err(ended) => return Some(ended),
            }
        };
        let message = UnderWay { next, time_ms: place.time_ms, spans: count, ticket, payload: kept };
        self.under_way.push_back(message);
        None
    }

    /// Moves the position without a message.
    pub(super) async fn hand_on_nothing(&mut self, from: i64, next: i64) -> Option<Ended> {
        let ticket = match self.position(from, next, None) {
            None => None,
            position => match self.submit(SpanBatch::new(), position, self.shared.budget.empty_permit()).await {
                Ok(ticket) => Some(ticket),
                Err(ended) => return Some(ended),
            },
        };
        let time_ms = self.end.newest_stored_ms.load(Ordering::Relaxed);
        self.under_way.push_back(UnderWay { next, time_ms, spans: 0, ticket, payload: None });
        None
    }

    /// Bytes of a message that the store might refuse, where there is a topic for it and memory.
    fn kept_payload(&self, payload: &[u8]) -> Option<(Vec<u8>, MemoryPermit)> {
        self.shared.dead_letters.as_ref()?;
        let permit = self.shared.budget.try_acquire(payload.len())?;
        Some((payload.to_vec(), permit))
    }

    pub(super) fn position(&self, from: i64, next: i64, mark: Option<Mark>) -> Option<SourcePosition> {
        self.shared.keeps_positions.then(|| SourcePosition {
            group: self.shared.config.group_id.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            from,
            next,
            last_message_ms: mark.map_or(0, |mark| mark.time_ms),
            last_message_checksum: mark.map_or(0, |mark| mark.checksum),
        })
    }

    /// Waits for room in the lane; that the queue is not read meanwhile is what holds Kafka back.
    async fn submit(
        &mut self,
        spans: SpanBatch,
        position: Option<SourcePosition>,
        permit: MemoryPermit,
    ) -> Result<Ticket, Ended> {
        let submit = self.lane.submit(&self.shared.metrics.transport, spans, position, permit);
        tokio::pin!(submit);
        let submitted = match poll!(&mut submit) {
            Poll::Ready(submitted) => submitted,
            Poll::Pending => {
                self.metrics.pauses.inc();
                self.metrics.paused.set(1);
                let submitted = tokio::select! {
                    _ = self.stop.wait_for(|stop| *stop != Stop::No) => return Err(Ended::Stopped),
                    submitted = &mut submit => submitted,
                };
                self.metrics.paused.set(0);
                submitted
            }
        };
        submitted.map_err(|error| {
            debug_assert_eq!(error, SubmitError::ShuttingDown);
            Ended::Stopped
        })
    }

    /// Offsets that hold no message: markers and compaction are no loss, messages deleted before they were read are. Asked
    /// beside the reading, and told.
    fn look_into_gap(&self, from: i64, offset: i64) {
        let (prober, topic, partition) = (self.shared.prober.clone(), self.topic.clone(), self.partition);
        let missing = self.metrics.missing.clone();
        tokio::spawn(async move {
            match prober.watermarks(&topic, partition, CALL_TIMEOUT).await {
                Ok((low, _)) if low > from => {
                    let lost = low.min(offset) - from;
                    missing.inc_by(lost.unsigned_abs());
                    tracing::error!(
                        topic,
                        partition,
                        from,
                        to = low.min(offset),
                        messages = lost,
                        "Kafka deleted messages before they were read: its retention is shorter than the lag was"
                    );
                }
                Ok(_) => tracing::debug!(topic, partition, from, to = offset, "offsets without messages"),
                Err(error) => tracing::warn!(
                    %error, topic, partition, from, to = offset,
                    "offsets are missing, and the brokers do not say whether messages were deleted"
                ),
            }
        });
    }
}
