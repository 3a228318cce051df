//! What the server answers: zipkin's read API, health, metrics, the UI. Spans come in elsewhere (`transport`).

mod encode;
mod error;
mod file;
mod health;
mod info;
mod metrics;
mod openapi;
mod params;
mod pins;
mod reads;
mod red;
mod search;
mod summaries;
mod ui;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use tokio_util::sync::CancellationToken;

pub use info::{COMMIT, VERSION};
pub use ui::{LinkPattern, UiConfig};

use self::file::File;
use self::health::StorageHealth;
use self::ui::Ui;
use crate::query::QueryService;
use crate::storage::{Capabilities, StorageBackend};
use crate::telemetry::{Clock, HealthComponent};
use crate::web::answer;
use crate::web::compression::{CompressionConfig, compress};

/// Settings of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiConfig {
    /// The read API is served (`QUERY_ENABLED`).
    pub query_enabled: bool,
    /// The UI is served (`UI_ENABLED`, by default as `QUERY_ENABLED`).
    pub ui_enabled: bool,
    /// How long lists of names may be cached (`ZIPKIN_QUERY_NAMES_MAX_AGE`).
    pub names_max_age: Duration,
    /// Which answers are compressed (`server.compression.*`).
    pub compression: CompressionConfig,
    /// Traces can be pinned (`PIN_ENABLED`), if the store can.
    pub pin_enabled: bool,
    /// What the UI is told.
    pub ui: UiConfig,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            query_enabled: true,
            ui_enabled: true,
            names_max_age: Duration::from_secs(300),
            compression: CompressionConfig::default(),
            pin_enabled: false,
            ui: UiConfig::default(),
        }
    }
}

/// What the API is made of.
pub struct ApiParts {
    /// Settings.
    pub config: ApiConfig,
    /// The read side.
    pub query: QueryService,
    /// The store, for its health.
    pub storage: Arc<dyn StorageBackend>,
    /// Further components of `/health`, in the order they are listed.
    pub health: Vec<Arc<dyn HealthComponent>>,
    /// What `/metrics` and `/prometheus` show.
    pub registry: prometheus::Registry,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the server begins to shut down: `/health/ready` says so.
    pub draining: CancellationToken,
}

impl std::fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiParts").field("config", &self.config).field("query", &self.query).finish_non_exhaustive()
    }
}

/// The state of the API's routes. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
}

struct Inner {
    config: ApiConfig,
    query: QueryService,
    storage: Arc<dyn StorageBackend>,
    health: Vec<Arc<dyn HealthComponent>>,
    registry: prometheus::Registry,
    clock: Arc<dyn Clock>,
    draining: CancellationToken,
    ui: Ui,
    openapi: File,
    started_ms: i64,
    /// How many names the last answer to `/services` had.
    services_listed: AtomicUsize,
}

impl ApiState {
    /// Puts the parts together. The store is the first component of `/health`.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let mut health: Vec<Arc<dyn HealthComponent>> = vec![Arc::new(StorageHealth(parts.storage.clone()))];
        health.extend(parts.health);
        let capabilities = parts.query.capabilities();
        let extensions = [
            Some("summaries"),
            capabilities.red.then_some("red"),
            pins_served(&parts.config, capabilities).then_some("pin"),
        ];
        let extensions = extensions.into_iter().flatten().collect();
        let ui = Ui::new(parts.config.ui.clone(), extensions);
        let inner = Inner {
            ui,
            openapi: openapi::file(),
            health,
            config: parts.config,
            query: parts.query,
            storage: parts.storage,
            registry: parts.registry,
            started_ms: parts.clock.now_ms(),
            clock: parts.clock,
            draining: parts.draining,
            services_listed: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState")
            .field("config", &self.inner.config)
            .field("query", &self.inner.query)
            .finish_non_exhaustive()
    }
}

