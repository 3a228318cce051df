use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::ingest::AckMode;
use crate::storage::{
    MemoryConfig, MysqlConfig, PostgresConfig, RetryConfig, SqliteConfig, StorageOptions, TimeoutConfig,
};

fn env(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn args(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(arguments: &[(&str, &str)], environment: &[(&str, &str)], files: &[(&str, &str)]) -> Examined {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    Config::examine(&args(arguments), &env(environment), directory.path())
}

fn from_env(environment: &[(&str, &str)]) -> Config {
    load(&[], environment, &[]).outcome.unwrap()
}

#[test]
fn nothing_set_gives_the_defaults_the_parts_declare() {
    let config = from_env(&[]);
    assert_eq!(config.server.port, 9411);
    assert_eq!(config.server.address, None);
    assert_eq!(config.storage.kind, StorageKind::Sqlite);
    assert_eq!(config.ingest, IngestConfig::default());
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.storage.options, StorageOptions::default());
    assert_eq!(config.storage.memory, MemoryConfig::default());
    let sqlite = SqliteConfig { path: config.storage.sqlite.path.clone(), ..SqliteConfig::default() };
    assert_eq!(config.storage.sqlite, sqlite);
    assert_eq!(config.storage.postgres, PostgresConfig::default());
    assert_eq!(config.storage.mysql, MysqlConfig::default());
    assert_eq!(config.storage.timeout, TimeoutConfig::default());
    assert_eq!(config.storage.retry, RetryConfig::default());
    assert_eq!(config.limits, ServerLimits::default());
    assert_eq!(config.body, BodyLimits::default());
    assert_eq!(config.http_collector, HttpCollectorConfig::default());
    assert_eq!(config.query, QueryConfig::default());
    assert_eq!(config.api, ApiConfig::default());
    assert_eq!(config.edge, EdgeConfig::default());
    assert!(config.ingest_memory_bytes > 1 << 20 && config.ingest_memory_bytes <= 1 << 30);
    assert_eq!(config.notes, Vec::<String>::new());
    assert!(config.settings.iter().all(Setting::is_default));
}

#[test]
fn each_source_wins_over_the_ones_below_it() {
    let port = |arguments: &[(&str, &str)], environment: &[(&str, &str)], files: &[(&str, &str)]| {
        load(arguments, environment, files).outcome.unwrap().server.port
    };
    let short = ("QUERY_PORT", "1");
    let toml = ("zipkind.toml", "[server]\nport = 2\n");
    let yml = ("zipkin-server.yml", "server:\n  port: 3\n");
    let properties = ("zipkin-server.properties", "server.port=4\n");
    let full = ("SERVER_PORT", "5");
    let java = ("JAVA_OPTS", "-Xmx1g -Dserver.port=6 -XX:+UseSerialGC");
    assert_eq!(port(&[], &[short], &[]), 1);
    assert_eq!(port(&[], &[short], &[toml]), 2);
    assert_eq!(port(&[], &[short], &[toml, yml]), 3);
    assert_eq!(port(&[], &[short], &[toml, yml, properties]), 4);
    assert_eq!(port(&[], &[short, full], &[toml, yml, properties]), 5);
    assert_eq!(port(&[], &[short, full, java], &[properties]), 6);
    assert_eq!(port(&[("server.port", "7")], &[short, full, java], &[properties]), 7);
}

#[test]
fn empty_means_not_set() {
    let config = from_env(&[("STORAGE_TYPE", ""), ("QUERY_PORT", ""), ("ZIPKIN_STORAGE_TYPE", "")]);
    assert_eq!(config.storage.kind, StorageKind::Sqlite);
    assert_eq!(config.server.port, 9411);
}

#[test]
fn dashes_case_and_underscores_of_property_names_do_not_matter() {
    for (name, value) in [("zipkin.storage.strictTraceId", "false"), ("zipkin.storage.strict_trace_id", "false")] {
        assert!(!load(&[(name, value)], &[], &[]).outcome.unwrap().storage.options.strict_trace_id, "{name}");
    }
    for name in ["ZIPKIN_STORAGE_STRICT_TRACE_ID", "ZIPKIN_STORAGE_STRICTTRACEID"] {
        assert!(!from_env(&[(name, "false")]).storage.options.strict_trace_id, "{name}");
    }
}

#[test]
fn an_older_name_counts_when_the_newer_is_not_set() {
    let both = load(&[], &[("SCRIBE_ENABLED", "true"), ("COLLECTOR_SCRIBE_ENABLED", "false")], &[]);
    assert_eq!(both.notes, Vec::<String>::new());
    let older = load(&[], &[("SCRIBE_ENABLED", "true")], &[]);
    assert_eq!(older.notes.len(), 1);
}

#[test]
fn all_problems_are_listed_at_once() {
    let examined = load(
        &[("zipkin.collector.sample-rate", "1.5")],
        &[
            ("QUERY_PORT", "70000"),
            ("STORAGE_TYPE", "oracle"),
            ("STRICT_TRACE_ID", "maybe"),
            ("COLLECTOR_QUEUE_WAIT", "soon"),
        ],
        &[("zipkin-server.yml", "a: [1\n"), ("zipkin-server.properties", "zipkin.ui.environment=${NO_SUCH}\n")],
    );
    let text = examined.outcome.unwrap_err().to_string();
    for line in [
        "QUERY_PORT: \"70000\" is not a number from 0 to 65535 (environment)",
        "STORAGE_TYPE: \"oracle\" is none of sqlite, mem, none, postgres, mysql (environment)",
        "STRICT_TRACE_ID: \"maybe\" is neither true nor false (environment)",
        "COLLECTOR_SAMPLE_RATE: \"1.5\" is not a number from 0 to 1 (argument)",
        "COLLECTOR_QUEUE_WAIT: \"soon\" is not a time like 11s or 100ms (environment)",
        "zipkin.ui.environment in zipkin-server.properties: names the variable \"NO_SUCH\", which is not set",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nis missing in\n{text}");
    }
    assert!(text.lines().any(|line| line.starts_with("zipkin-server.yml: ")), "{text}");
}

#[test]
fn what_has_no_effect_is_told_in_one_line_each() {
    let notes = load(
        &[("zipkin.no.such-thing", "1")],
        &[
            ("RABBIT_QUEUE", "q"),
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_MAX_POLL_RECORDS", "7"),
            ("QUERY_LOG_LEVEL", "DEBUG"),
            ("ZIPKIN_QUERY_LIMITT", "1"),
            ("ZIPKIN_PORT_9411_TCP_ADDR", "10.0.0.1"),
            ("ZIPKIN_SERVICE_HOST", "10.0.0.1"),
            ("SELF_TRACING_ENABLED", "false"),
        ],
        &[],
    )
    .notes;
    assert_eq!(
        notes,
        [
            "QUERY_LOG_LEVEL has no effect: zipkin 3.6 documents it but does not read it, and neither does this server (environment)",
            "RABBIT_QUEUE has no effect: this version has no RabbitMQ collector (environment)",
            "unknown names have no effect: ZIPKIN_QUERY_LIMITT (environment)",
            "unknown names have no effect: zipkin.no.such-thing (argument)",
            "zipkin.collector.kafka.overrides.max.poll.records has no effect: messages are bounded by memory (KAFKA_PREFETCH_BYTES, INGEST_MEMORY_BYTES), not by polls",
        ]
    );
}

#[test]
fn a_size_for_memory_alone_is_warned_of() {
    let note = "MEM_MAX_SPANS is set without STORAGE_TYPE=mem";
    assert!(from_env(&[("MEM_MAX_SPANS", "10")]).notes.iter().any(|line| line.starts_with(note)));
    let config = from_env(&[("MEM_MAX_SPANS", "10"), ("STORAGE_TYPE", "mem")]);
    assert_eq!((config.storage.memory.spans_max, config.notes.len()), (10, 0));
}

#[test]
fn the_database_rests_where_the_environment_says() {
    let path = |environment: &[(&str, &str)]| from_env(environment).storage.sqlite.path;
    assert_eq!(path(&[]), Path::new("/var/lib/zipkind/zipkind.db"));
    assert_eq!(path(&[("XDG_DATA_HOME", "/data")]), Path::new("/data/zipkind/zipkind.db"));
    assert_eq!(path(&[("XDG_DATA_HOME", "/data"), ("SQLITE_PATH", "/spans")]), Path::new("/spans/zipkind.db"));
    assert_eq!(path(&[("SQLITE_PATH", "/spans/mine.db")]), Path::new("/spans/mine.db"));
}

#[test]
fn levels_of_zipkins_categories_mean_all_of_this_server() {
    let examined = load(&[("logging.level.zipkin2", "DEBUG")], &[("LOGGING_LEVEL_COM_LINECORP", "WARN")], &[]);
    let note = "logging.level.com.linecorp has no effect: there is no such part in this server";
    assert_eq!(examined.notes, [note]);
    let log = examined.outcome.unwrap().log;
    assert_eq!(log.targets, [("zipkind".to_owned(), "debug".parse().unwrap())]);
    let bad = load(&[("logging.level.zipkin2", "LOUD")], &[], &[]).outcome.unwrap_err().to_string();
    assert!(bad.starts_with("logging.level.zipkin2: \"LOUD\" is none of"), "{bad}");
}

#[test]
fn secrets_never_show() {
    let examined = load(
        &[],
        &[("MYSQL_PASS", "hunter2"), ("ES_HOSTS", "http://u:hunter2@es:9200"), ("JAVA_OPTS", "-Dx=hunter2")],
        &[],
    );
    assert!(!format!("{examined:?}").contains("hunter2"), "{examined:?}");
}

#[test]
fn units_reach_the_parts() {
    let config = from_env(&[
        ("COLLECTOR_QUEUE_WAIT", "100ms"),
        ("INGEST_MEMORY_BYTES", "64MiB"),
        ("COLLECTOR_ACK", "accepted"),
        ("SERVER_DRAIN_TIMEOUT", "3"),
        ("AUTOCOMPLETE_KEYS", "environment, version"),
        ("SERVER_ADDRESS", "127.0.0.1"),
    ]);
    assert_eq!(config.ingest.queue_wait, Duration::from_millis(100));
    assert_eq!(config.ingest_memory_bytes, 64 << 20);
    assert_eq!(config.ingest.ack, AckMode::Accepted);
    assert_eq!(config.server.drain_timeout, Duration::from_secs(3));
    assert_eq!(config.storage.options.autocomplete_keys, ["environment", "version"]);
    assert_eq!(config.server.socket_address().unwrap().to_string(), "127.0.0.1:9411");
}

#[test]
fn every_row_that_has_an_effect_is_read() {
    let examined = load(&[], &[], &[]);
    let names: Vec<&str> = examined.settings.iter().map(|setting| setting.name.as_str()).collect();
    let rows = variables::all().filter(|row| row.effect == Effect::Used).map(variables::Variable::label);
    assert_eq!(names, rows.collect::<Vec<_>>());
}

#[test]
fn no_row_takes_nonsense_in_silence() {
    use variables::Kind;
    let of_a_kind =
        |row: &&variables::Variable| !matches!(row.kind, Kind::Text | Kind::List | Kind::Url | Kind::Secret);
    for row in variables::all().filter(|row| row.effect == Effect::Used).filter(of_a_kind) {
        let problems = load(&[], &[(&row.label(), "non sense")], &[]).outcome.unwrap_err().0;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].to_string().starts_with(&format!("{}: \"non sense\" is n", row.label())), "{problems:?}");
    }
}
