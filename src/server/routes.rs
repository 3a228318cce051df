//! All routes on the one port.

use std::sync::Arc;

use axum::Router;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::api::{self, ApiParts, ApiState};
use crate::config::Config;
use crate::ingest::{Collector, MemoryBudget};
use crate::query::QueryService;
use crate::storage::StorageBackend;
use crate::telemetry::self_tracing::SelfTracer;
use crate::telemetry::{Clock, CollectorMetrics, HealthComponent};
use crate::transport;
use crate::web::body::BodyReader;
use crate::web::edge::edge;
use crate::web::request_metrics::RequestMetrics;
use crate::web::self_tracing::trace_requests;

/// What routes are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) storage: Arc<dyn StorageBackend>,
    pub(super) collector: Collector,
    pub(super) budget: MemoryBudget,
    pub(super) registry: &'a Registry,
    pub(super) metrics: CollectorMetrics,
    pub(super) tracer: Option<SelfTracer>,
    /// Parts beside the store that can be up or down.
    pub(super) health: Vec<Arc<dyn HealthComponent>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) draining: CancellationToken,
}

/// Routes by port, within the layers they share.
pub(super) struct Doors {
    /// Every part that is switched on.
    pub(super) main: Router,
    /// OTLP over HTTP alone.
    pub(super) otlp_http: Router,
    /// The gRPC services alone.
    pub(super) otlp_grpc: Router,
}

/// Routes without the layers they share.
struct Routes {
    /// The API and zipkin's collector over HTTP.
    own: Router,
    otlp_http: Router,
    grpc: Router,
}

impl Routes {
    fn main(&self) -> Router {
        self.own.clone().merge(self.otlp_http.clone()).merge(self.grpc.clone())
    }
}

/// The routes of every part that is switched on.
pub(super) fn all(parts: Parts<'_>) -> anyhow::Result<Doors> {
    let requests = RequestMetrics::register(parts.registry)?;
    let config = parts.config.edge.clone();
    let door = |routes: Router| edge(routes, config.clone(), requests.clone());
    let routes = bare(parts)?;
    Ok(Doors { main: door(routes.main()), otlp_http: door(routes.otlp_http), otlp_grpc: door(routes.grpc) })
}

fn bare(parts: Parts<'_>) -> anyhow::Result<Routes> {
    let config = parts.config;
    let state = ApiState::new(ApiParts {
        config: config.api.clone(),
        query: QueryService::new(Arc::clone(&parts.storage), config.query.clone()),
        storage: parts.storage,
        health: parts.health,
        registry: parts.registry.clone(),
        clock: parts.clock,
        draining: parts.draining,
    });
    let metrics = parts.metrics;
    // Zipkin shows gRPC's counters whether or not anything is received by it.
    let _zeros = metrics.transport("grpc");
    let bodies = BodyReader::register(config.body, parts.budget, parts.registry)?;
    let collector = parts.collector;
    let otlp_http = transport::otlp::routes(collector.clone(), &config.otlp, &metrics, bodies.clone());
    let grpc = transport::grpc::routes(&collector, &config.grpc_collector, &config.otlp, &metrics, &bodies);
    let mut own =
        api::routes(state).merge(transport::http::routes(collector, &config.http_collector, &metrics, bodies));
    if let Some(tracer) = parts.tracer {
        own = trace_requests(own, tracer);
    }
    Ok(Routes { own, otlp_http, grpc })
}

#[cfg(test)]
mod tests;
