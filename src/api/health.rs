//! `/health` as zipkin writes it, `/health/live` and `/health/ready` for orchestrators.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use futures_util::future::join_all;
use http::StatusCode;
use http::header::HeaderValue;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::ApiState;
use crate::storage::StorageBackend;
use crate::telemetry::HealthComponent;
use crate::web::answer;

/// Longest time that the checks of one request may take together.
pub(super) const HEALTH_TIMEOUT: Duration = Duration::from_secs(11);
const TIMED_OUT: &str = "Timed out computing health status. This often means your storage backend is unreachable.";
const ACTUATOR_JSON: HeaderValue =
    HeaderValue::from_static("application/vnd.spring-boot.actuator.v2+json; charset=utf-8");

/// The store as a component.
pub(super) struct StorageHealth(pub(super) Arc<dyn StorageBackend>);

#[async_trait]
impl HealthComponent for StorageHealth {
    fn name(&self) -> String {
        self.0.health_name()
    }

    async fn check(&self) -> Result<(), String> {
        self.0.check().await.map_err(|error| error.to_string())
    }
}

pub(super) async fn health(State(state): State<ApiState>) -> Response {
    report(&state, answer::JSON_UTF8).await
}

pub(super) async fn actuator_health(State(state): State<ApiState>) -> Response {
    report(&state, ACTUATOR_JSON).await
}

/// The process runs: nothing else is looked at, so that a slow store does not get the process restarted.
pub(super) async fn live() -> Response {
    answer::answer(StatusCode::OK, answer::JSON_UTF8, answer::pretty_json(&Simple { status: "UP" }))
}

/// The process takes requests: every component is up and it is not shutting down.
pub(super) async fn ready(State(state): State<ApiState>) -> Response {
    let status = if state.inner.draining.is_cancelled() {
        "OUT_OF_SERVICE"
    } else if check_all(&state).await.is_some_and(|components| all_up(&components)) {
        "UP"
    } else {
        "DOWN"
    };
    answer::answer(code(status == "UP"), answer::JSON_UTF8, answer::pretty_json(&Simple { status }))
}

async fn report(state: &ApiState, content_type: HeaderValue) -> Response {
    let (up, details) = match check_all(state).await {
        Some(components) => (all_up(&components), Details::Components(components)),
        None => (false, Details::Error { error: TIMED_OUT.to_owned() }),
    };
    let status = word(up);
    let health = Health { status, zipkin: Node { status, details: Some(details) } };
    answer::answer(code(up), content_type, answer::pretty_json(&health))
}

/// Every component with its error; `None` when they take too long.
async fn check_all(state: &ApiState) -> Option<Components> {
    let checks = join_all(state.inner.health.iter().map(|component| async move {
        let result = component.check().await;
        Checked { name: component.name(), note: component.note(), result }
    }));
    tokio::time::timeout(HEALTH_TIMEOUT, checks).await.ok().map(Components)
}

fn all_up(components: &Components) -> bool {
    components.0.iter().all(|checked| checked.result.is_ok())
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn code(up: bool) -> StatusCode {
    if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[derive(Serialize)]
struct Simple {
    status: &'static str,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    zipkin: Node,
}

#[derive(Serialize)]
struct Node {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Details {
    Components(Components),
    Error { error: String },
    Note { note: String },
}

/// A component that was looked at.
struct Checked {
    name: String,
    note: Option<String>,
    result: Result<(), String>,
}

/// Components by name, in the order they were registered.
struct Components(Vec<Checked>);

impl Serialize for Components {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Checked { name, note, result } in &self.0 {
            let details = match result {
                Err(error) => Some(Details::Error { error: error.clone() }),
                Ok(()) => note.clone().map(|note| Details::Note { note }),
            };
            map.serialize_entry(name, &Node { status: word(result.is_ok()), details })?;
        }
        map.end()
    }
}
