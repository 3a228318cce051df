//! The member of the group: its properties, and what happens when partitions come and go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::runtime::Handle;

use super::Shared;
use super::metrics::Change;
use super::partition::{Begin, Running, Stop};
use super::progress::Progress;
use crate::storage::SourcePosition;

/// A consumer of ours.
pub(super) type Member = BaseConsumer<Events>;
/// Topic and partition.
pub(super) type Place = (String, i32);

/// How often librdkafka tells its numbers.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);
/// How long a new assignment may wait for the store to tell its positions: well below the time after which a group gives up a
/// member that does not poll (`max.poll.interval.ms`, 300 s).
const POSITIONS_WAIT: Duration = Duration::from_secs(120);
/// Pause between two tries of that.
const POSITIONS_PAUSE: Duration = Duration::from_millis(500);
/// How long the brokers may take to tell the end of one partition.
const ENDS_TIMEOUT: Duration = Duration::from_secs(3);
/// How long Kafka may take to tell its committed offsets, which only the log wants.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(3);

/// Values that hold unless somebody set others.
const DEFAULTS: &[(&str, &str)] = &[
    // Zipkin's.
    ("auto.offset.reset", "earliest"),
    // Java's: a topic that does not exist yet is made if the brokers do that.
    ("allow.auto.create.topics", "true"),
    ("auto.commit.interval.ms", "1000"),
    // Partitions that stay with their member are read on while others move.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // A queue that was full is filled again soon, not after a second.
    ("fetch.queue.backoff.ms", "20"),
    // Java's: what a disk made of a batch is not taken for messages.
    ("check.crcs", "true"),
    // New topics and partitions are noticed within this time.
    ("topic.metadata.refresh.interval.ms", "30000"),
];

/// All properties of the stream `index`.
pub(super) fn client_config(shared: &Shared, index: usize) -> ClientConfig {
    let config = &shared.config;
    let mut client = config.client();
    for (name, value) in DEFAULTS {
        if client.get(name).is_none() {
            client.set(*name, *value);
        }
    }
    if config.streams > 1
        && let Some(instance) = client.get("group.instance.id").map(str::to_owned)
    {
        client.set("group.instance.id", format!("{instance}-{index}"));
    }
    let prefetch_kib = (shared.prefetch_bytes.load(Ordering::Relaxed) / 1024).max(1);
    if client.get("group.id").is_none() {
        client.set("group.id", &config.group_id);
    }
    client
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", prefetch_kib.to_string())
        .set("statistics.interval.ms", STATISTICS_INTERVAL.as_millis().to_string());
    client
}

/// Makes a consumer that joins nothing, to see whether librdkafka takes all properties.
pub(super) fn check(shared: &Arc<Shared>) -> Result<(), KafkaError> {
    let events = Events::new(Arc::clone(shared), Handle::current());
    let member: Member = client_config(shared, 0).create_with_context(events)?;
    // Closing may wait for brokers.
    tokio::task::spawn_blocking(move || drop(member));
    Ok(())
}

/// What a consumer's callbacks work with. They run on the stream's thread, inside its polls.
pub(super) struct Events {
    shared: Arc<Shared>,
    runtime: Handle,
    member: OnceLock<Weak<Member>>,
    running: Arc<Mutex<HashMap<Place, Running>>>,
    /// The brokers are being asked for ends of partitions.
    asking: Arc<AtomicBool>,
    /// The consumer must be made anew.
    broken: AtomicBool,
    ending: AtomicBool,
}

