//! What the SQL servers share: the layout of rows, searches and windows over it, names, and the traits' prose turned into
//! one store. Statements are each engine's own.
//!
//! What one write brings of one trace within [`rows::EXTENT_MS`] is one row, a *fragment*; lists beside it, one or a few for a
//! write, tell which traces a service has spans in, and the terms of these. Nothing that is written depends on what another writer
//! wrote, so any number of processes write side by side without locks: equal spans are folded, and traces put together, when they
//! are read. Calls between services are tallied later, in the background, from traces that have settled.

#[cfg(test)]
pub(super) mod crash_check;
pub(super) mod engine;
pub(super) mod escape;
pub(super) mod fragment;
#[cfg(test)]
pub(super) mod link_check;
pub(super) mod links;
pub(super) mod lists;
pub(super) mod names;
mod number;
pub(super) mod rows;
mod scan;
mod search;
#[cfg(any(test, feature = "conformance"))]
mod session;
pub(super) mod store;
pub(super) mod tally;
#[cfg(test)]
pub(super) mod term_check;
mod terms;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
mod trace;
pub(super) mod transaction;
mod window;
