//! Messages that are written as one batch, and how they are divided when the store refuses it.

use tokio::time::Instant;

use super::counters::Counters;
use super::parcel::{Parcel, Receipt, SubmitError};
use crate::model::SpanBatch;
use crate::storage::{Batch, SourcePosition};

/// A batch and the receipts of its messages, in the order of their spans.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) batch: Batch,
    pub(super) receipts: Vec<Receipt>,
    pub(super) oldest: Option<Instant>,
}

impl Part {
    /// One batch of all messages. `None` without messages.
    pub(super) fn of(parcels: Vec<Parcel>) -> Option<Self> {
        let oldest = parcels.first()?.queued_at;
        let mut receipts = Vec::with_capacity(parcels.len());
        let mut parcels = parcels.into_iter();
        // The first message's buffer is the batch's: a batch of one message copies nothing.
        let first = parcels.next()?;
        let mut spans = first.spans;
        receipts.push(first.receipt);
        for parcel in parcels {
            spans.append(&parcel.spans);
            receipts.push(parcel.receipt);
        }
        let position = joined_position(&receipts);
        Some(Self { batch: Batch { spans, position }, receipts, oldest: Some(oldest) })
    }

    /// True when both messages may stand in one batch: neither has a position, or the second begins where the first ends.
    pub(super) fn follows(first: &Parcel, second: &Parcel) -> bool {
        match (&first.receipt.position, &second.receipt.position) {
            (None, None) => true,
            (Some(first), Some(second)) => {
                first.next == second.from
                    && first.partition == second.partition
                    && first.topic == second.topic
                    && first.group == second.group
            }
            _ => false,
        }
    }

    /// Two halves by messages, for a part of at least two.
    pub(super) fn divide(mut self) -> (Self, Self) {
        let right_receipts = self.receipts.split_off(self.receipts.len() / 2);
        let spans_left: usize = self.receipts.iter().map(|receipt| receipt.span_count).sum();
        let spans = std::mem::take(&mut self.batch.spans);
        let part = |spans: SpanBatch, receipts: Vec<Receipt>| Self {
            batch: Batch { spans, position: joined_position(&receipts) },
            receipts,
            oldest: None,
        };
        let left = part(spans.slice(0, spans_left), self.receipts);
        let right = part(spans.slice(spans_left, spans.len()), right_receipts);
        (left, right)
    }

    /// The store has the batch: every ticket says so.
    pub(super) fn settle_stored(receipts: Vec<Receipt>, counters: &Counters) {
        let spans: usize = receipts.iter().map(|receipt| receipt.span_count).sum();
        counters.stored.inc_by(spans as u64);
        counters.in_flight.sub(spans as i64);
        receipts.into_iter().for_each(Receipt::settle_stored);
    }

    /// The batch is not stored: every ticket says why.
    pub(super) fn settle_dropped(receipts: Vec<Receipt>, error: &SubmitError) {
        receipts.into_iter().for_each(|receipt| receipt.settle_dropped(error.clone()));
    }
}

/// From the first message's start to the last one's end.
fn joined_position(receipts: &[Receipt]) -> Option<SourcePosition> {
    let first = receipts.first()?.position.as_deref()?;
    let last = receipts.last()?.position.as_deref()?;
    Some(SourcePosition { from: first.from, ..last.clone() })
}