impl Events {
    pub(super) fn new(shared: Arc<Shared>, runtime: Handle) -> Self {
        Self {
            shared,
            runtime,
            member: OnceLock::new(),
            running: Arc::default(),
            asking: Arc::default(),
            broken: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// Callbacks need the consumer they belong to.
    pub(super) fn belongs_to(&self, member: &Arc<Member>) {
        let _ = self.member.set(Arc::downgrade(member));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Has the consumer made anew, at the stream's next turn.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// The process ends: no callback waits any more for a store that is away.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Ends the tasks of all partitions.
    pub(super) fn stop_all(&self, stop: Stop) {
        let places: Vec<Place> = self.running.lock().keys().cloned().collect();
        self.stop(places, stop);
    }

    fn stop(&self, places: Vec<Place>, stop: Stop) {
        let stopping: Vec<(Place, Running)> = {
            let mut running = self.running.lock();
            places.into_iter().filter_map(|place| running.remove_entry(&place)).collect()
        };
        stopping.iter().for_each(|(_, running)| running.tell(stop));
        self.shared.metrics.assigned.sub(stopping.len() as i64);
        for ((topic, partition), running) in stopping {
            self.runtime.block_on(running.ended());
            self.shared.metrics.forget(&topic, partition);
        }
    }

    /// Takes partitions: asks the store where each begins, opens their queues, starts their tasks.
    fn assign(&self, member: &Member, list: &TopicPartitionList) {
        let places: Vec<Place> =
            list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        let starts = match self.starts(&places) {
            Some(starts) => starts,
            None => {
                self.broken.store(true, Ordering::Relaxed);
                Vec::new()
            }
        };
        let committed = self.committed(member, &starts);
        let this = self.member.get().and_then(Weak::upgrade);
        let mut assigned = TopicPartitionList::new();
        let mut begins = Vec::new();
        for ((topic, partition), progress) in starts {
            let Some(this) = this.clone() else { break };
            let offset = progress.fetch_from().map_or(Offset::Stored, Offset::Offset);
            // Before the assignment: no message of it ever stands in the common queue.
            let queue = this.split_partition_queue(&topic, partition);
            if let Some(queue) = queue
                && assigned.add_partition_offset(&topic, partition, offset).is_ok()
            {
                let place = (topic, partition);
                let done = progress.next().or_else(|| committed.get(&place).copied());
                begins.push(Begin { topic: place.0, partition, progress, done, queue, member: this });
            }
        }
        let result = match member.rebalance_protocol() {
            RebalanceProtocol::Cooperative => member.incremental_assign(&assigned),
            _ => member.assign(&assigned),
        };
        if let Err(error) = result {
            tracing::error!(%error, "partitions could not be taken; the group is joined again");
            self.broken.store(true, Ordering::Relaxed);
            return;
        }
        self.shared.metrics.rebalanced(Change::Assigned);
        self.shared.metrics.assigned.add(begins.len() as i64);
        self.shared.state.lock().stream_error = None;
        let mut running = self.running.lock();
        for begin in begins {
            tracing::info!(
                topic = begin.topic,
                partition = begin.partition,
                stored_offset = begin.progress.next(),
                "a partition is read"
            );
            let place = (begin.topic.clone(), begin.partition);
            let _entered = self.runtime.enter();
            running.insert(place, Running::start(Arc::clone(&self.shared), begin));
        }
        self.fit_memory(running.len());
    }

    /// Many partitions get less memory each; that takes another consumer, for librdkafka is told once.
    fn fit_memory(&self, partitions: usize) {
        let fitting = self.shared.prefetch_bytes_for(partitions);
        if fitting < self.shared.prefetch_bytes.load(Ordering::Relaxed) {
            tracing::info!(partitions, prefetch_bytes = fitting, "less is fetched ahead for each partition");
            self.shared.prefetch_bytes.store(fitting, Ordering::Relaxed);
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Where each partition begins by the store's word; `None` when the store did not tell in time.
    fn starts(&self, places: &[Place]) -> Option<Vec<(Place, Progress)>> {
        if !self.shared.keeps_positions {
            return Some(places.iter().map(|place| (place.clone(), Progress::default())).collect());
        }
        let give_up = Instant::now() + POSITIONS_WAIT;
        let read = |(topic, partition): &Place| {
            let position = self.shared.storage.source_position(&self.shared.config.group_id, topic, *partition);
            self.runtime.block_on(position)
        };
        let mut starts = Vec::new();
        for place in places {
            let position = loop {
                match read(place) {
                    Ok(position) => break position,
                    Err(error) => {
                        if Instant::now() >= give_up || self.ending.load(Ordering::Relaxed) {
                            return None;
                        }
                        tracing::warn!(%error, topic = place.0, partition = place.1, "the store does not tell a position");
                        std::thread::sleep(POSITIONS_PAUSE);
                    }
                }
            };
            starts.push((place.clone(), position.as_ref().map_or_else(Progress::default, resume)));
        }
        Some(starts)
    }

    /// Kafka's committed offsets. The store's wins; where Kafka's differs, the log says both.
    fn committed(&self, member: &Member, starts: &[(Place, Progress)]) -> HashMap<Place, i64> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), _) in starts {
            list.add_partition(topic, *partition);
        }
        if starts.is_empty() {
            return HashMap::new();
        }
        let Ok(answer) = member.committed_offsets(list, COMMITTED_TIMEOUT) else { return HashMap::new() };
        let offset_of = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        let committed: HashMap<Place, i64> =
            answer.to_topic_map().into_iter().filter_map(|(place, offset)| Some((place, offset_of(offset)?))).collect();
        for (place, progress) in starts {
            if let (Some(stored), Some(committed)) = (progress.next(), committed.get(place))
                && stored != *committed
            {
                let (topic, partition) = place;
                tracing::info!(
                    topic,
                    partition,
                    stored_offset = stored,
                    kafka_offset = committed,
                    "Kafka's committed offset differs from the stored one, which counts"
                );
            }
        }
        committed
    }

    /// Ends are told by fetches, and a partition that waits for room is not fetched: the brokers are asked, so that a lag is seen
    /// to grow.
    fn ask_for_ends(&self, places: Vec<Place>) {
        if places.is_empty() || self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (shared, running, asking) = (Arc::clone(&self.shared), Arc::clone(&self.running), Arc::clone(&self.asking));
        self.runtime.spawn(async move {
            for place in places {
                let (topic, partition) = &place;
                let Ok((_, end)) = shared.prober.watermarks(topic, *partition, ENDS_TIMEOUT).await else { break };
                // Held meanwhile: a partition that was taken away is shown no more.
                let running = running.lock();
                if running.contains_key(&place) {
                    shared.metrics.set_end(topic, *partition, end);
                }
            }
            asking.store(false, Ordering::Release);
        });
    }

    fn revoke(&self, member: &Member, list: &TopicPartitionList) {
        let lost = member.assignment_lost();
        let places = list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
        self.shared.metrics.rebalanced(if lost { Change::Lost } else { Change::Revoked });
        tracing::info!(partitions = list.count(), lost, "partitions are taken away");
        self.stop(places, if lost { Stop::Discard } else { Stop::Drain });
        let result = match member.rebalance_protocol() {
            RebalanceProtocol::Cooperative => member.incremental_unassign(list),
            _ => member.unassign(),
        };
        if let Err(error) = result {
            tracing::error!(%error, "partitions could not be given back; the group is joined again");
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// A stored position as the place to go on from.
pub(super) fn resume(position: &SourcePosition) -> Progress {
    let mark = super::progress::Mark { time_ms: position.last_message_ms, checksum: position.last_message_checksum };
    // Zeros stand for a position that was set, without a message.
    let known = mark.time_ms != 0 || mark.checksum != 0;
    Progress::resume(position.next, known.then_some(mark))
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        super::client::log_line(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        let now_ms = self.shared.clock.now_ms();
        let mut stale = Vec::new();
        let running = self.running.lock();
        for (name, topic) in &statistics.topics {
            for (number, partition) in &topic.partitions {
                let place = (name.clone(), *number);
                let Some(task) = running.get(&place) else { continue };
                task.note_end(partition.eof_offset, partition.next_offset);
                if partition.hi_offset < 0 {
                    continue;
                }
                if task.note_high(partition.hi_offset) {
                    self.shared.metrics.set_end(name, *number, partition.hi_offset);
                } else {
                    self.shared.metrics.show_lag(name, *number);
                    if partition.fetchq_cnt > 0 {
                        stale.push(place);
                    }
                }
                let age_ms = task.age_ms(self.shared.metrics.lag(name, *number), now_ms);
                self.shared.metrics.set_lag_seconds(name, *number, age_ms as f64 / 1_000.0);
            }
        }
        drop(running);
        self.ask_for_ends(stale);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is told as an error, here too.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        self.shared.metrics.client_errors.inc();
        tracing::warn!(%error, reason, "the Kafka client reports an error");
    }
}

impl ConsumerContext for Events {
    fn rebalance(&self, member: &Member, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(member, list),
            _ => self.revoke(member, list),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "Kafka did not take the offsets; the next commit has them too");
        }
    }
}
