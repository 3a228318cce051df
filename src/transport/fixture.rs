//! A transport over a memory store, for tests.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use prometheus::Registry;
use tower::ServiceExt as _;

use crate::codec::json_v2;
use crate::ingest::{Collector, IngestConfig, MemoryBudget};
use crate::model::{SpanBatch, TraceId};
use crate::storage::scripted::{Act, Scripted};
use crate::storage::{
    ErrorKind, MemoryConfig, MemoryStorage, QueryBudget, SpanStore as _, StorageBackend, StorageOptions,
};
use crate::telemetry::CollectorMetrics;
use crate::web::body::BodyReader;
use crate::web::limits::BodyLimits;

pub(super) struct Fixture {
    router: Router,
    registry: Registry,
    storage: Arc<MemoryStorage>,
    pub(super) budget: MemoryBudget,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Fixture {
    pub(super) fn new(routes: impl FnOnce(Collector, &CollectorMetrics, BodyReader) -> Router) -> Self {
        let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
        Self::over(Arc::clone(&storage) as _, storage, routes)
    }

    /// Over a store that fails every write with `kind`.
    pub(super) fn failing(
        kind: ErrorKind,
        routes: impl FnOnce(Collector, &CollectorMetrics, BodyReader) -> Router,
    ) -> Self {
        let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
        let script = std::iter::repeat_n(Act::Fail(kind, 0), 1_000);
        Self::over(Arc::new(Scripted::new(script)), storage, routes)
    }

    fn over(
        stored: Arc<dyn StorageBackend>,
        storage: Arc<MemoryStorage>,
        routes: impl FnOnce(Collector, &CollectorMetrics, BodyReader) -> Router,
    ) -> Self {
        let registry = Registry::new();
        let budget = MemoryBudget::new(256 << 20);
        let collector = Collector::start(&IngestConfig::default(), stored, &registry, budget.clone()).unwrap();
        let bodies = BodyReader::register(BodyLimits::default(), budget.clone(), &registry).unwrap();
        let metrics = CollectorMetrics::register(&registry).unwrap();
        Self { router: routes(collector, &metrics, bodies), registry, storage, budget }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        #[allow(clippy::disallowed_methods, reason = "the answer of our own server is bounded")]
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, body: collected.to_bytes(), trailers }
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The counter of one transport, of all the families that zipkin has.
    pub(super) fn counted(&self, name: &str, transport: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let of_transport = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == transport;
        family.get_metric().iter().find(of_transport).unwrap().get_counter().get_value()
    }

    /// The stored spans of a trace as JSON.
    pub(super) async fn trace(&self, trace_id: &str) -> Vec<serde_json::Value> {
        let id = TraceId::parse(trace_id.as_bytes()).unwrap();
        let traces = self.storage.traces(&[id], &QueryBudget::unlimited()).await.unwrap();
        let mut text = Vec::new();
        json_v2::write_spans(traces.first().unwrap_or(&SpanBatch::new()), &mut text);
        serde_json::from_slice(&text).unwrap()
    }
}
