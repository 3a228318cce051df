//! Reads a window of the topics into the store again.

use std::collections::VecDeque;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::offsets::{drop_elsewhere, extents, offset_of};
use super::{MESSAGE_TIMEOUT, Place, TaskError, TaskParts, blocking, reader};
use crate::ingest::{Lane, SubmitError, Ticket};
use crate::telemetry::TransportMetrics;
use crate::transport::kafka::message::{Content, decode, memory_bytes};

/// Messages that are under way to the store at most.
const UNDER_WAY_MAX: usize = 1_000;

/// What became of the messages of a window.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    messages: u64,
    spans: u64,
    poison: u64,
}

pub(super) async fn replay(
    parts: &TaskParts<'_>,
    from: Place,
    to: Place,
    topic: Option<&str>,
) -> Result<String, TaskError> {
    let config = parts.config;
    let topics: Vec<String> = config
        .all_topics()
        .into_iter()
        .filter(|known| topic.is_none_or(|wanted| *known == wanted))
        .map(str::to_owned)
        .collect();
    if topics.is_empty() {
        return Err(TaskError::Refused(format!("{} is none of the topics", topic.unwrap_or_default())));
    }
    let consumer = Arc::new(reader(config, &format!("{}-replay", config.group_id))?);
    let lane = parts.collector.open_lane("replay");
    let metrics = parts.metrics.transport("kafka");
    let mut tally = Tally::default();
    for topic in topics {
        let (asked, name) = (Arc::clone(&consumer), topic.clone());
        let windows = blocking(move || {
            let mut windows = Vec::new();
            for extent in extents(&asked, &name)? {
                let begin = offset_of(&asked, &name, extent, from)?;
                windows.push((extent.partition, begin, offset_of(&asked, &name, extent, to)?));
            }
            Ok(windows)
        });
        for (partition, begin, end) in windows.await? {
            let window = Window { topic: topic.clone(), partition, begin, end };
            window.replay(parts, &consumer, &lane, &metrics, &mut tally).await?;
        }
    }
    drop_elsewhere(consumer);
    Ok(format!(
        "{} messages read again, {} spans stored or there already, {} messages that cannot be kept\n",
        tally.messages, tally.spans, tally.poison
    ))
}

struct Window {
    topic: String,
    partition: i32,
    begin: i64,
    end: i64,
}

impl Window {
    async fn replay(
        &self,
        parts: &TaskParts<'_>,
        consumer: &Arc<BaseConsumer>,
        lane: &Lane,
        metrics: &TransportMetrics,
        tally: &mut Tally,
    ) -> Result<(), TaskError> {
        if self.begin >= self.end {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, Offset::Offset(self.begin))?;
        consumer.assign(&list)?;
        let content = if parts.config.otlp_topics.contains(&self.topic) { Content::Otlp } else { Content::Zipkin };
        let mut under_way: VecDeque<Ticket> = VecDeque::new();
        let mut next = self.begin;
        while next < self.end {
            let polled = Arc::clone(consumer);
            let message = blocking(move || polled.poll(MESSAGE_TIMEOUT).transpose().map(|m| m.map(|m| m.detach())));
            // None within the time: what is left of the window holds no messages (markers, compaction).
            let Some(message) = message.await? else { break };
            if message.offset() >= self.end {
                break;
            }
            next = message.offset() + 1;
            tally.messages += 1;
            let payload = message.payload().unwrap_or_default();
            let Ok(spans) = decode(content, payload, &parts.config.decode) else {
                tally.poison += 1;
                continue;
            };
            tally.spans += spans.len() as u64;
            let permit = parts.budget.acquire(memory_bytes(content, payload), MESSAGE_TIMEOUT).await;
            let permit = permit.map_err(|error| TaskError::Refused(error.to_string()))?;
            under_way.push_back(lane.submit(metrics, spans, None, permit).await.map_err(not_stored)?);
            if under_way.len() >= UNDER_WAY_MAX
                && let Some(ticket) = under_way.pop_front()
            {
                ticket.await.map_err(not_stored)?;
            }
        }
        for ticket in under_way {
            ticket.await.map_err(not_stored)?;
        }
        Ok(())
    }
}

fn not_stored(error: SubmitError) -> TaskError {
    TaskError::Refused(format!("not all is stored: {error}"))
}
