//! How far the group is: in the store, and in Kafka.

use std::fmt::Write as _;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CALL_TIMEOUT, Place, TaskError, TaskParts, blocking, reader};
use crate::storage::{Batch, SourcePosition};

/// What there is of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) partition: i32,
    pub(super) low: i64,
    pub(super) high: i64,
}

/// The partitions of a topic with their first offset and the one after the last.
pub(super) fn extents(consumer: &BaseConsumer, topic: &str) -> Result<Vec<Extent>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), CALL_TIMEOUT)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut extents = Vec::new();
    for partition in partitions.map(|partition| partition.id()) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT)?;
        extents.push(Extent { partition, low, high });
    }
    extents.sort_by_key(|extent| extent.partition);
    Ok(extents)
}

/// The offset of a place, within what is there.
pub(super) fn offset_of(consumer: &BaseConsumer, topic: &str, extent: Extent, place: Place) -> Result<i64, KafkaError> {
    let offset = match place {
        Place::Earliest => extent.low,
        Place::Latest => extent.high,
        Place::Offset(offset) => offset,
        Place::Time(time_ms) => {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, extent.partition, Offset::Offset(time_ms))?;
            let found = consumer.offsets_for_times(list, CALL_TIMEOUT)?;
            match found.elements().first().map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset,
                _ => extent.high,
            }
        }
    };
    Ok(offset.clamp(extent.low, extent.high))
}

pub(super) async fn show(parts: &TaskParts<'_>) -> Result<String, TaskError> {
    let mut text = format!("group {}\n", parts.config.group_id);
    let _ = writeln!(
        text,
        "{:<30} {:>9} {:>12} {:>12} {:>12} {:>12} {:>10}",
        "topic", "partition", "stored", "committed", "first", "end", "lag"
    );
    let consumer = Arc::new(reader(parts.config, &parts.config.group_id)?);
    for topic in parts.config.all_topics() {
        let (asked, name) = (Arc::clone(&consumer), topic.to_owned());
        let partitions = blocking(move || {
            let extents = extents(&asked, &name)?;
            let mut list = TopicPartitionList::new();
            for extent in &extents {
                list.add_partition(&name, extent.partition);
            }
            Ok((extents, asked.committed_offsets(list, CALL_TIMEOUT)?.to_topic_map()))
        });
        let (extents, committed) = partitions.await?;
        for extent in extents {
            let stored = stored_next(parts, topic, extent.partition).await?.map(|position| position.next);
            let committed = committed.get(&(topic.to_owned(), extent.partition)).and_then(|offset| match offset {
                Offset::Offset(offset) => Some(*offset),
                _ => None,
            });
            let shown = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            let lag = stored.or(committed).map(|offset| (extent.high - offset).max(0));
            let _ = writeln!(
                text,
                "{topic:<30} {:>9} {:>12} {:>12} {:>12} {:>12} {:>10}",
                extent.partition,
                shown(stored),
                shown(committed),
                extent.low,
                extent.high,
                shown(lag)
            );
        }
    }
    drop_elsewhere(consumer);
    Ok(text)
}

pub(super) async fn set(
    parts: &TaskParts<'_>,
    topic: &str,
    partition: Option<i32>,
    to: Place,
) -> Result<String, TaskError> {
    let group = parts.config.group_id.clone();
    let consumer = Arc::new(reader(parts.config, &group)?);
    let (asked, name) = (Arc::clone(&consumer), topic.to_owned());
    let wanted = blocking(move || {
        let list = asked.fetch_group_list(Some(&group), CALL_TIMEOUT)?;
        let members: usize = list.groups().iter().map(|group| group.members().len()).sum();
        let extents = extents(&asked, &name)?;
        let chosen = extents.into_iter().filter(|extent| partition.is_none_or(|wanted| extent.partition == wanted));
        let mut offsets = Vec::new();
        for extent in chosen {
            offsets.push((extent.partition, offset_of(&asked, &name, extent, to)?));
        }
        Ok((members, offsets))
    });
    let (members, offsets) = wanted.await?;
    if members > 0 {
        return Err(TaskError::Refused(format!("the group has {members} members: stop them first")));
    }
    if offsets.is_empty() {
        return Err(TaskError::Refused(format!("{topic} has no such partition")));
    }
    let mut text = String::new();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in &offsets {
        set_stored(parts, topic, *partition, *offset).await?;
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
        let _ = writeln!(text, "{topic} {partition}: the group goes on from {offset}");
    }
    let committing = Arc::clone(&consumer);
    blocking(move || committing.commit(&list, CommitMode::Sync)).await?;
    drop_elsewhere(consumer);
    Ok(text)
}

/// Moves the stored position, whichever way, where the store keeps it.
async fn set_stored(parts: &TaskParts<'_>, topic: &str, partition: i32, offset: i64) -> Result<(), TaskError> {
    if !parts.storage.capabilities().source_positions {
        return Ok(());
    }
    let stored = stored_next(parts, topic, partition).await?;
    let position = SourcePosition {
        group: parts.config.group_id.clone(),
        topic: topic.to_owned(),
        partition,
        from: stored.map_or(offset, |position| position.next),
        next: offset,
        last_message_ms: 0,
        last_message_checksum: 0,
    };
    let batch = Batch { position: Some(position), ..Batch::default() };
    for result in parts.storage.write(&[batch]).await {
        result?;
    }
    Ok(())
}

async fn stored_next(parts: &TaskParts<'_>, topic: &str, partition: i32) -> Result<Option<SourcePosition>, TaskError> {
    if !parts.storage.capabilities().source_positions {
        return Ok(None);
    }
    Ok(parts.storage.source_position(&parts.config.group_id, topic, partition).await?)
}

/// Closing a consumer waits for brokers.
pub(super) fn drop_elsewhere(consumer: Arc<BaseConsumer>) {
    tokio::task::spawn_blocking(move || drop(consumer));
}
