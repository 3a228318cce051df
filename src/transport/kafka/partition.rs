//! One partition: reads its queue, hands messages to its lane in order, and follows what becomes of them.

mod damage;
mod settle;
mod stall;
mod take;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::stall::Idle;
use super::Shared;
use super::consumer::{Events, Member};
use super::message::Content;
use super::metrics::{PartitionMetrics, Reposition};
use super::progress::Progress;
use crate::ingest::{Lane, MemoryPermit, Ticket};

/// Messages of a partition that are under way at most; lanes bound their bytes.
const UNDER_WAY_MAX: usize = 20_000;
/// Messages after which a task lets others run.
const MESSAGES_PER_TURN: u32 = 32;
/// How often an idle partition looks round.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// A fetch may bring this much beyond what the queue's limit says (`max.partition.fetch.bytes`).
const FETCH_OVERSHOOT_BYTES: usize = 1 << 20;
/// How long one wait for memory lasts before it is asked for again.
const MEMORY_WAIT: Duration = Duration::from_secs(1);
/// Pauses before a partition is read again after a failure: the first, and the most.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a seek, or a question to the brokers, may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// After the drain timeout, how long until a task that does not end is cut off.
const END_GRACE: Duration = Duration::from_secs(2);

/// What the statistics tell is sure to be newer than something in the queue after so many tellings: the first may have been
/// put together before.
const TELLINGS_AFTER: u64 = 2;

/// What a task is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Go on.
    No,
    /// Read no more, finish what is under way.
    Drain,
    /// Somebody else has the partition already.
    Discard,
}

/// What a task begins with.
pub(super) struct Begin {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) progress: Progress,
    /// The offset up to which everything is done, as far as that is known.
    pub(super) done: Option<i64>,
    pub(super) queue: PartitionQueue<Events>,
    pub(super) member: Arc<Member>,
}

/// The end of a partition as librdkafka's statistics tell it, and how far behind it the store is.
#[derive(Debug, Default)]
struct End {
    offset: AtomicI64,
    /// The offset that the client asks for next; below 0 until it knows.
    fetched_from: AtomicI64,
    /// Counts what was told, so that old news are known as such.
    tellings: AtomicU64,
    /// The offset after the last message and one more, by the last fetch.
    high_told: AtomicI64,
    /// Time of the newest stored message, epoch milliseconds; 0 without any.
    newest_stored_ms: AtomicI64,
}

/// A task that runs.
pub(super) struct Running {
    stop: watch::Sender<Stop>,
    task: JoinHandle<()>,
    end: Arc<End>,
    drain_timeout: Duration,
}

impl Running {
    /// Starts the task on the current runtime.
    pub(super) fn start(shared: Arc<Shared>, begin: Begin) -> Self {
        let (stop, stopped) = watch::channel(Stop::No);
        let end = Arc::new(End::default());
        let drain_timeout = shared.config.drain_timeout;
        let (queue, task) = PartitionTask::new(shared, begin, stopped, Arc::clone(&end));
        Self { stop, task: tokio::spawn(task.run(queue)), end, drain_timeout }
    }

    pub(super) fn tell(&self, stop: Stop) {
        let _ = self.stop.send(stop);
    }

