//! The spans of one write as one value: version, checksum, records; compressed when there are many. The first layout kept those
//! of one trace like this, never compressed.
//!
//! ```text
//! version u8 (1) · crc32 of the rest u32 · {var length, record}…
//! version u8 (2) · a value as of blocks, {var length, record}… in its compressed part
//! ```

use super::block::{FrameError, pack, unpack};
use crate::model::SpanBatch;

const VERSION: u8 = 1;
const PACKED_VERSION: u8 = 2;
const HEAD: usize = 5;
/// Fewer bytes are not worth compressing.
const PACKED_BYTES_MIN: usize = 4_096;

/// Why a stored value is no row of spans.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    #[error("has {0} bytes, fewer than its head")]
    Short(usize),
    #[error("has version {0}, this binary reads up to {PACKED_VERSION}")]
    Version(u8),
    #[error(transparent)]
    Packed(#[from] FrameError),
    #[error("does not have the checksum it was stored with")]
    Checksum,
    #[error("ends inside a record")]
    Torn,
}

/// Puts records together.
pub(super) fn encode<'a>(records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let plain = encode_plain(records);
    if plain.len() < PACKED_BYTES_MIN {
        return plain;
    }
    let Ok(packed) = pack(&plain[HEAD..], &[]) else { return plain };
    let mut value = Vec::with_capacity(1 + packed.len());
    value.push(PACKED_VERSION);
    value.extend_from_slice(&packed);
    value
}

fn encode_plain<'a>(records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let bytes: usize = records.clone().map(|record| record.len() + 3).sum();
    let mut value = Vec::with_capacity(HEAD + bytes);
    value.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    for record in records {
        put_length(&mut value, record.len());
        value.extend_from_slice(record);
    }
    let checksum = crc32fast::hash(&value[HEAD..]);
    value[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    value
}

/// Appends the records of a stored value to `batch`, and tells how many there were.
pub(super) fn decode(value: &[u8], batch: &mut SpanBatch) -> Result<usize, RowError> {
    if let Some((&PACKED_VERSION, packed)) = value.split_first() {
        let (records, _) = unpack(packed)?;
        return take_records(&records, batch);
    }
    let Some((&[version, c0, c1, c2, c3], rest)) = value.split_first_chunk::<HEAD>() else {
        return Err(RowError::Short(value.len()));
    };
    if version != VERSION {
        return Err(RowError::Version(version));
    }
    if crc32fast::hash(rest) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(RowError::Checksum);
    }
    take_records(rest, batch)
}

fn take_records(mut rest: &[u8], batch: &mut SpanBatch) -> Result<usize, RowError> {
    let mut count = 0;
    while !rest.is_empty() {
        let (record, after) = take_record(rest).ok_or(RowError::Torn)?;
        batch.push_stored(record).map_err(|_| RowError::Torn)?;
        rest = after;
        count += 1;
    }
    Ok(count)
}

fn put_length(value: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        value.push(length as u8 | 0x80);
        length >>= 7;
    }
    value.push(length as u8);
}

fn take_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes[index + 1..].split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, TraceId};

    fn batch(repeated: usize) -> SpanBatch {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        for (id, name) in [(1, "get\0null"), (2, ""), (3, &*"𝄞".repeat(repeated))] {
            builder.clear();
            builder.set_trace_id(TraceId::from_halves(7, 9).unwrap());
            builder.set_id(SpanId::new(id));
            builder.set_name(name);
            builder.finish(&mut batch).unwrap();
        }
        batch
    }

    #[test]
    fn a_row_gives_back_its_records_packed_or_not() {
        for (repeated, version) in [(300, VERSION), (3_000, PACKED_VERSION)] {
            let spans = batch(repeated);
            let value = encode(spans.records());
            let mut read = SpanBatch::new();
            assert_eq!((value[0], decode(&value, &mut read)), (version, Ok(3)));
            assert_eq!(read, spans);
        }
    }

    #[test]
    fn any_changed_byte_or_lost_tail_is_noticed() {
        for repeated in [30, 3_000] {
            let value = encode(batch(repeated).records());
            for index in 0..value.len() {
                let mut changed = value.clone();
                changed[index] ^= 0x10;
                assert!(decode(&changed, &mut SpanBatch::new()).is_err(), "byte {index}");
                assert!(decode(&value[..index], &mut SpanBatch::new()).is_err(), "cut at {index}");
            }
        }
    }
}
