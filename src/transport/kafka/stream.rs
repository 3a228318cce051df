//! A thread that keeps one member in the group for as long as the process runs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::consumer::{Events, Member, client_config};
use super::partition::Stop;

/// Longest wait of one poll; partitions' messages do not come by it.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Pauses before a member joins again: the first, and the most.
const REJOIN_PAUSE: Duration = Duration::from_millis(500);
const REJOIN_PAUSE_MAX: Duration = Duration::from_secs(15);

/// Starts the stream `index`.
pub(super) fn start(shared: Arc<Shared>, index: usize, stop: CancellationToken) -> std::io::Result<JoinHandle<()>> {
    let runtime = Handle::current();
    let name = format!("kafka-{index}");
    std::thread::Builder::new().name(name).spawn(move || run(&shared, index, &stop, &runtime))
}

/// Why a member left the group.
enum Left {
    /// It was told to.
    Stopped,
    /// It must be made anew, at once.
    Anew,
    /// Something is wrong; it joins again after a pause.
    Failed(String),
}

fn run(shared: &Arc<Shared>, index: usize, stop: &CancellationToken, runtime: &Handle) {
    let mut pause = REJOIN_PAUSE;
    loop {
        let error = match join(shared, index, stop, runtime) {
            Left::Stopped => return,
            Left::Anew => {
                pause = REJOIN_PAUSE;
                continue;
            }
            Left::Failed(error) => error,
        };
        tracing::error!(stream = index, error, pause_ms = pause.as_millis() as u64, "the Kafka group is joined again");
        shared.state.lock().stream_error = Some(error);
        let stopped = runtime.block_on(async { tokio::time::timeout(pause, stop.cancelled()).await.is_ok() });
        if stopped {
            return;
        }
        pause = (pause * 2).min(REJOIN_PAUSE_MAX);
    }
}

/// Joins the group and polls until the end, or an error that the consumer does not get over by itself.
fn join(shared: &Arc<Shared>, index: usize, stop: &CancellationToken, runtime: &Handle) -> Left {
    let events = Events::new(Arc::clone(shared), runtime.clone());
    let member: Arc<Member> = match client_config(shared, index).create_with_context(events) {
        Ok(member) => Arc::new(member),
        Err(error) => return Left::Failed(error.to_string()),
    };
    member.context().belongs_to(&member);
    if let Err(error) = member.subscribe(&shared.config.all_topics()) {
        return Left::Failed(error.to_string());
    }
    let left = poll(&member, stop);
    let events = member.context();
    events.end();
    events.stop_all(if matches!(left, Left::Stopped | Left::Anew) { Stop::Drain } else { Stop::Discard });
    // The last owner: closing commits and leaves the group, here and not on a worker of the runtime.
    drop(member);
    left
}

fn poll(member: &Arc<Member>, stop: &CancellationToken) -> Left {
    while !stop.is_cancelled() {
        match member.poll(POLL_TIMEOUT) {
            None => {}
            // Not in its partition's queue: that partition would take it for a gap.
            Some(Ok(_)) => return Left::Failed("a message came outside its partition's queue".to_owned()),
            Some(Err(error)) => match error {
                KafkaError::MessageConsumptionFatal(code) => return Left::Failed(code.to_string()),
                KafkaError::MessageConsumption(
                    code @ (RDKafkaErrorCode::InconsistentGroupProtocol
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::InvalidGroupId
                    | RDKafkaErrorCode::InvalidSessionTimeout),
                ) => return Left::Failed(code.to_string()),
                // Everything else librdkafka tries again by itself: brokers away, topics that are not there yet.
                error => tracing::warn!(%error, "the Kafka consumer reports an error"),
            },
        }
        if member.context().is_broken() {
            return Left::Anew;
        }
    }
    Left::Stopped
}