/// Every route of the API. To be merged with the transports' and put into [`edge`](crate::web::edge::edge).
pub fn routes(state: ApiState) -> Router {
    let mut routes = operations();
    let is_pinning = pins_served(&state.inner.config, state.inner.storage.capabilities());
    if state.inner.config.query_enabled {
        let below_ui = if state.inner.config.ui_enabled { Prefix::BelowUi } else { Prefix::Root };
        for (base, prefix) in [("", Prefix::Root), ("/zipkin", below_ui)] {
            routes = routes.merge(reads(&format!("{base}/api/v2"), prefix));
            routes = routes.route(&format!("{base}/api/ext/v1/summaries"), served(summaries::summaries, prefix));
            routes = routes.route(&format!("{base}/api/ext/v1/red"), served(red::red, prefix));
            if is_pinning {
                routes = routes.merge(pins(&format!("{base}/api/ext/v1/pin"), prefix));
            }
        }
    }
    if state.inner.config.ui_enabled {
        routes = routes.merge(ui::routes(&state));
    }
    compress(routes, state.inner.config.compression.clone()).with_state(state)
}

/// Pinning is asked for, and the store can.
fn pins_served(config: &ApiConfig, capabilities: Capabilities) -> bool {
    config.pin_enabled && config.query_enabled && capabilities.pins
}

fn pins(base: &str, prefix: Prefix) -> Router<ApiState> {
    let one = post(pins::pin).delete(pins::unpin);
    let one = match prefix {
        Prefix::Root => one,
        Prefix::BelowUi => one.fallback(answer::method_not_allowed),
    };
    Router::new().route(base, served(pins::list, prefix)).route(&format!("{base}/{{traceId}}"), one)
}

fn operations() -> Router<ApiState> {
    let file = |handler: MethodRouter<ApiState>| handler.fallback(answer::method_not_allowed);
    Router::new()
        .route("/health", served(health::health, Prefix::Root))
        .route("/health/live", served(health::live, Prefix::Root))
        .route("/health/ready", served(health::ready, Prefix::Root))
        .route("/metrics", served(metrics::metrics, Prefix::Root))
        .route("/prometheus", served(metrics::prometheus, Prefix::Root))
        .route(openapi::PATH, served(openapi::openapi, Prefix::Root))
        .route("/info", file(get(info::info)))
        .route("/actuator/health", served(health::actuator_health, Prefix::Root))
        .route("/actuator/info", file(get(info::actuator_info)))
        .route("/actuator/prometheus", served(metrics::prometheus, Prefix::Root))
}

fn reads(base: &str, prefix: Prefix) -> Router<ApiState> {
    let at = |path: &str| format!("{base}{path}");
    Router::new()
        .route(&at("/services"), served(reads::services, prefix))
        .route(&at("/spans"), served(reads::spans, prefix))
        .route(&at("/remoteServices"), served(reads::remote_services, prefix))
        .route(&at("/traces"), served(reads::traces, prefix))
        .route(&at("/trace/{traceId}"), served(reads::trace, prefix))
        .route(&at("/traceMany"), served(reads::trace_many, prefix))
        .route(&at("/dependencies"), served(reads::dependencies, prefix))
        .route(&at("/autocompleteKeys"), served(reads::autocomplete_keys, prefix))
        .route(&at("/autocompleteValues"), served(reads::autocomplete_values, prefix))
}

/// Where a path of the API lies decides what other methods hear.
#[derive(Clone, Copy)]
enum Prefix {
    /// 404, said by the edge when all routes are known.
    Root,
    /// 405, as for the files beside it.
    BelowUi,
}

/// GET only: HEAD is an unknown path on the API.
fn served<H, T>(handler: H, prefix: Prefix) -> MethodRouter<ApiState>
where
    H: Handler<T, ApiState>,
    T: 'static,
{
    let route = get(handler).head(answer::not_found);
    match prefix {
        Prefix::Root => route,
        Prefix::BelowUi => route.fallback(answer::method_not_allowed),
    }
}

#[cfg(test)]
mod tests;
