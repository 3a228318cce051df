//! The whole server through its sockets.

mod faulty_storage;
mod ingest_faults;
