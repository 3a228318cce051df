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
use crate::telemetry::{Clock, CollectorMetrics};
use crate::transport;
use crate::web::body::BodyReader;
use crate::web::edge::edge;
use crate::web::request_metrics::RequestMetrics;

/// What routes are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) storage: Arc<dyn StorageBackend>,
    pub(super) collector: Collector,
    pub(super) budget: MemoryBudget,
    pub(super) registry: &'a Registry,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) draining: CancellationToken,
}

/// The routes of every part that is switched on, within the layers they share.
pub(super) fn all(parts: Parts<'_>) -> anyhow::Result<Router> {
    let config = parts.config;
    let state = ApiState::new(ApiParts {
        config: config.api.clone(),
        query: QueryService::new(Arc::clone(&parts.storage), config.query.clone()),
        storage: parts.storage,
        health: Vec::new(),
        registry: parts.registry.clone(),
        clock: parts.clock,
        draining: parts.draining,
    });
    let metrics = CollectorMetrics::register(parts.registry)?;
    // Zipkin shows gRPC's counters whether or not anything is received by it.
    let _zeros = metrics.transport("grpc");
    let bodies = BodyReader::register(config.body, parts.budget, parts.registry)?;
    let routes =
        api::routes(state).merge(transport::http::routes(parts.collector, &config.http_collector, &metrics, bodies));
    Ok(edge(routes, parts.config.edge.clone(), RequestMetrics::register(parts.registry)?))
}