    /// Waits for the end of a task that was told to stop.
    pub(super) async fn ended(mut self) {
        if tokio::time::timeout(self.drain_timeout + END_GRACE, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
    }

    /// Notes the offset after the last message, as the last fetch told it; true when that is news.
    pub(super) fn note_high(&self, offset: i64) -> bool {
        // One more, for 0 stands for nothing.
        self.end.high_told.swap(offset + 1, Ordering::Relaxed) != offset + 1
    }

    /// Notes the offset up to which everything was in the queue, and the one that is asked for next.
    pub(super) fn note_end(&self, offset: i64, fetched_from: i64) {
        self.end.offset.store(offset, Ordering::Relaxed);
        self.end.fetched_from.store(fetched_from, Ordering::Relaxed);
        self.end.tellings.fetch_add(1, Ordering::Release);
    }

    /// Age of the newest stored message while `lag` others wait behind it.
    pub(super) fn age_ms(&self, lag: i64, now_ms: i64) -> i64 {
        self.end.age_ms(lag, now_ms)
    }
}

impl End {
    fn age_ms(&self, lag: i64, now_ms: i64) -> i64 {
        let newest_ms = self.newest_stored_ms.load(Ordering::Relaxed);
        if lag > 0 && newest_ms > 0 { (now_ms - newest_ms).max(0) } else { 0 }
    }
}

/// A message that is under way to the store.
struct UnderWay {
    next: i64,
    time_ms: i64,
    spans: u64,
    /// `None` when there was nothing to store.
    ticket: Option<Ticket>,
    /// Its bytes, where there is a topic for what the store refuses.
    payload: Option<(Vec<u8>, MemoryPermit)>,
}

/// Why reading ended.
enum Ended {
    Stopped,
    /// Read again from the stored position.
    Again(Reposition),
}

struct PartitionTask {
    shared: Arc<Shared>,
    member: Arc<Member>,
    topic: String,
    partition: i32,
    content: Content,
    lane: Lane,
    metrics: PartitionMetrics,
    /// Memory of what is fetched ahead.
    prefetch: MemoryPermit,
    progress: Progress,
    /// The first offset this task took.
    origin: Option<i64>,
    under_way: VecDeque<UnderWay>,
    /// The offset after the last message that is stored.
    settled_next: Option<i64>,
    /// Kafka was not told of it yet.
    unsaved: bool,
    pause: Duration,
    stop: watch::Receiver<Stop>,
    end: Arc<End>,
    /// How often the end had been told when the queue said that it was reached.
    end_seen: Option<u64>,
    /// The same when damage was met before the first message.
    damage_seen: Option<u64>,
    idle: Idle,
}

impl PartitionTask {
    fn new(
        shared: Arc<Shared>,
        begin: Begin,
        stop: watch::Receiver<Stop>,
        end: Arc<End>,
    ) -> (PartitionQueue<Events>, Self) {
        let Begin { topic, partition, progress, done, queue, member } = begin;
        let content = if shared.config.otlp_topics.contains(&topic) { Content::Otlp } else { Content::Zipkin };
        let metrics = shared.metrics.partition(&topic, partition);
        if let Some(done) = done {
            metrics.consumed.set(done);
        }
        let task = Self {
            lane: shared.collector.open_lane(&format!("{topic}/{partition}")),
            metrics,
            prefetch: shared.budget.empty_permit(),
            shared,
            member,
            topic,
            partition,
            content,
            progress,
            origin: None,
            under_way: VecDeque::new(),
            settled_next: None,
            unsaved: false,
            pause: PAUSE,
            stop,
            end,
            end_seen: None,
            damage_seen: None,
            idle: Idle::default(),
        };
        (queue, task)
    }

    async fn run(mut self, mut queue: PartitionQueue<Events>) {
        let arrived = Arc::new(Notify::new());
        let notify = Arc::clone(&arrived);
        queue.set_nonempty_callback(move || notify.notify_one());
        if self.take_prefetch_memory().await {
            while let Ended::Again(reason) = self.read(&queue, &arrived).await {
                self.shared.metrics.repositioned(reason);
                if !self.go_back(reason).await {
                    break;
                }
            }
        }
        self.metrics.paused.set(0);
        self.finish().await;
    }

    /// Memory for what is fetched ahead; until there is some, nothing is fetched. False when the task is to stop.
    async fn take_prefetch_memory(&mut self) -> bool {
        let bytes = self.shared.prefetch_bytes.load(Ordering::Relaxed) + FETCH_OVERSHOOT_BYTES;
        self.prefetch.leave_reserve_alone();
        if self.prefetch.try_grow(bytes) {
            return true;
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, self.partition);
        let paused = self.member.pause(&list).is_ok();
        self.metrics.pauses.inc();
        self.metrics.paused.set(1);
        let granted = loop {
            tokio::select! {
                _ = self.stop.changed() => break false,
                grown = self.prefetch.grow(bytes, MEMORY_WAIT) => match grown {
                    Ok(()) => break true,
                    // Not even alone: the least is what one partition needs to get on at all.
                    Err(refused) if !refused.can_ever => break true,
                    Err(_) => {}
                },
            }
        };
        self.metrics.paused.set(0);
        if paused && let Err(error) = self.member.resume(&list) {
            tracing::error!(%error, topic = self.topic, partition = self.partition, "a paused partition does not resume");
        }
        granted
    }

