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
    POSTGRES_CONCURRENT_WRITES: Number, Is("1"), Used, ["POSTGRES_CONCURRENT_WRITES"], "zipkind.storage.postgres.concurrent-writes",
        "writes at once, 1 to 100; fewer are larger and cheaper, more use more cores of the database";

    MYSQL_JDBC_URL: Url, Unset, Used, ["MYSQL_JDBC_URL"], "zipkin.storage.mysql.jdbc-url",
        "address, `jdbc:mysql://host:port/database?...`, or `mysql://...`; wins over its parts. Parameters about user, password and TLS count, others tune Java's driver";
    MYSQL_HOST: Text, Is("localhost"), Used, ["MYSQL_HOST"], "zipkin.storage.mysql.host", "host";
    MYSQL_TCP_PORT: Number, Is("3306"), Used, ["MYSQL_TCP_PORT"], "zipkin.storage.mysql.port", "port";
    MYSQL_DB: Text, Is("zipkin"), Used, ["MYSQL_DB"], "zipkin.storage.mysql.db", "database; it must be there";
    MYSQL_USER: Text, Unset, Used, ["MYSQL_USER"], "zipkin.storage.mysql.username", "user";
    MYSQL_PASS: Secret, Unset, Used, ["MYSQL_PASS"], "zipkin.storage.mysql.password", "password";
    MYSQL_MAX_CONNECTIONS: Number, Is("10"), Used, ["MYSQL_MAX_CONNECTIONS"], "zipkin.storage.mysql.max-active",
        "most connections, 2 to 1000";
    MYSQL_USE_SSL: Flag, Is("false"), Used, ["MYSQL_USE_SSL"], "zipkin.storage.mysql.use-ssl", "connect with TLS";
    MYSQL_LAYOUT: Choice("auto, zipkin, native"), Is("auto"), Used, ["MYSQL_LAYOUT"], "zipkind.storage.mysql.layout",
        "whose tables: zipkin's, which zipkin-server may use at the same time, or our own, which are faster; auto: zipkin's when they are there";
    MYSQL_CONCURRENT_WRITES: Number, Is("1"), Used, ["MYSQL_CONCURRENT_WRITES"], "zipkind.storage.mysql.concurrent-writes",
        "writes at once, 1 to 100; fewer are larger and cheaper, more use more cores of the database";
    MYSQL_ZIPKIN_RETENTION: Flag, Is("false"), Used, ["MYSQL_ZIPKIN_RETENTION"], "zipkind.storage.mysql.zipkin-retention",
        "RETENTION_MAX_AGE counts for zipkin's tables too, which zipkin-server never empties";
}
