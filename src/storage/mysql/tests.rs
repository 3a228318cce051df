//! Against a real server, which the first test starts.

mod conformance;
mod links;
mod native;
mod plans;
mod support;
mod zipkin;
