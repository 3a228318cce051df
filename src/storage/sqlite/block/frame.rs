//! A stored value: version, checksum, a compressed part and a plain one.
//!
//! ```text
//! version u8 (1) · crc32 of the rest u32 · var bytes when unpacked · var bytes packed · zstd · what does not compress
//! ```

use std::cell::RefCell;

use super::bytes::{Cursor, put_var};

const VERSION: u8 = 1;
const HEAD: usize = 5;
/// Most bytes that a value unpacks to: far above what is written, far below what hurts.
const UNPACKED_MAX: u64 = 1 << 30;
/// The level with the best yield per second.
const LEVEL: i32 = 1;

/// Why a stored value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum FrameError {
    #[error("has {0} bytes, fewer than its head")]
    Short(usize),
    #[error("has version {0}, this binary reads {VERSION}")]
    Version(u8),
    #[error("does not have the checksum it was stored with")]
    Checksum,
    #[error("does not unpack: {0}")]
    Packed(String),
    #[error("ends too early or holds what cannot be")]
    Torn,
}

thread_local! {
    /// Contexts cost more to make than a small value to pack.
    static PACKER: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packs `soft` and puts `hard`, which does not compress, behind it.
pub(in super::super) fn pack(soft: &[u8], hard: &[u8]) -> Result<Vec<u8>, FrameError> {
    let failed = |error: std::io::Error| FrameError::Packed(error.to_string());
    let packed = PACKER.with_borrow_mut(|packer| {
        let packer = match packer {
            Some(packer) => packer,
            None => packer.insert(zstd::bulk::Compressor::new(LEVEL).map_err(failed)?),
        };
        packer.compress(soft).map_err(failed)
    })?;
    let mut value = Vec::with_capacity(HEAD + 20 + packed.len() + hard.len());
    value.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    put_var(&mut value, soft.len() as u64);
    put_var(&mut value, packed.len() as u64);
    value.extend_from_slice(&packed);
    value.extend_from_slice(hard);
    let checksum = crc32fast::hash(&value[HEAD..]);
    value[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Ok(value)
}

/// Checks a value and gives its two parts.
pub(in super::super) fn unpack(value: &[u8]) -> Result<(Vec<u8>, &[u8]), FrameError> {
    let Some((&[version, c0, c1, c2, c3], rest)) = value.split_first_chunk::<HEAD>() else {
        return Err(FrameError::Short(value.len()));
    };
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    if crc32fast::hash(rest) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::Checksum);
    }
    let mut cursor = Cursor::new(rest);
    let bytes = cursor.var()?;
    if bytes > UNPACKED_MAX {
        return Err(FrameError::Torn);
    }
    let packed = cursor.bytes()?;
    let failed = |error: std::io::Error| FrameError::Packed(error.to_string());
    let soft = UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            None => unpacker.insert(zstd::bulk::Decompressor::new().map_err(failed)?),
        };
        unpacker.decompress(packed, bytes as usize).map_err(failed)
    })?;
    if soft.len() as u64 != bytes {
        return Err(FrameError::Torn);
    }
    Ok((soft, cursor.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gives_back_both_parts() {
        let soft = b"again and again and again".repeat(40);
        let value = pack(&soft, b"noise").unwrap();
        assert!(value.len() < 100);
        assert_eq!(unpack(&value).unwrap(), (soft, b"noise".as_slice()));
        assert_eq!(unpack(&pack(b"", b"").unwrap()).unwrap(), (Vec::new(), [].as_slice()));
    }

    #[test]
    fn any_changed_byte_or_lost_tail_is_noticed() {
        let value = pack(b"some text", b"noise").unwrap();
        for index in 0..value.len() {
            let mut changed = value.clone();
            changed[index] ^= 0x10;
            assert!(unpack(&changed).is_err(), "byte {index}");
            assert!(unpack(&value[..index]).is_err(), "cut at {index}");
        }
    }
}