    /// Takes messages and follows those under way, until something ends it.
    async fn read(&mut self, queue: &PartitionQueue<Events>, arrived: &Notify) -> Ended {
        let mut taken: u32 = 0;
        loop {
            if *self.stop.borrow() != Stop::No {
                return Ended::Stopped;
            }
            if let Some(ended) = self.settle_ready().await {
                return ended;
            }
            let message = if self.under_way.len() < UNDER_WAY_MAX { queue.poll(Duration::ZERO) } else { None };
            match message {
                Some(Ok(message)) => {
                    self.idle.end();
                    if let Some(ended) = self.take(&message).await {
                        return ended;
                    }
                    taken = taken.wrapping_add(1);
                    if taken.is_multiple_of(MESSAGES_PER_TURN) {
                        tokio::task::yield_now().await;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.end_seen = Some(self.end.tellings.load(Ordering::Acquire));
                }
                Some(Err(error)) => {
                    self.shared.metrics.client_errors.inc();
                    tracing::warn!(%error, topic = self.topic, partition = self.partition, "a partition reports an error");
                    if damage::is_damage(&error)
                        && let Some(ended) = self.pass_damage(queue, arrived).await
                    {
                        return ended;
                    }
                }
                None => {
                    if let Some(ended) = self.wait(arrived).await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Waits until something happens: a message came, one under way is settled, the task is to stop.
    async fn wait(&mut self, arrived: &Notify) -> Option<Ended> {
        let first = self.under_way.front_mut().and_then(|message| message.ticket.as_mut());
        let settled = async {
            match first {
                Some(ticket) => ticket.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.stop.changed() => Some(Ended::Stopped),
            result = settled => self.settle_first(result).await,
            () = arrived.notified() => None,
            () = tokio::time::sleep(IDLE_TICK) => {
                self.show_age();
                match self.look_for_stall().await {
                    Some(ended) => Some(ended),
                    None => self.pass_markers().await,
                }
            }
        }
    }

    /// Moves the position over what stands behind the last message and is no message: markers of transactions, and records
    /// of aborted ones. The lag would else never become zero.
    ///
    /// Sound because everything before an end that librdkafka has told was in the queue before: when it was told after the
    /// queue said "end" and the queue is empty now, everything before it was taken.
    async fn pass_markers(&mut self) -> Option<Ended> {
        let (seen, next) = (self.end_seen?, self.progress.next()?);
        let told = self.end.tellings.load(Ordering::Acquire);
        if told < seen + TELLINGS_AFTER || !self.under_way.is_empty() {
            return None;
        }
        self.end_seen = None;
        let end = self.end.offset.load(Ordering::Relaxed);
        if end <= next {
            return None;
        }
        tracing::debug!(topic = self.topic, partition = self.partition, from = next, to = end, "markers are passed");
        self.progress = Progress::resume(end, None);
        self.hand_on_nothing(next, end).await
    }

    /// After a stop: what is under way may end, up to the deadline, and Kafka is told how far it went.
    async fn finish(mut self) {
        if *self.stop.borrow() == Stop::Drain {
            let deadline = Instant::now() + self.shared.config.drain_timeout;
            while let Some(ticket) = self.under_way.front_mut().map(|message| message.ticket.as_mut()) {
                let result = match ticket {
                    None => Ok(()),
                    Some(ticket) => match tokio::time::timeout_at(deadline, ticket).await {
                        Ok(result) => result,
                        Err(_) => break,
                    },
                };
                if self.settle_first(result).await.is_some() {
                    break;
                }
            }
        }
        if !self.under_way.is_empty() {
            let messages = self.under_way.len();
            tracing::info!(topic = self.topic, partition = self.partition, messages, "left to the next member");
        }
        self.lane.discard_waiting();
        self.save();
    }

    /// Reads again from the stored position. False when the task is to stop.
    async fn go_back(&mut self, reason: Reposition) -> bool {
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop != Stop::No) => false,
            () = self.go_back_unstopped(reason) => true,
        }
    }

    async fn go_back_unstopped(&mut self, reason: Reposition) {
        self.lane.discard_waiting();
        // A write under way may still succeed: only then does the store say how far it is.
        self.wait_for_all().await;
        self.end_seen = None;
        loop {
            // Not at once, and not all members at the same time: whoever fences us is at work.
            let jitter = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            tokio::time::sleep(jitter).await;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
            match self.place_to_resume(reason).await {
                Ok(progress) => {
                    self.progress = progress;
                    let Some(offset) = progress.fetch_from() else { return };
                    match self.seek(offset).await {
                        Ok(()) => return,
                        Err(error) => tracing::warn!(
                            %error, topic = self.topic, partition = self.partition, offset, "a seek failed and is tried again"
                        ),
                    }
                }
                Err(error) => tracing::warn!(
                    error,
                    topic = self.topic,
                    partition = self.partition,
                    reason = reason.as_str(),
                    "a partition cannot be read on yet"
                ),
            }
        }
    }

    /// Where to go on: by the store's word where it keeps positions, else at the first message that is not stored.
    async fn place_to_resume(&mut self, reason: Reposition) -> Result<Progress, String> {
        if reason == Reposition::MadeAnew {
            return self.begin_anew().await;
        }
        let unsettled = self.settled_next.or(self.origin);
        if !self.shared.keeps_positions {
            return Ok(unsettled.map_or_else(Progress::default, |next| Progress::resume(next, None)));
        }
        let stored = self.stored_position().await?;
        Ok(match stored {
            Some(position) => super::consumer::resume(&position),
            None => self.origin.map_or_else(Progress::default, |origin| Progress::resume(origin, None)),
        })
    }

    async fn seek(&self, offset: i64) -> Result<(), KafkaError> {
        let (member, topic, partition) = (Arc::clone(&self.member), self.topic.clone(), self.partition);
        // The call waits for librdkafka's own thread.
        let seek = move || {
            Consumer::seek(&*member as &BaseConsumer<Events>, &topic, partition, Offset::Offset(offset), CALL_TIMEOUT)
        };
        tokio::task::spawn_blocking(seek).await.unwrap_or(Err(KafkaError::Canceled))
    }
}
