//! Which traces are kept when only a share of them is wanted.

use crate::model::{SpanBatch, SpanRef};

/// Decides by the low 64 bits of the trace id, so that every process keeps the same traces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampler {
    boundary: i64,
}

impl Sampler {
    /// Keeps the share `rate` (0 to 1) of all traces.
    pub(super) fn new(rate: f32) -> Self {
        // Zipkin multiplies in 32-bit floats; the cast saturates at both ends, as Java's does.
        Self { boundary: (i64::MAX as f32 * rate) as i64 }
    }

    /// Takes out the spans of unwanted traces and tells how many. Spans with the debug flag stay.
    pub(super) fn sample(self, spans: &mut SpanBatch) -> usize {
        if self.boundary == i64::MAX {
            return 0;
        }
        let before = spans.len();
        spans.retain(|span| self.keeps(&span));
        before - spans.len()
    }

    fn keeps(self, span: &SpanRef<'_>) -> bool {
        let low = span.trace_id.low() as i64;
        span.debug || low.checked_abs().unwrap_or(i64::MAX) <= self.boundary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanBuilder, SpanId, TraceId};

    fn kept(rate: f32, low: u64, debug: bool) -> bool {
        let mut batch = SpanBatch::new();
        let mut builder = SpanBuilder::new();
        builder.set_trace_id(TraceId::from_halves(7, low).unwrap());
        builder.set_id(SpanId::new(1));
        builder.set_debug(debug);
        builder.finish(&mut batch).unwrap();
        let dropped = Sampler::new(rate).sample(&mut batch);
        assert_eq!(dropped + batch.len(), 1);
        batch.len() == 1
    }

    #[test]
    fn half_the_traces_are_those_up_to_the_middle_as_zipkin_counts() {
        for low in [1, 0x3fff_ffff_ffff_ffff, 0xc000_0000_0000_0001, u64::MAX] {
            assert!(kept(0.5, low, false), "{low:x}");
        }
        for low in [0x4000_0000_0000_0001, 0x7fff_ffff_ffff_ffff, 1 << 63, 0xbfff_ffff_ffff_ffff] {
            assert!(!kept(0.5, low, false), "{low:x}");
        }
    }

    #[test]
    fn debug_spans_are_kept_whatever_the_rate() {
        assert!(!kept(0.0, 5, false));
        assert!(kept(0.0, 5, true));
    }

    #[test]
    fn everything_is_kept_at_rate_one() {
        assert!(kept(1.0, 1 << 63, false));
        assert!(kept(1.0, i64::MAX as u64, false));
    }
}
