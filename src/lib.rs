//! zipkind: a distributed-tracing collector, store and UI, and a drop-in for zipkin-server.
//!
//! Spans flow transport → codec → ingest → storage → query → api → ui. Imports go one way:
//! model, telemetry < codec, storage < ingest, query < web < transport, api < config < server < main
//! (`tests/tidy.rs` enforces it).

pub mod api;
pub mod codec;
pub mod config;
pub mod ingest;
pub mod model;
pub mod query;
pub mod server;
pub mod storage;
pub mod telemetry;
pub mod transport;
pub mod web;
