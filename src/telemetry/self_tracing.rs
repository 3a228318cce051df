//! Spans of the server's own calls (zipkin's `SELF_TRACING_*`), made with OpenTelemetry's SDK.
//!
//! The tracer travels in the context of the request that is traced, so whatever works for that request can add a child
//! ([`traced`]), and work for nobody's traced request finds no tracer and costs a look at a thread-local. That is also why
//! storing own spans makes no spans: no request is behind it.

mod sampler;

use std::fmt::Display;
use std::time::Duration;

use opentelemetry::trace::{FutureExt as _, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use sampler::{Decision, RootSampler};

/// What the server is called in its own traces, as zipkin's.
pub const SERVICE_NAME: &str = "zipkin-server";

/// Settings of self tracing.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTracingConfig {
    /// Trace own calls (`SELF_TRACING_ENABLED`).
    pub enabled: bool,
    /// Share of requests that begin a trace; 1 leaves it to the rate (`SELF_TRACING_SAMPLE_RATE`).
    pub sample_rate: f64,
    /// Most traces begun in a second, 0 for all (`SELF_TRACING_TRACES_PER_SECOND`).
    pub traces_per_second: u32,
    /// Time between two reports (`SELF_TRACING_FLUSH_INTERVAL`).
    pub flush_interval: Duration,
    /// Where spans go.
    pub target: OwnSpansTarget,
}

/// Where own spans go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnSpansTarget {
    /// Into the own store, as zipkin-server does.
    #[default]
    OwnStore,
    /// To an OTLP receiver, as protobuf over HTTP; the whole URL.
    OtlpHttp(String),
    /// To an OTLP receiver over gRPC; the URL of its host.
    OtlpGrpc(String),
}

impl Default for SelfTracingConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            sample_rate: 1.0,
            traces_per_second: 1,
            flush_interval: Duration::from_secs(1),
            target: OwnSpansTarget::OwnStore,
        }
    }
}

/// Begins the spans of requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SelfTracer {
    tracer: SdkTracer,
}

impl SelfTracer {
    /// Reports to the processors of `provider`.
    #[must_use]
    pub fn new(provider: &SdkTracerProvider) -> Self {
        Self { tracer: provider.tracer("zipkind") }
    }

    /// Begins the span of a request that somebody sent; `None` when it is not to be traced. The span ends when the last
    /// clone of the context is dropped.
    #[must_use]
    pub fn begin(&self, parent: &Context, name: String, attributes: Vec<KeyValue>) -> Option<Context> {
        let span = self.tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
        let span = span.start_with_context(&self.tracer, parent);
        let context = Context::new().with_value(self.clone()).with_span(span);
        context.span().is_recording().then_some(context)
    }
}

/// Makes `call` a child of the request it is for, when that is traced; otherwise only awaits it.
///
/// # Errors
/// Those of `call`.
pub async fn traced<T, E: Display>(
    name: &'static str,
    call: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    let Some(SelfTracer { tracer }) = Context::map_current(|context| context.get::<SelfTracer>().cloned()) else {
        return call.await;
    };
    let parent = Context::current();
    let span = tracer.span_builder(name).with_kind(SpanKind::Internal).start_with_context(&tracer, &parent);
    let context = parent.with_span(span);
    let result = call.with_context(context.clone()).await;
    if let Err(error) = &result {
        context.span().set_attribute(KeyValue::new("error", error.to_string()));
    }
    result
}
