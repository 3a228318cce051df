//! Against a real server, which the first test starts.

mod conformance;
mod faults;
mod links;
mod opening;
mod plans;
mod retention;
mod support;
mod views;
mod writing;
