//! Database servers of zipkin: understood, and not built yet.

use super::Effect::Nothing;
use super::Kind::{Choice, Duration, Flag, List, Number, Secret, Text, Url};
use super::Preset::{Text as Is, Unset};
use super::TimeUnit::{Milliseconds, Seconds};

const NO_CASSANDRA: super::Effect = Nothing("this version has no Cassandra storage");
const NO_ELASTICSEARCH: super::Effect = Nothing("this version has no Elasticsearch storage");
const NOT_READ: super::Effect = Nothing("zipkin 3.6 documents it but does not read it, and neither does this server");

super::variables! {
    CASSANDRA_CONTACT_POINTS: List, Is("localhost"), NO_CASSANDRA, ["CASSANDRA_CONTACT_POINTS"], "zipkin.storage.cassandra3.contact-points", "hosts, each with a port or 9042";
    CASSANDRA_LOCAL_DC: Text, Is("datacenter1"), NO_CASSANDRA, ["CASSANDRA_LOCAL_DC"], "zipkin.storage.cassandra3.local-dc", "nearest data centre";
    CASSANDRA_KEYSPACE: Text, Is("zipkin2"), NO_CASSANDRA, ["CASSANDRA_KEYSPACE"], "zipkin.storage.cassandra3.keyspace", "keyspace";
    CASSANDRA_USERNAME: Text, Unset, NO_CASSANDRA, ["CASSANDRA_USERNAME"], "zipkin.storage.cassandra3.username", "user";
    CASSANDRA_PASSWORD: Secret, Unset, NO_CASSANDRA, ["CASSANDRA_PASSWORD"], "zipkin.storage.cassandra3.password", "password";
    CASSANDRA_ENSURE_SCHEMA: Flag, Is("true"), NO_CASSANDRA, ["CASSANDRA_ENSURE_SCHEMA"], "zipkin.storage.cassandra3.ensure-schema", "make the keyspace and its tables";
    CASSANDRA_MAX_CONNECTIONS: Number, Is("8"), NO_CASSANDRA, ["CASSANDRA_MAX_CONNECTIONS"], "zipkin.storage.cassandra3.max-connections", "most connections a host";
    CASSANDRA_INDEX_FETCH_MULTIPLIER: Number, Is("3"), NO_CASSANDRA, ["CASSANDRA_INDEX_FETCH_MULTIPLIER"], "zipkin.storage.cassandra3.index-fetch-multiplier", "rows read for each trace asked for";
    CASSANDRA_USE_SSL: Flag, Is("false"), NO_CASSANDRA, ["CASSANDRA_USE_SSL"], "zipkin.storage.cassandra3.use-ssl", "connect with TLS";
    CASSANDRA_SSL_HOSTNAME_VALIDATION: Flag, Is("true"), NO_CASSANDRA, ["CASSANDRA_SSL_HOSTNAME_VALIDATION"], "zipkin.storage.cassandra3.ssl-hostname-validation", "check the host's name";
    CASSANDRA_INDEX_CACHE_MAX: Text, Unset, NOT_READ, ["CASSANDRA_INDEX_CACHE_MAX"], "", "size of a cache that is gone";
    CASSANDRA_INDEX_CACHE_TTL: Text, Unset, NOT_READ, ["CASSANDRA_INDEX_CACHE_TTL"], "", "age in a cache that is gone";

    ES_HOSTS: Url, Is("http://localhost:9200"), NO_ELASTICSEARCH, ["ES_HOSTS"], "zipkin.storage.elasticsearch.hosts", "addresses or hosts, comma separated";
    ES_INDEX: Text, Is("zipkin"), NO_ELASTICSEARCH, ["ES_INDEX"], "zipkin.storage.elasticsearch.index", "prefix of indices";
    ES_DATE_SEPARATOR: Text, Is("-"), NO_ELASTICSEARCH, ["ES_DATE_SEPARATOR"], "zipkin.storage.elasticsearch.date-separator", "between the parts of a date in an index name";
    ES_INDEX_SHARDS: Number, Is("5"), NO_ELASTICSEARCH, ["ES_INDEX_SHARDS"], "zipkin.storage.elasticsearch.index-shards", "shards of an index";
    ES_INDEX_REPLICAS: Number, Is("1"), NO_ELASTICSEARCH, ["ES_INDEX_REPLICAS"], "zipkin.storage.elasticsearch.index-replicas", "replicas of a shard";
    ES_ENSURE_TEMPLATES: Flag, Is("true"), NO_ELASTICSEARCH, ["ES_ENSURE_TEMPLATES"], "zipkin.storage.elasticsearch.ensure-templates", "make the index templates";
    ES_TEMPLATE_PRIORITY: Number, Unset, NO_ELASTICSEARCH, ["ES_TEMPLATE_PRIORITY"], "zipkin.storage.elasticsearch.template-priority", "priority of composable templates";
    ES_PIPELINE: Text, Unset, NO_ELASTICSEARCH, ["ES_PIPELINE"], "zipkin.storage.elasticsearch.pipeline", "ingest pipeline";
    ES_TIMEOUT: Duration(Milliseconds), Is("10000"), NO_ELASTICSEARCH, ["ES_TIMEOUT"], "zipkin.storage.elasticsearch.timeout", "time limit of connecting, reading, writing";
    ES_USERNAME: Text, Unset, NO_ELASTICSEARCH, ["ES_USERNAME"], "zipkin.storage.elasticsearch.username", "user";
    ES_PASSWORD: Secret, Unset, NO_ELASTICSEARCH, ["ES_PASSWORD"], "zipkin.storage.elasticsearch.password", "password";
    ES_CREDENTIALS_FILE: Text, Unset, NO_ELASTICSEARCH, ["ES_CREDENTIALS_FILE"], "zipkin.storage.elasticsearch.credentials-file", "properties file with user and password";
    ES_CREDENTIALS_REFRESH_INTERVAL: Duration(Seconds), Is("5"), NO_ELASTICSEARCH, ["ES_CREDENTIALS_REFRESH_INTERVAL"], "zipkin.storage.elasticsearch.credentials-refresh-interval", "time between two looks at that file";
    ES_HTTP_LOGGING: Choice("BASIC, HEADERS, BODY"), Unset, NO_ELASTICSEARCH, ["ES_HTTP_LOGGING"], "zipkin.storage.elasticsearch.http-logging", "log calls";
    ES_SSL_NO_VERIFY: Flag, Is("false"), NO_ELASTICSEARCH, ["ES_SSL_NO_VERIFY"], "zipkin.storage.elasticsearch.ssl.no-verify", "take any certificate";
    ES_SSL_STORES: Secret, Unset, NO_ELASTICSEARCH, [], "javax.net.ssl.*", "key and trust stores";
    ES_HEALTH_CHECK_ENABLED: Flag, Is("true"), NO_ELASTICSEARCH, ["ES_HEALTH_CHECK_ENABLED"], "zipkin.storage.elasticsearch.health-check.enabled", "watch the hosts";
    ES_HEALTH_CHECK_INTERVAL: Duration(Milliseconds), Is("3s"), NO_ELASTICSEARCH, ["ES_HEALTH_CHECK_INTERVAL"], "zipkin.storage.elasticsearch.health-check.interval", "time between two looks at a host";
}
