//! Sends dead letters back to the topics they came from.

use std::sync::Arc;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::offsets::{drop_elsewhere, extents};
use super::{CALL_TIMEOUT, MESSAGE_TIMEOUT, TaskError, TaskParts, blocking, reader};
use crate::transport::kafka::client::ProducerEvents;
use crate::transport::kafka::dead_letter::SOURCE_TOPIC;

pub(super) async fn send_back(parts: &TaskParts<'_>) -> Result<String, TaskError> {
    let Some(letters) = parts.config.dead_letter_topic.clone() else {
        return Err(TaskError::Refused("KAFKA_DEAD_LETTER_TOPIC is not set".to_owned()));
    };
    // Its own group: what was sent back once is not sent back again.
    let consumer = Arc::new(reader(parts.config, &format!("{}-dead-letters", parts.config.group_id))?);
    let mut client = parts.config.producer();
    client.set("acks", "all").set("enable.idempotence", "true").set("message.max.bytes", "100000000");
    let producer: FutureProducer<ProducerEvents> = client.create_with_context(ProducerEvents)?;
    let (asked, name) = (Arc::clone(&consumer), letters.clone());
    let windows = blocking(move || {
        let mut windows = Vec::new();
        for extent in extents(&asked, &name)? {
            let mut list = TopicPartitionList::new();
            list.add_partition(&name, extent.partition);
            let committed = asked.committed_offsets(list, CALL_TIMEOUT)?;
            let begin = match committed.elements().first().map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset.max(extent.low),
                _ => extent.low,
            };
            windows.push((extent.partition, begin, extent.high));
        }
        Ok(windows)
    });
    let (mut sent, mut without_source) = (0_u64, 0_u64);
    for (partition, begin, end) in windows.await? {
        let mut next = begin;
        if begin < end {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&letters, partition, Offset::Offset(begin))?;
            consumer.assign(&list)?;
        }
        while next < end {
            let polled = Arc::clone(&consumer);
            let message = blocking(move || polled.poll(MESSAGE_TIMEOUT).transpose().map(|m| m.map(|m| m.detach())));
            let Some(message) = message.await? else { break };
            next = message.offset() + 1;
            match source_topic(&message) {
                None => without_source += 1,
                Some(topic) => {
                    let record = FutureRecord::<(), [u8]>::to(topic).payload(message.payload().unwrap_or_default());
                    producer.send(record, MESSAGE_TIMEOUT).await.map_err(|(error, _)| error)?;
                    sent += 1;
                }
            }
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&letters, partition, Offset::Offset(next))?;
            let committing = Arc::clone(&consumer);
            blocking(move || committing.commit(&list, CommitMode::Sync)).await?;
        }
    }
    drop_elsewhere(consumer);
    Ok(format!("{sent} messages sent back, {without_source} without the name of their topic left alone\n"))
}

fn source_topic(message: &OwnedMessage) -> Option<&str> {
    let header = message.headers()?.iter().find(|header| header.key == SOURCE_TOPIC)?;
    std::str::from_utf8(header.value?).ok()
}
