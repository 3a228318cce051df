//! One real broker for all tests of this process, stopped by its script when the process ends; and a producer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, ClientContext};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The address of the broker all tests share; the first caller starts it.
pub(crate) fn servers() -> &'static str {
    // With the broker, which would end here otherwise.
    static SHARED: OnceLock<(Broker, String)> = OnceLock::new();
    let (_, servers) = SHARED.get_or_init(|| {
        let broker = Broker::not_started();
        broker.start();
        let servers = broker.servers();
        (broker, servers)
    });
    servers
}

/// One or more brokers, killed when dropped, or by their script when this process ends.
#[derive(Debug)]
pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
    count: u16,
}

impl Broker {
    /// A port is chosen, and nothing listens there yet.
    pub(crate) fn not_started() -> Self {
        Self::several_not_started(1)
    }

    /// The same for brokers that copy each other's partitions.
    pub(crate) fn several_not_started(count: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("kafka").tempdir().unwrap().keep();
        Self { folder, port: free_ports(count), count }
    }

    /// One broker, with two free ports after its own.
    pub(crate) fn with_further_ports() -> Self {
        let mut broker = Self::several_not_started(2);
        broker.count = 1;
        broker
    }

    pub(crate) fn servers(&self) -> String {
        let servers: Vec<String> = (0..self.count).map(|n| format!("127.0.0.1:{}", self.port + 2 * n)).collect();
        servers.join(",")
    }

    pub(crate) fn start(&self) {
        self.start_with("");
    }

    /// Starts with further lines of `server.properties`.
    pub(crate) fn start_with(&self, properties: &str) {
        let (port, count) = (self.port.to_string(), self.count.to_string());
        self.script_with(&["start", self.folder.to_str().unwrap(), &port, &count], properties);
    }

    /// A class of Kafka's own tools.
    pub(crate) fn run_tool(&self, class: &str, arguments: &[&str]) {
        self.script(&[&["run", class], arguments].concat());
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn kill(&self) {
        self.kill_one(1);
    }

    pub(crate) fn restart(&self) {
        self.restart_one(1);
    }

    pub(crate) fn kill_one(&self, number: i32) {
        self.script(&["kill", self.folder.to_str().unwrap(), &number.to_string()]);
    }

    pub(crate) fn restart_one(&self, number: i32) {
        self.script(&["start-one", self.folder.to_str().unwrap(), &number.to_string()]);
    }

    /// Where broker 1 keeps its partitions.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data1")
    }

    pub(crate) fn create(&self, topic: &str) {
        create_at(&self.servers(), topic, 1, 1);
    }

    fn script(&self, arguments: &[&str]) {
        self.script_with(arguments, "");
    }

    fn script_with(&self, arguments: &[&str], properties: &str) {
        let output = self.run(arguments, properties).expect("scripts/services/kafka runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "these tests need a Kafka broker, and {arguments:?} failed: {errors}");
    }

    fn run(&self, arguments: &[&str], properties: &str) -> std::io::Result<Output> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/services/kafka");
        let mut command = Command::new(script);
        command.args(arguments).env("KAFKA_OWNER", std::process::id().to_string());
        command.env("KAFKA_PROPERTIES", properties).output()
    }
}

impl Drop for Broker {
    /// The brokers of one test end with it: others need their memory and time. Some may not run; the folder goes with the
    /// process.
    fn drop(&mut self) {
        for number in 1..=self.count {
            let _ = self.run(&["kill", self.folder.to_str().unwrap(), &number.to_string()], "");
        }
    }
}

/// Two free ports beside each other for each broker, far from those the system gives to clients; different ones each time.
fn free_ports(brokers: u16) -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let before = TAKEN.fetch_add(u32::from(brokers), Ordering::Relaxed) as u16;
    let first = 21_000 + (std::process::id() % 400) as u16 * 20 + before * 2;
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let free = |port: &u16| (*port..port + 2 * brokers).all(is_free);
    (first..first + 2_000).step_by(2).find(free).expect("free ports")
}

/// A new topic with a name of its own.
pub(crate) fn topic(name: &str, partitions: i32) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let topic = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    create(&topic, partitions);
    topic
}

pub(crate) fn create(topic: &str, partitions: i32) {
    create_at(servers(), topic, partitions, 1);
}

pub(crate) fn create_at(servers: &str, topic: &str, partitions: i32, copies: i32) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(copies)).set("max.message.bytes", "20000000");
    let made = block_on(admin(servers).create_topics(&[new], &options()));
    made.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    wait_until_known(servers, topic, partitions as usize);
}

pub(crate) fn delete(topic: &str) {
    delete_at(servers(), topic);
}

pub(crate) fn delete_at(servers: &str, topic: &str) {
    let deleted = block_on(admin(servers).delete_topics(&[topic], &options()));
    deleted.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    wait_until_known(servers, topic, 0);
}

