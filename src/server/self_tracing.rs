//! Self tracing put together: OpenTelemetry's SDK, and where its spans go.

mod own_store;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use tracing::warn;

use self::own_store::OwnStore;
use crate::ingest::{Collector, MemoryBudget};
use crate::telemetry::CollectorMetrics;
use crate::telemetry::self_tracing::{OwnSpansTarget, RootSampler, SERVICE_NAME, SelfTracer, SelfTracingConfig};

/// Own spans that wait for the next report; beyond, they are dropped.
const QUEUE_SPANS_MAX: usize = 2_048;
/// Most spans of one report.
const REPORT_SPANS_MAX: usize = 512;
/// How long one report over OTLP may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// What runs while self tracing is on.
#[derive(Debug)]
pub(super) struct SelfTracing {
    provider: SdkTracerProvider,
}

/// What reports need of the server.
pub(super) struct Reporting<'a> {
    pub(super) collector: &'a Collector,
    pub(super) budget: &'a MemoryBudget,
    pub(super) metrics: &'a CollectorMetrics,
}

/// Starts it when it is switched on.
///
/// # Errors
/// When the receiver's address cannot be used.
pub(super) fn start(config: &SelfTracingConfig, parts: &Reporting<'_>) -> anyhow::Result<Option<SelfTracing>> {
    if !config.enabled {
        return Ok(None);
    }
    let wrong = "own spans cannot be sent to the OTLP endpoint";
    let provider = match &config.target {
        OwnSpansTarget::OwnStore => {
            provider(config, OwnStore::new(parts.collector.clone(), parts.budget.clone(), parts.metrics.clone()))
        }
        OwnSpansTarget::OtlpHttp(url) => {
            let http = OtlpExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(url);
            provider(config, http.with_timeout(REPORT_TIMEOUT).build().context(wrong)?)
        }
        OwnSpansTarget::OtlpGrpc(url) => {
            let grpc = OtlpExporter::builder().with_tonic().with_endpoint(url).with_timeout(REPORT_TIMEOUT);
            provider(config, grpc.build().context(wrong)?)
        }
    };
    Ok(Some(SelfTracing { provider }))
}

fn provider(config: &SelfTracingConfig, exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_SPANS_MAX)
        .with_max_export_batch_size(REPORT_SPANS_MAX)
        .with_scheduled_delay(config.flush_interval);
    let exporter = OnRuntime { exporter: Arc::new(exporter), runtime: Handle::current() };
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
    SdkTracerProvider::builder()
        .with_sampler(RootSampler::new(config))
        .with_resource(Resource::builder_empty().with_service_name(SERVICE_NAME).build())
        .with_span_processor(processor)
        .build()
}

impl SelfTracing {
    pub(super) fn tracer(&self) -> SelfTracer {
        SelfTracer::new(&self.provider)
    }

    /// Sends what waits, within `limit`.
    pub(super) async fn stop(self, limit: Duration) {
        // The SDK has a thread of its own and blocks until that has ended.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(limit)).await;
        if let Ok(Err(error)) = ended {
            warn!(%error, "the last own spans were not reported");
        }
    }
}

/// Runs an exporter on the server's runtime: the SDK calls it from a thread that has none.
struct OnRuntime<E> {
    exporter: Arc<E>,
    runtime: Handle,
}

impl<E> fmt::Debug for OnRuntime<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

impl<E: SpanExporter + 'static> SpanExporter for OnRuntime<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let exporter = Arc::clone(&self.exporter);
        let export = self.runtime.spawn(async move { exporter.export(batch).await });
        async move {
            let result = export.await.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())));
            // The SDK's own log says it at a level that nobody sees.
            result.inspect_err(|error| warn!(%error, "own spans were not reported"))
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}
