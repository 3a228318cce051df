//! What `zipkind kafka` does and ends: looks at offsets, sets them, reads a window again, sends dead letters back.

mod letters;
mod offsets;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use super::config::KafkaConfig;
use crate::ingest::{Collector, MemoryBudget};
use crate::storage::{StorageBackend, StorageError};
use crate::telemetry::CollectorMetrics;

/// How long brokers may take for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a message that is known to be there may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A task of `zipkind kafka`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum KafkaTask {
    /// Show or set how far the group is.
    #[command(subcommand)]
    Offsets(OffsetsTask),
    /// Read a window of the topics into the store again; spans that are there already are not doubled.
    Replay {
        /// Where to begin: an offset, a time (2026-01-31T12:00:00Z), or `earliest`.
        #[arg(long, default_value = "earliest")]
        from: Place,
        /// Where to end, not included: an offset, a time, or `latest`.
        #[arg(long, default_value = "latest")]
        to: Place,
        /// Only this topic.
        #[arg(long)]
        topic: Option<String>,
    },
    /// Send the messages of KAFKA_DEAD_LETTER_TOPIC back to the topics they came from, each once.
    ReplayDeadLetters,
}

/// What to do with offsets.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum OffsetsTask {
    /// Print, for each partition, the offset in the store, Kafka's committed one, the first and the last.
    Show,
    /// Set the offset the group goes on from, in the store and in Kafka; no member may run.
    Set {
        /// The topic.
        #[arg(long)]
        topic: String,
        /// Only this partition.
        #[arg(long)]
        partition: Option<i32>,
        /// An offset, a time (2026-01-31T12:00:00Z), `earliest` or `latest`.
        #[arg(long)]
        to: Place,
    },
}

/// A place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first message that is there.
    Earliest,
    /// Behind the last message.
    Latest,
    /// An offset.
    Offset(i64),
    /// The first message at or after this time, epoch milliseconds.
    Time(i64),
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map(Self::Offset).map_err(|error| error.to_string())
            }
            time => {
                let time = humantime::parse_rfc3339_weak(time)
                    .map_err(|_| format!("\"{time}\" is no offset, no time, and neither earliest nor latest"))?;
                let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
                i64::try_from(since.as_millis()).map(Self::Time).map_err(|error| error.to_string())
            }
        }
    }
}

/// Why a task did not do all it should.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The brokers, or the client.
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    /// The store.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something that must be put right first.
    #[error("{0}")]
    Refused(String),
}

/// What tasks work with.
pub struct TaskParts<'a> {
    /// Settings.
    pub config: &'a KafkaConfig,
    /// The store.
    pub storage: Arc<dyn StorageBackend>,
    /// The way into it.
    pub collector: Collector,
    /// Memory for messages.
    pub budget: MemoryBudget,
    /// Zipkin's counters.
    pub metrics: &'a CollectorMetrics,
}

impl std::fmt::Debug for TaskParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskParts").field("config", self.config).finish_non_exhaustive()
    }
}

/// Does a task; the answer is for people.
///
/// # Errors
/// [`TaskError`]; what was done before stays done.
pub async fn run(task: &KafkaTask, parts: TaskParts<'_>) -> Result<String, TaskError> {
    if parts.config.bootstrap_servers.is_empty() {
        return Err(TaskError::Refused("KAFKA_BOOTSTRAP_SERVERS is not set".to_owned()));
    }
    match task {
        KafkaTask::Offsets(OffsetsTask::Show) => offsets::show(&parts).await,
        KafkaTask::Offsets(OffsetsTask::Set { topic, partition, to }) => {
            offsets::set(&parts, topic, *partition, *to).await
        }
        KafkaTask::Replay { from, to, topic } => replay::replay(&parts, *from, *to, topic.as_deref()).await,
        KafkaTask::ReplayDeadLetters => letters::send_back(&parts).await,
    }
}

/// A consumer that is told its partitions and commits only what it is told to.
fn reader(config: &KafkaConfig, group: &str) -> Result<BaseConsumer, KafkaError> {
    let mut client: ClientConfig = config.client();
    for name in ["group.instance.id", "partition.assignment.strategy"] {
        client.remove(name);
    }
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest");
    client.create()
}

/// Calls of the client wait: they are made where that is allowed.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(call).await.unwrap_or(Err(KafkaError::Canceled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_offsets_times_and_ends() {
        for (text, place) in [
            ("earliest", Place::Earliest),
            ("latest", Place::Latest),
            ("17", Place::Offset(17)),
            ("1970-01-01T00:00:02Z", Place::Time(2_000)),
            ("1970-01-01T00:00:02.5Z", Place::Time(2_500)),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for text in ["", "-1", "soon", "99999999999999999999"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
