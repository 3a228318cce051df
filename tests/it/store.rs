//! `zipkind store ...` as a process, between real stores.

mod copy;
mod files;
mod interrupted;
mod places;
mod schema;
mod spans;
