//! Rate, errors and durations of a block's traces, as the bytes of a table of minutes.

use super::bytes::{Cursor, put_var};
use super::frame::{FrameError, pack, unpack};
use crate::model::red::RedTable;

/// What the traces of a block count for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct RedView {
    pub(in super::super) left_out: u64,
    pub(in super::super) table: Vec<u8>,
}

impl RedView {
    pub(in super::super) fn of(table: &RedTable) -> Self {
        Self { left_out: table.left_out(), table: table.encode() }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut soft = Vec::with_capacity(self.table.len() + 10);
        put_var(&mut soft, self.left_out);
        soft.extend_from_slice(&self.table);
        pack(&soft, &[])
    }

    pub(in super::super) fn read(value: &[u8]) -> Result<Self, FrameError> {
        let (soft, _) = unpack(value)?;
        let mut cursor = Cursor::new(&soft);
        Ok(Self { left_out: cursor.var()?, table: cursor.rest().to_vec() })
    }

    pub(in super::super) fn memory_bytes(&self) -> usize {
        self.table.len()
    }
}
