//! Which storage, and the embedded ones.

use super::Effect::{Nothing, Used};
use super::Kind::{Bytes, Choice, Duration, Flag, List, Number, Text};
use super::Preset::{Computed, Text as Is, Unset};
use super::TimeUnit::{Milliseconds, Seconds};

super::variables! {
    STORAGE_TYPE: Choice("sqlite, mem, none, postgres, mysql"), Is("sqlite"), Used, ["STORAGE_TYPE"], "zipkin.storage.type",
        "where spans rest: a durable embedded database, memory only, nowhere, or a database server";
    STORAGE_WRITE_TIMEOUT: Duration(Milliseconds), Is("30s"), Used, ["STORAGE_WRITE_TIMEOUT"], "zipkind.storage.write-timeout",
        "how long one try of a write may take";
    STORAGE_READ_TIMEOUT: Duration(Milliseconds), Is("60s"), Used, ["STORAGE_READ_TIMEOUT"], "zipkind.storage.read-timeout",
        "how long one try of a read may take; queries have QUERY_TIMEOUT besides";
    STORAGE_CHECK_TIMEOUT: Duration(Milliseconds), Is("10s"), Used, ["STORAGE_CHECK_TIMEOUT"], "zipkind.storage.check-timeout",
        "how long a look at the store's health may take";
    STORAGE_TRIES_MAX: Number, Is("5"), Used, ["STORAGE_TRIES_MAX"], "zipkind.storage.tries-max",
        "most tries of a call to a store that is busy or away, 1 to 100";
    STORAGE_RETRY_TIME_MAX: Duration(Milliseconds), Is("2s"), Used, ["STORAGE_RETRY_TIME_MAX"], "zipkind.storage.retry-time-max",
        "time after which a call is not tried again";
    STORAGE_RETRY_FIRST_PAUSE: Duration(Milliseconds), Is("50ms"), Used, ["STORAGE_RETRY_FIRST_PAUSE"], "zipkind.storage.retry-first-pause",
        "longest pause before the second try; it doubles with each";
    STORAGE_RETRY_PAUSE_MAX: Duration(Milliseconds), Is("500ms"), Used, ["STORAGE_RETRY_PAUSE_MAX"], "zipkind.storage.retry-pause-max",
        "longest pause between two tries";
    STRICT_TRACE_ID: Flag, Is("true"), Used, ["STRICT_TRACE_ID"], "zipkin.storage.strict-trace-id",
        "traces have equal ids of 128 bits; false: equal low 64 bits";
    AUTOCOMPLETE_KEYS: List, Unset, Used, ["AUTOCOMPLETE_KEYS"], "zipkin.storage.autocomplete-keys",
        "tag keys whose values the UI offers";
    AUTOCOMPLETE_TTL: Duration(Milliseconds), Is("3600000"), Nothing("values are kept exactly, without a cache that expires"), ["AUTOCOMPLETE_TTL"], "zipkin.storage.autocomplete-ttl",
        "time during which a value is not written again";
    AUTOCOMPLETE_CARDINALITY: Number, Is("20000"), Nothing("values are kept exactly, without a cache of limited size"), [], "zipkin.storage.autocomplete-cardinality",
        "size of that cache";
    MEM_MAX_SPANS: Number, Is("500000"), Used, ["MEM_MAX_SPANS"], "zipkin.storage.mem.max-spans",
        "memory store: most spans kept; the oldest traces go first";
    MEM_MAX_BYTES: Bytes, Is("1GiB"), Used, ["MEM_MAX_BYTES"], "zipkind.storage.mem.max-bytes",
        "memory store: most bytes kept; the oldest traces go first";
    SQLITE_PATH: Text, Computed("$XDG_DATA_HOME/zipkind, else /var/lib/zipkind"), Used, ["SQLITE_PATH"], "zipkind.storage.sqlite.path",
        "directory of the embedded database, or its file when the name ends in `.db`";
    SQLITE_SYNCHRONOUS: Choice("full, normal, off"), Is("full"), Used, ["SQLITE_SYNCHRONOUS"], "zipkind.storage.sqlite.synchronous",
        "full: what was acknowledged survives a loss of power; normal: the last moments may not; off: the file may break";
    RETENTION_MAX_AGE: Duration(Seconds), Is("7d"), Used, ["RETENTION_MAX_AGE"], "zipkind.retention.max-age",
        "older traces are removed, 0 for never";
    RETENTION_MAX_BYTES: Bytes, Computed("half of what is free on the disk at start, with the database's own size"), Used, ["RETENTION_MAX_BYTES"], "zipkind.retention.max-bytes",
        "largest size of the database; the oldest traces go first";
    RETENTION_MIN_STAY: Duration(Seconds), Is("1h"), Used, ["RETENTION_MIN_STAY"], "zipkind.retention.min-stay",
        "how long a span stays after it arrived, however old its timestamp is";
    RETENTION_TURN: Duration(Milliseconds), Is("5s"), Used, ["RETENTION_TURN"], "zipkind.retention.turn",
        "longest time one round of removal takes";
    SQLITE_READ_CONNECTIONS: Number, Is("4"), Used, ["SQLITE_READ_CONNECTIONS"], "zipkind.storage.sqlite.read-connections",
        "queries that run at once, 1 to 1024";
    SQLITE_WRITE_CACHE_BYTES: Bytes, Is("64MiB"), Used, ["SQLITE_WRITE_CACHE_BYTES"], "zipkind.storage.sqlite.write-cache-bytes",
        "page cache of the writer";
    SQLITE_READ_CACHE_BYTES: Bytes, Is("4MiB"), Used, ["SQLITE_READ_CACHE_BYTES"], "zipkind.storage.sqlite.read-cache-bytes",
        "page cache of each read connection";
    SQLITE_BUSY_TIMEOUT: Duration(Milliseconds), Is("5s"), Used, ["SQLITE_BUSY_TIMEOUT"], "zipkind.storage.sqlite.busy-timeout",
        "longest wait for a read connection, or for a lock that another process holds";
    SQLITE_RECENT_SPANS_MAX: Number, Is("131072"), Used, ["SQLITE_RECENT_SPANS_MAX"], "zipkind.storage.sqlite.recent-spans-max",
        "spans kept in memory beside the file until half of them go into a block; writers wait at four times as many";
    SQLITE_RECENT_BYTES_MAX: Bytes, Is("64MiB"), Used, ["SQLITE_RECENT_BYTES_MAX"], "zipkind.storage.sqlite.recent-bytes-max",
        "the same in bytes of memory";
    SQLITE_RECENT_AGE_MAX: Duration(Seconds), Is("1h"), Used, ["SQLITE_RECENT_AGE_MAX"], "zipkind.storage.sqlite.recent-age-max",
        "time after which spans go into a block however few they are";
    SQLITE_BLOCK_CACHE_BYTES: Bytes, Is("64MiB"), Used, ["SQLITE_BLOCK_CACHE_BYTES"], "zipkind.storage.sqlite.block-cache-bytes",
        "decoded parts of blocks kept for queries";
    SQLITE_WAL_BYTES: Bytes, Is("16MiB"), Used, ["SQLITE_WAL_BYTES"], "zipkind.storage.sqlite.wal-bytes",
        "size from which the write-ahead log is moved into the database";
    RETENTION_INTERVAL: Duration(Seconds), Is("30s"), Used, ["RETENTION_INTERVAL"], "zipkind.retention.interval",
        "time between two rounds of removal";
}
