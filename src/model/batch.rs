//! Many spans in one buffer: what flows from the codecs to the stores.

use super::parts::{self, RecordHead};
use super::{CorruptRecord, Span, SpanBuilder, SpanRef};

/// A list of span records behind each other in one buffer; no allocation per span or field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanBatch {
    buffer: Vec<u8>,
    /// End of each record in `buffer`; a batch stays below 4 GiB (bodies are bounded far below).
    ends: Vec<u32>,
}

impl SpanBatch {
    /// No spans, no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for `spans` spans of `bytes` bytes together.
    #[must_use]
    pub fn with_capacity(spans: usize, bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(bytes), ends: Vec::with_capacity(spans) }
    }

    /// How many spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all records.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes this batch holds on to.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// Gives back memory beyond what the records need.
    pub fn shrink_to_fit(&mut self) {
        self.buffer.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// The bytes of the record at `index`, empty beyond the end.
    #[must_use]
    pub fn record(&self, index: usize) -> &[u8] {
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.buffer[start as usize..end as usize]
    }

    /// The bytes of each record, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.record(index))
    }

    /// The span at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<SpanRef<'_>> {
        SpanRef::read(self.record(index)).ok()
    }

    /// Every span, in order.
    pub fn iter(&self) -> impl Iterator<Item = SpanRef<'_>> + Clone {
        // Only whole records get in (builder, other batches, checked bytes), so none is left out here.
        self.records().filter_map(|record| SpanRef::read(record).ok())
    }

    /// Appends a record that comes from another batch.
    pub fn push_record(&mut self, record: &[u8]) {
        self.buffer.extend_from_slice(record);
        self.end_record();
    }

    /// Appends a record that comes from outside the process.
    ///
    /// # Errors
    /// [`CorruptRecord`] when the bytes are no whole record; the batch is unchanged then.
    pub fn push_stored(&mut self, record: &[u8]) -> Result<(), CorruptRecord> {
        SpanRef::check(record)?;
        self.push_record(record);
        Ok(())
    }

    /// Appends a record that was taken apart ([`RecordParts`](super::RecordParts)); what is missing is empty.
    pub fn push_joined<'a>(
        &mut self,
        head: &RecordHead,
        name: &[u8],
        endpoints: [&[u8]; 2],
        annotations: impl ExactSizeIterator<Item = (i64, &'a [u8])>,
        tags: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        parts::join(&mut self.buffer, head, name, endpoints, annotations, tags);
        self.end_record();
    }

    /// Appends all spans of another batch.
    pub fn append(&mut self, other: &Self) {
        let shift = self.buffer.len() as u32;
        self.buffer.extend_from_slice(&other.buffer);
        self.ends.extend(other.ends.iter().map(|end| end + shift));
    }

    /// The spans `from..to` as a batch of their own.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        let mut part = Self::new();
        self.records().take(to).skip(from).for_each(|record| part.push_record(record));
        part
    }

    /// Keeps the spans that `keep` says yes to, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(SpanRef<'_>) -> bool) {
        let mut kept = Self::with_capacity(self.ends.len(), self.buffer.len());
        for span in self.iter() {
            if keep(span) {
                kept.push_record(span.record());
            }
        }
        *self = kept;
    }

    /// Owned copies of every span, for tests and cold paths.
    #[must_use]
    pub fn to_spans(&self) -> Vec<Span> {
        self.iter().map(Span::from).collect()
    }

    pub(super) fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Closes the record whose bytes were appended to the buffer.
    pub(super) fn end_record(&mut self) {
        assert!(self.buffer.len() <= u32::MAX as usize, "a span batch outgrew 4 GiB");
        self.ends.push(self.buffer.len() as u32);
    }
}

impl<'a> FromIterator<&'a Span> for SpanBatch {
    fn from_iter<I: IntoIterator<Item = &'a Span>>(spans: I) -> Self {
        let mut batch = Self::new();
        let mut builder = SpanBuilder::new();
        for span in spans {
            builder.copy_from_owned(span);
            // An owned span has both ids, so finishing it cannot fail.
            let _ = builder.finish(&mut batch);
        }
        batch
    }
}
