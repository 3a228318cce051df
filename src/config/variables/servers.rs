//! Storage in database servers that speak SQL.

use super::Effect::Used;
use super::Kind::{Choice, Flag, Number, Secret, Text, Url};
use super::Preset::{Computed, Text as Is, Unset};

super::variables! {
    POSTGRES_URL: Url, Unset, Used, ["POSTGRES_URL"], "zipkind.storage.postgres.url",
        "address, `postgres://user:password@host:port/database?sslmode=...`; wins over its parts";
    POSTGRES_HOST: Text, Is("localhost"), Used, ["POSTGRES_HOST"], "zipkind.storage.postgres.host", "host";
    POSTGRES_TCP_PORT: Number, Is("5432"), Used, ["POSTGRES_TCP_PORT"], "zipkind.storage.postgres.port", "port";
    POSTGRES_DB: Text, Is("zipkin"), Used, ["POSTGRES_DB"], "zipkind.storage.postgres.db",
        "database; it must be there, the schema `zipkind` in it is made at start";
    POSTGRES_USER: Text, Computed("the user of the process"), Used, ["POSTGRES_USER"], "zipkind.storage.postgres.username", "user";
    POSTGRES_PASS: Secret, Unset, Used, ["POSTGRES_PASS"], "zipkind.storage.postgres.password", "password";
    POSTGRES_SSL_MODE: Choice("disable, prefer, require, verify-full"), Is("prefer"), Used, ["POSTGRES_SSL_MODE"], "zipkind.storage.postgres.ssl-mode",
        "whether connections are encrypted";
    POSTGRES_POOLED: Flag, Is("false"), Used, ["POSTGRES_POOLED"], "zipkind.storage.postgres.pooled",
        "a pooler in transaction mode (PgBouncer) stands between: no named statements, nothing outside of transactions";
    POSTGRES_MAX_CONNECTIONS: Number, Is("10"), Used, ["POSTGRES_MAX_CONNECTIONS"], "zipkind.storage.postgres.max-connections",
        "most connections, 2 to 1000";
    POSTGRES_CONCURRENT_WRITES: Number, Is("2"), Used, ["POSTGRES_CONCURRENT_WRITES"], "zipkind.storage.postgres.concurrent-writes",
        "writes at once, 1 to 100; fewer are larger";
}