/// Waits until every broker knows of this many partitions of a topic, with a leader each. They learn of a change a moment after
/// it was answered, and not together: what is sent by the word of one that lags goes nowhere, or into a topic that is gone.
fn wait_until_known(servers: &str, topic: &str, partitions: usize) {
    for server in servers.split(',') {
        super::wait_for(&format!("{server} knows of {partitions} partitions of {topic}"), || {
            // A new client each time: it knows this one broker alone.
            let metadata = admin(server).inner().fetch_metadata(None, CALL_TIMEOUT).ok()?;
            let told = metadata.topics().iter().find(|told| told.name() == topic);
            let led =
                told.map_or(0, |told| told.partitions().iter().filter(|partition| partition.leader() >= 0).count());
            (told.is_some() == (partitions > 0) && led == partitions).then_some(())
        });
    }
}

/// Deletes the messages before an offset, as retention does.
pub(crate) fn delete_before(topic: &str, offset: i64) {
    delete_before_at(servers(), topic, offset);
}

pub(crate) fn delete_before_at(servers: &str, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    block_on(admin(servers).delete_records(&list, &options())).unwrap();
}

/// Gives a topic more partitions.
pub(crate) fn grow_at(servers: &str, topic: &str, partitions: usize) {
    let grown = block_on(admin(servers).create_partitions(&[NewPartitions::new(topic, partitions)], &options()));
    grown.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    wait_until_known(servers, topic, partitions);
}

/// The broker that leads a partition.
pub(crate) fn leader_at(servers: &str, topic: &str, partition: i32) -> i32 {
    let metadata = admin(servers).inner().fetch_metadata(Some(topic), CALL_TIMEOUT).unwrap();
    let partitions = metadata.topics()[0].partitions();
    partitions.iter().find(|found| found.id() == partition).expect("the partition").leader()
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(CALL_TIMEOUT))
}

fn admin(servers: &str) -> AdminClient<DefaultClientContext> {
    client_of(servers, &[]).create().unwrap()
}

fn client(properties: &[(&str, &str)]) -> ClientConfig {
    client_of(servers(), properties)
}

fn client_of(servers: &str, properties: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("message.max.bytes", "20000000");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Notes why messages did not reach their partition: nothing else tells.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    failures: Mutex<Vec<KafkaError>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Err((error, _)) = result {
            self.failures.lock().unwrap().push(error.clone());
        }
    }
}

pub(crate) fn producer(properties: &[(&str, &str)]) -> BaseProducer<Deliveries> {
    producer_at(servers(), properties)
}

pub(crate) fn producer_at(servers: &str, properties: &[(&str, &str)]) -> BaseProducer<Deliveries> {
    client_of(servers, properties).create_with_context(Deliveries::default()).unwrap()
}

/// Waits until the broker has all that was sent, also while a new leader is looked for.
pub(crate) fn flush(producer: &BaseProducer<Deliveries>) {
    producer.flush(super::PATIENCE).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
    let failures = producer.context().failures.lock().unwrap();
    assert!(failures.is_empty(), "messages were not delivered: {failures:?}");
}

/// Sends messages to a partition and waits until the broker has them.
pub(crate) fn send<B: AsRef<[u8]>>(topic: &str, partition: i32, messages: impl IntoIterator<Item = B>) {
    send_with(&producer(&[("acks", "all")]), topic, partition, messages);
}

/// The same at another broker.
pub(crate) fn send_to<B: AsRef<[u8]>>(
    servers: &str,
    topic: &str,
    partition: i32,
    messages: impl IntoIterator<Item = B>,
) {
    send_with(&producer_at(servers, &[("acks", "all")]), topic, partition, messages);
}

pub(crate) fn send_with<B: AsRef<[u8]>>(
    producer: &BaseProducer<Deliveries>,
    topic: &str,
    partition: i32,
    messages: impl IntoIterator<Item = B>,
) {
    for message in messages {
        let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(message.as_ref());
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    flush(producer);
}

/// A message as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
}

/// The first `count` messages of partition 0.
pub(crate) fn read(topic: &str, count: usize) -> Vec<Found> {
    let consumer: BaseConsumer =
        client(&[("group.id", "tests-that-read"), ("auto.offset.reset", "earliest")]).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let message = consumer.poll(super::PATIENCE).expect("a message in time").unwrap();
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let headers = message
            .headers()
            .map(|headers| headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect());
        found.push(Found {
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers.unwrap_or_default(),
        });
    }
    found
}

/// Commits an offset as some member of the group did.
pub(crate) fn commit(group: &str, topic: &str, partition: i32, offset: i64) {
    let consumer: BaseConsumer = client(&[("group.id", group)]).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

/// The offset that Kafka keeps for a group.
pub(crate) fn committed(group: &str, topic: &str, partition: i32) -> Option<i64> {
    let consumer: BaseConsumer = client(&[("group.id", group)]).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let list = consumer.committed_offsets(list, CALL_TIMEOUT).unwrap();
    match list.elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}
