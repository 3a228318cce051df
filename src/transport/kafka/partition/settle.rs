//! What became of messages, in their order; and where the store is when that is in doubt.

use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::super::message::Poison;
use super::super::metrics::Reposition;
use super::super::progress::Progress;
use super::{CALL_TIMEOUT, Ended, PAUSE, PartitionTask};
use crate::ingest::SubmitError;
use crate::storage::SourcePosition;

impl PartitionTask {
    /// Settles what is decided by now, and tells Kafka how far that is.
    pub(super) async fn settle_ready(&mut self) -> Option<Ended> {
        let mut ended = None;
        while let Some(first) = self.under_way.front_mut() {
            let result = match &mut first.ticket {
                None => Some(Ok(())),
                Some(ticket) => ticket.now_or_never(),
            };
            let Some(result) = result else { break };
            ended = self.settle_first(result).await;
            if ended.is_some() {
                break;
            }
        }
        self.save();
        ended
    }

    /// Settles the first message under way, whose ticket said `result`; it is under way no more.
    pub(super) async fn settle_first(&mut self, result: Result<(), SubmitError>) -> Option<Ended> {
        match result {
            Ok(()) => {
                self.pass_first(true);
                None
            }
            Err(SubmitError::Rejected { reason }) => {
                self.shared.metrics.poisoned(Poison::RefusedByStorage);
                let offset = self.under_way.front().map_or(0, |message| message.next - 1);
                let payload = self.under_way.front_mut().and_then(|message| message.payload.take());
                tracing::warn!(topic = self.topic, partition = self.partition, offset, %reason, "the store refuses a message");
                if let Some((payload, _memory)) = payload {
                    self.send_dead_letter(offset, &payload, Poison::RefusedByStorage, &reason).await;
                }
                self.pass_first(false);
                None
            }
            Err(error) => {
                self.under_way.pop_front();
                Some(match error {
                    SubmitError::ShuttingDown => Ended::Stopped,
                    SubmitError::StalePosition => Ended::Again(Reposition::StalePosition),
                    _ => Ended::Again(Reposition::StorageUnavailable),
                })
            }
        }
    }

    /// The first message under way is done with.
    fn pass_first(&mut self, stored: bool) {
        let Some(message) = self.under_way.pop_front() else { return };
        self.pause = PAUSE;
        self.know_stored(message.next, message.time_ms);
        if stored {
            self.metrics.spans.inc_by(message.spans);
        }
    }

    /// Everything before `next` is stored, also where only the store's position says so: Kafka is to hear it, though nothing
    /// may follow for long.
    pub(super) fn know_stored(&mut self, next: i64, time_ms: i64) {
        self.settled_next = Some(next);
        self.end.newest_stored_ms.store(time_ms, Ordering::Relaxed);
        self.metrics.consumed.set(next);
        self.unsaved = true;
    }

    /// Tells librdkafka the offset to commit, and the metrics how old the newest message is.
    pub(super) fn save(&mut self) {
        let Some(next) = self.settled_next.filter(|_| self.unsaved) else { return };
        self.unsaved = false;
        let mut list = TopicPartitionList::new();
        if list.add_partition_offset(&self.topic, self.partition, Offset::Offset(next)).is_ok() {
            // It fails for a partition that was taken away: the next member knows better.
            let _ = self.member.store_offsets(&list);
        }
        self.show_age();
    }

    /// Shows the age of the newest stored message while others wait behind it.
    pub(super) fn show_age(&self) {
        let lag = self.shared.metrics.lag(&self.topic, self.partition);
        let age_ms = self.end.age_ms(lag, self.shared.clock.now_ms());
        self.metrics.lag_seconds.set(age_ms as f64 / 1_000.0);
    }

    /// Waits for everything under way, whatever becomes of it.
    pub(super) async fn wait_for_all(&mut self) {
        while let Some(message) = self.under_way.pop_front() {
            if let Some(ticket) = message.ticket {
                let _ = ticket.await;
            }
        }
    }

    /// The store's word on this partition.
    pub(super) async fn stored_position(&self) -> Result<Option<SourcePosition>, String> {
        let group = &self.shared.config.group_id;
        let position = self.shared.storage.source_position(group, &self.topic, self.partition).await;
        position.map_err(|error| error.to_string())
    }

    /// The topic is another one than the position tells of: the position moves to the beginning of this one.
    pub(super) async fn begin_anew(&mut self) -> Result<Progress, String> {
        let watermarks = self.shared.prober.watermarks(&self.topic, self.partition, CALL_TIMEOUT).await;
        let (low, _) = watermarks.map_err(|error| error.to_string())?;
        let anew = Progress::resume(low, None);
        if !self.shared.keeps_positions {
            return Ok(anew);
        }
        let Some(stored) = self.stored_position().await? else { return Ok(anew) };
        if self.hand_on_nothing(stored.next, low).await.is_some() {
            return Err("the process ends".to_owned());
        }
        let moved = self.under_way.pop_front().and_then(|message| message.ticket);
        if let Some(ticket) = moved {
            ticket.await.map_err(|error| error.to_string())?;
        }
        self.origin = Some(low);
        self.settled_next = Some(low);
        Ok(anew)
    }
}
