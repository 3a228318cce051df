//! Which requests are traced: what their sender decided, else a share, else so many a second (zipkin's order).

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::SelfTracingConfig;

const SECOND: Duration = Duration::from_secs(1);

/// What the sender of a request decided, as a value of the context it came with. B3 may leave it open (`None`) and still
/// name the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision(pub Option<bool>);

/// Decides on requests; whatever is done for one goes the same way.
#[derive(Clone, Debug)]
pub struct RootSampler {
    rule: Arc<Rule>,
}

#[derive(Debug)]
enum Rule {
    All,
    /// Kept when the low 63 bits of the trace id are below this.
    Share(u64),
    PerSecond(u32, Mutex<Second>),
}

/// The second that began last, and how many traces began in it.
#[derive(Debug)]
struct Second {
    start: Instant,
    traces: u32,
}

impl RootSampler {
    /// A share below 1 is a share; else the rate decides.
    #[must_use]
    pub fn new(config: &SelfTracingConfig) -> Self {
        let rule = if config.sample_rate < 1.0 {
            Rule::Share((config.sample_rate.max(0.0) * (1_u64 << 63) as f64) as u64)
        } else if config.traces_per_second > 0 {
            Rule::PerSecond(config.traces_per_second, Mutex::new(Second { start: Instant::now(), traces: 0 }))
        } else {
            Rule::All
        };
        Self { rule: Arc::new(rule) }
    }

    fn is_kept(&self, trace_id: TraceId) -> bool {
        match &*self.rule {
            Rule::All => true,
            Rule::Share(bound) => {
                let low = trace_id.to_bytes().last_chunk().map_or(0, |low| u64::from_be_bytes(*low));
                low >> 1 < *bound
            }
            Rule::PerSecond(most, second) => {
                let mut second = second.lock();
                if second.start.elapsed() >= SECOND {
                    *second = Second { start: Instant::now(), traces: 0 };
                }
                second.traces += 1;
                second.traces <= *most
            }
        }
    }
}

impl ShouldSample for RootSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let kept = match parent.map(|context| (context.get::<Decision>(), context.span().span_context().clone())) {
            Some((Some(Decision(Some(decided))), _)) => *decided,
            Some((None, span)) if span.is_valid() => span.is_sampled(),
            _ => self.is_kept(trace_id),
        };
        SamplingResult {
            decision: if kept { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: parent.map(|context| context.span().span_context().trace_state().clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

    use super::*;

    fn sampler(sample_rate: f64, traces_per_second: u32) -> RootSampler {
        RootSampler::new(&SelfTracingConfig { sample_rate, traces_per_second, ..SelfTracingConfig::default() })
    }

    fn is_sampled(sampler: &RootSampler, parent: Option<&Context>, low: u64) -> bool {
        let trace_id = TraceId::from(u128::from(low));
        let result = sampler.should_sample(parent, trace_id, "", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_share_goes_by_the_trace_id_and_the_rate_is_ignored_then() {
        let half = sampler(0.5, 1);
        assert!((0..100).all(|low| is_sampled(&half, None, low)));
        assert!(!is_sampled(&half, None, u64::MAX));
        assert!(!is_sampled(&sampler(0.0, 0), None, 0));
        let spread = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tenth = sampler(0.1, 1);
        let kept = (1..=10_000).filter(|index| is_sampled(&tenth, None, spread(*index))).count();
        assert!((900..1_100).contains(&kept), "{kept}");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_traces_begin_in_a_second() {
        let three = sampler(1.0, 3);
        let begun = || (0..50).filter(|low| is_sampled(&three, None, *low)).count();
        assert_eq!(begun(), 3);
        tokio::time::advance(Duration::from_millis(900)).await;
        assert_eq!(begun(), 0);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(begun(), 3);
        let all = sampler(1.0, 0);
        assert!((0..50).all(|low| is_sampled(&all, None, low)), "0 is all");
    }

    #[test]
    fn the_sender_decides_and_children_follow_their_parent() {
        let none = sampler(0.0, 1);
        let span = |flags| SpanContext::new(1.into(), SpanId::from(1), flags, true, TraceState::NONE);
        let decided = |decision| Context::new().with_value(Decision(decision));
        assert!(is_sampled(&none, Some(&decided(Some(true))), 1));
        assert!(!is_sampled(&sampler(1.0, 0), Some(&decided(Some(false))), 1));
        assert!(!is_sampled(&none, Some(&decided(None)), 1), "left open: the share decides");
        let parent = Context::new().with_remote_span_context(span(TraceFlags::SAMPLED));
        assert!(is_sampled(&none, Some(&parent), 1));
        let parent = Context::new().with_remote_span_context(span(TraceFlags::default()));
        assert!(!is_sampled(&sampler(1.0, 0), Some(&parent), 1));
        let open = decided(None).with_remote_span_context(span(TraceFlags::default()));
        assert!(is_sampled(&sampler(1.0, 0), Some(&open), 1), "open, though the ids are known");
    }
}
