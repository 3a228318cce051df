//! Limits of the HTTP server and of request bodies.

use std::time::Duration;

/// What one HTTP server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Most connections at once; further ones are closed at once.
    pub connections_max: usize,
    /// Most bytes of a request's head (request line and headers); beyond: 431. At least 8 KiB.
    pub head_bytes_max: usize,
    /// Time to send a head, from its first byte (from the accept for the first one, HTTP/2 preface included).
    pub head_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// How long a client may leave answers unread.
    pub write_timeout: Duration,
    /// Most requests at once on one HTTP/2 connection.
    pub http2_streams_max: u32,
    /// Most bytes an HTTP/2 client may send ahead of the handler, for one request.
    pub http2_stream_window_bytes: u32,
    /// The same for all requests of a connection together.
    pub http2_connection_window_bytes: u32,
    /// Most requests of a connection that were reset before a handler saw them (rapid reset).
    pub http2_resets_pending_max: usize,
    /// How long requests under way may take to finish at shutdown.
    pub shutdown_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_bytes_max: 64 << 10,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            http2_streams_max: 128,
            http2_stream_window_bytes: 128 << 10,
            http2_connection_window_bytes: 256 << 10,
            http2_resets_pending_max: 20,
            shutdown_timeout: Duration::from_secs(20),
        }
    }
}

/// What one request body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most bytes on the wire.
    pub wire_bytes_max: usize,
    /// Most bytes after inflating, and of every step between stacked encodings.
    pub inflated_bytes_max: usize,
    /// Most encodings one upon the other.
    pub encodings_max: usize,
    /// Time to send the whole body.
    pub timeout: Duration,
    /// How long a body waits for memory.
    pub memory_wait: Duration,
    /// Largest window a zstd body may ask for, as a power of two.
    pub zstd_window_log_max: u32,
    /// Bodies of at most this many bytes are inflated and decoded where they were read, larger ones on a thread for work.
    pub inline_bytes_max: usize,
    /// Most large bodies of the process that are inflated or decoded at once; 0 = one per core. Fewer when half the memory
    /// budget has no room for so many.
    pub work_max: usize,
    /// How long a large body waits for its turn.
    pub work_wait: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            wire_bytes_max: 10 << 20,
            inflated_bytes_max: 64 << 20,
            encodings_max: 2,
            timeout: Duration::from_secs(30),
            memory_wait: Duration::from_secs(2),
            zstd_window_log_max: 23,
            inline_bytes_max: 256 << 10,
            work_max: 0,
            work_wait: Duration::from_secs(10),
        }
    }
}
