//! What a task does when the client does not do what it is told. librdkafka's own stand-in for brokers is enough here.

use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;
use prometheus::Registry;
use rdkafka::mocking::MockCluster;
use tokio::runtime::Handle;

use super::*;
use crate::ingest::{Collector, IngestConfig, MemoryBudget};
use crate::storage::{NoneStorage, StorageBackend};
use crate::telemetry::{CollectorMetrics, SystemClock};
use crate::transport::kafka::client::Prober;
use crate::transport::kafka::config::KafkaConfig;
use crate::transport::kafka::consumer::client_config;
use crate::transport::kafka::metrics::KafkaMetrics;

const TOPIC: &str = "zipkin";

fn shared(bootstrap_servers: String) -> Arc<Shared> {
    let (registry, budget) = (Registry::new(), MemoryBudget::new(64 << 20));
    let config = KafkaConfig { bootstrap_servers, ..KafkaConfig::default() };
    let storage: Arc<dyn StorageBackend> = Arc::new(NoneStorage);
    let collector =
        Collector::start(&IngestConfig::default(), Arc::clone(&storage), &registry, budget.clone()).unwrap();
    let zipkins = CollectorMetrics::register(&registry).unwrap();
    Arc::new(Shared {
        keeps_positions: false,
        prefetch_bytes: AtomicUsize::new(config.prefetch_bytes),
        prober: Prober::new(&config).unwrap(),
        dead_letters: None,
        metrics: KafkaMetrics::register(&registry, zipkins.transport("kafka")).unwrap(),
        config,
        collector,
        storage,
        budget,
        clock: Arc::new(SystemClock),
        state: Mutex::default(),
    })
}

/// A task of a member that does not have the partition: each seek fails.
fn task_whose_seeks_fail(servers: String, next: i64) -> (watch::Sender<Stop>, PartitionQueue<Events>, PartitionTask) {
    let shared = shared(servers);
    let events = Events::new(Arc::clone(&shared), Handle::current());
    let member: Arc<Member> = Arc::new(client_config(&shared, 0).create_with_context(events).unwrap());
    let queue = member.split_partition_queue(TOPIC, 0).unwrap();
    let progress = Progress::resume(next, None);
    let begin = Begin { topic: TOPIC.to_owned(), partition: 0, progress, done: None, queue, member };
    let (stop, stopped) = watch::channel(Stop::No);
    let (queue, task) = PartitionTask::new(shared, begin, stopped, Arc::default());
    (stop, queue, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_seek_fails_after_damage_nothing_is_read_on() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 1, 1).unwrap();
    let (_stop, queue, mut task) = task_whose_seeks_fail(brokers.bootstrap_servers(), 3);
    let ended = task.pass_damage(&queue, &Notify::new()).await;
    assert!(matches!(ended, Some(Ended::Again(Reposition::Damage))), "it went on from where the search left it");
    assert_eq!((task.progress.next(), task.origin), (Some(3), Some(3)), "nothing is passed that was not found damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_before_the_first_message_waits_for_news_of_where_the_client_stands() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 1, 1).unwrap();
    let (_stop, _queue, mut task) = task_whose_seeks_fail(brokers.bootstrap_servers(), 0);
    task.progress = Progress::default();
    let told = Arc::clone(&task.end);
    let tell = |offset: i64| {
        told.fetched_from.store(offset, Ordering::Relaxed);
        told.tellings.fetch_add(1, Ordering::Release);
    };
    tell(5);
    assert_eq!(task.place_of_damage(), None, "that was told before the error");
    tell(7);
    assert_eq!(task.place_of_damage(), None, "that may have been put together before it");
    tell(7);
    assert_eq!(task.place_of_damage(), Some(7));
    task.progress = Progress::resume(9, None);
    assert_eq!(task.place_of_damage(), Some(9));
}
