//! The ways in: each transport reads messages off its wire, has a codec decode them, and hands them to the collector.
//!
//! Adding one touches its own folder and one line here.

#[cfg(test)]
mod fixture;
pub mod grpc;
pub mod http;
mod intake;
pub mod kafka;
pub mod otlp;
