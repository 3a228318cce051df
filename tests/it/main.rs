//! The whole server, through its sockets and as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests fail by panic and say why")]

mod binary;
mod config;
mod corpora;
mod durability;
mod faulty_storage;
mod fuzzing;
mod handover;
mod hostile;
mod ingest_faults;
mod ingest_limits;
mod kafka;
mod lifecycle;
mod limits;
mod live_clients;
mod openapi;
mod otlp_captures;
mod otlp_ports;
mod packaging;
mod readme;
mod recorded;
mod recorded_mysql;
mod red;
mod self_tracing;
mod sql_servers;
mod store;
mod support;
