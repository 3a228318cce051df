//! Spans of one trace as one value: version, checksum, records, each with its place among the spans of the trace in its
//! write (zipkin's order inside a trace goes by arrival, and a write may spread a trace over several fragments).
//!
//! ```text
//! version u8 (1) · crc32 of the rest u32 · {var place, var length, record}…
//! ```

use sha2::{Digest, Sha256};

use super::number::{put_number, take_number};
use crate::model::SpanBatch;

const VERSION: u8 = 1;
const HEAD: usize = 5;

/// Why a stored value is no fragment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::storage) enum FragmentError {
    #[error("has {0} bytes, fewer than its head")]
    Short(usize),
    #[error("has version {0}, this binary reads {VERSION}")]
    Version(u8),
    #[error("does not have the checksum it was stored with")]
    Checksum,
    #[error("ends inside a record")]
    Torn,
}

/// Puts records of one trace together, each with its place.
pub(super) fn encode<'a>(records: impl Iterator<Item = (u32, &'a [u8])> + Clone) -> Vec<u8> {
    let bytes: usize = records.clone().map(|(_, record)| record.len() + 5).sum();
    let mut value = Vec::with_capacity(HEAD + bytes);
    value.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    for (place, record) in records {
        put_number(&mut value, place as usize);
        put_number(&mut value, record.len());
        value.extend_from_slice(record);
    }
    let checksum = crc32fast::hash(&value[HEAD..]);
    value[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    value
}

/// Tells equal values: the key under which a repeated write finds itself. The same in every process and version.
pub(in crate::storage) fn content(value: &[u8]) -> i64 {
    let digest = Sha256::digest(value);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// Appends the records of a stored value to `batch` and their places to `places`.
pub(super) fn decode(value: &[u8], batch: &mut SpanBatch, places: &mut Vec<u32>) -> Result<(), FragmentError> {
    let Some((&[version, c0, c1, c2, c3], mut rest)) = value.split_first_chunk::<HEAD>() else {
        return Err(FragmentError::Short(value.len()));
    };
    if version != VERSION {
        return Err(FragmentError::Version(version));
    }
    if crc32fast::hash(rest) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FragmentError::Checksum);
    }
    while !rest.is_empty() {
        let (place, after) = take_number(rest).ok_or(FragmentError::Torn)?;
        let (length, after) = take_number(after).ok_or(FragmentError::Torn)?;
        let (record, after) = after.split_at_checked(length).ok_or(FragmentError::Torn)?;
        batch.push_stored(record).map_err(|_| FragmentError::Torn)?;
        places.push(place as u32);
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, TraceId};

    fn batch() -> SpanBatch {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for (id, name) in [(1, "get\0null"), (2, ""), (3, &*"𝄞".repeat(300))] {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(7, 9).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_name(name);
            builder.finish(&mut batch).unwrap();
        }
        batch
    }

    fn encoded() -> Vec<u8> {
        let spans = batch();
        let records: Vec<(u32, &[u8])> = [0, 300, 70_000].into_iter().zip(spans.records()).collect();
        encode(records.into_iter())
    }

    #[test]
    fn a_fragment_gives_back_its_records_and_their_places() {
        let (mut read, mut places) = (SpanBatch::new(), Vec::new());
        assert_eq!(decode(&encoded(), &mut read, &mut places), Ok(()));
        assert_eq!((read, places), (batch(), vec![0, 300, 70_000]));
    }

    #[test]
    fn any_changed_byte_or_lost_tail_is_noticed() {
        let value = encoded();
        let fails = |value: &[u8]| decode(value, &mut SpanBatch::new(), &mut Vec::new()).is_err();
        for index in 0..value.len() {
            let mut changed = value.clone();
            changed[index] ^= 0x10;
            assert!(fails(&changed), "byte {index}");
            assert!(fails(&value[..index]), "cut at {index}");
        }
    }

    #[test]
    fn the_key_of_a_content_never_changes() {
        assert_eq!(content(b"zipkind"), content(b"zipkind"));
        assert_eq!(content(b""), i64::from_be_bytes([0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14]));
    }
}
