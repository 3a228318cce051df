//! What JSON v1 and thrift share: a span whose ids may come last, or never.

use super::DecodeLimits;
use super::fault::Fault;
use crate::model::v1::{V1Annotation, V1BinaryAnnotation, V1Converter, V1Error, V1Span};
use crate::model::{SpanBatch, SpanId, TraceId};

/// Converts one span after the other into one batch.
#[derive(Debug)]
pub(super) struct V1Batch<'l> {
    converter: V1Converter,
    limits: &'l DecodeLimits,
    pub(super) batch: SpanBatch,
}

impl<'l> V1Batch<'l> {
    pub(super) fn new(limits: &'l DecodeLimits) -> Self {
        Self { converter: V1Converter::new(), limits, batch: SpanBatch::new() }
    }

    pub(super) fn add(&mut self, span: V1Span) -> Result<(), Fault> {
        let spans_max = self.limits.spans_max;
        self.converter.convert(span, spans_max, &mut self.batch).map_err(|error| match error {
            V1Error::TooManySpans => Fault::too_many_spans(spans_max),
            V1Error::LongNameOfManyServices => Fault::rule(error),
        })
    }
}

/// The fields of a v1 span as they come in; zero and empty mean absent.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) trace_high: u64,
    pub(super) trace_low: u64,
    pub(super) id: u64,
    pub(super) parent_id: u64,
    pub(super) name: String,
    pub(super) timestamp_us: i64,
    pub(super) duration_us: i64,
    pub(super) annotations: Vec<V1Annotation>,
    pub(super) binary_annotations: Vec<V1BinaryAnnotation>,
    pub(super) debug: bool,
}

impl Draft {
    /// The span, if it has both ids. A trace id whose low half is zero is none.
    pub(super) fn into_span(self) -> Result<V1Span, Fault> {
        let trace_id = TraceId::from_halves(self.trace_high, self.trace_low).filter(|_| self.trace_low != 0);
        let trace_id = trace_id.ok_or_else(|| Fault::rule("traceId == 0"))?;
        if self.id == 0 {
            return Err(Fault::rule("id == 0"));
        }
        Ok(V1Span {
            trace_id,
            parent_id: (self.parent_id != 0).then_some(SpanId::new(self.parent_id)),
            id: SpanId::new(self.id),
            name: self.name,
            timestamp_us: self.timestamp_us,
            duration_us: self.duration_us,
            annotations: self.annotations,
            binary_annotations: self.binary_annotations,
            debug: self.debug,
        })
    }
}

#[cfg(test)]
mod tests;
