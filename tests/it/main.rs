//! The whole server, through its sockets and as a process.

mod binary;
mod config;
mod faulty_storage;
mod ingest_faults;
mod lifecycle;
