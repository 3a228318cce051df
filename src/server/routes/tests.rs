//! Every route is described in `docs/openapi.json`, and everything described is a route.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::*;
use crate::storage::{MemoryConfig, MemoryStorage, StorageOptions};
use crate::telemetry::SystemClock;

fn description() -> Value {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
}

/// The paths of all routes, as axum writes them.
fn routed_paths() -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let environment = HashMap::from([("PIN_ENABLED".to_owned(), "true".to_owned())]);
    let config = Config::load(&[], &environment, directory.path()).unwrap();
    let storage = Arc::new(MemoryStorage::new(MemoryConfig::default(), StorageOptions::default()));
    let registry = Registry::new();
    let budget = MemoryBudget::new(config.ingest_memory_bytes);
    let collector = Collector::start(&config.ingest, storage.clone(), &registry, budget.clone()).unwrap();
    let parts = Parts {
        config: &config,
        storage,
        collector,
        budget,
        registry: &registry,
        clock: Arc::new(SystemClock),
        draining: CancellationToken::new(),
        metrics: CollectorMetrics::register(&registry).unwrap(),
        tracer: None,
        health: Vec::new(),
    };
    // A router shows its paths to nobody but debuggers: `RouteId(7): "/info"`.
    let shown = format!("{:?}", bare(parts).unwrap().main());
    let paths = shown.split("RouteId(").filter_map(|part| part.split_once("): \"")?.1.split('"').next());
    let paths: BTreeSet<String> = paths.filter(|path| !path.contains("__private")).map(str::to_owned).collect();
    assert!(paths.contains("/info") && paths.contains("/v1/traces"), "{shown}");
    paths
}

/// Described paths with the servers they are on, as axum writes them.
fn described_paths() -> BTreeSet<String> {
    let description = description();
    let mut paths = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let servers = item.get("servers").unwrap_or(&description["servers"]).as_array().unwrap();
        for server in servers {
            let base = server["url"].as_str().unwrap().trim_end_matches('/');
            paths.insert(format!("{base}{path}").replace("/zipkin/{path}", "/zipkin/{*path}"));
        }
    }
    paths
}

/// `/package.Service/Method`: described by gRPC's own reflection.
fn is_grpc(path: &str) -> bool {
    path.trim_start_matches('/')
        .split('/')
        .next()
        .is_some_and(|service| service.contains('.') && path.matches('/').count() == 2)
}

#[tokio::test]
async fn every_route_is_described_and_everything_described_is_a_route() {
    let routed: BTreeSet<String> = routed_paths().into_iter().filter(|path| !is_grpc(path)).collect();
    let described = described_paths();
    let missing: Vec<_> = routed.difference(&described).collect();
    assert!(missing.is_empty(), "docs/openapi.json does not describe {missing:?}");
    let invented: Vec<_> = described.difference(&routed).collect();
    assert!(invented.is_empty(), "docs/openapi.json describes what is not there: {invented:?}");
}

#[test]
fn the_description_is_of_this_version_and_all_its_references_lead_somewhere() {
    let description = description();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = description.to_string();
    let references: Vec<_> = text.split("\"$ref\":\"#").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    assert!(references.len() > 50);
    for reference in references {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
    let components = description["components"].as_object().unwrap();
    for (kind, parts) in components {
        for name in parts.as_object().unwrap().keys() {
            assert!(text.contains(&format!("\"#/components/{kind}/{name}\"")), "{kind}/{name} is not used");
        }
    }
}
