//! What a client may cost.

use super::Effect::Used;
use super::Kind::{Bytes, Duration, Number};
use super::Preset::Text as Is;
use super::TimeUnit::Milliseconds;

super::variables! {
    HTTP_BODY_BYTES_MAX: Bytes, Is("10MiB"), Used, ["HTTP_BODY_BYTES_MAX"], "zipkind.http.body-bytes-max",
        "largest request body on the wire";
    HTTP_INFLATED_BYTES_MAX: Bytes, Is("64MiB"), Used, ["HTTP_INFLATED_BYTES_MAX"], "zipkind.http.inflated-bytes-max",
        "largest request body after inflating all its encodings";
    HTTP_HEAD_BYTES_MAX: Bytes, Is("64KiB"), Used, ["HTTP_HEAD_BYTES_MAX"], "zipkind.http.head-bytes-max",
        "largest request head";
    HTTP_HEAD_TIMEOUT: Duration(Milliseconds), Is("10s"), Used, ["HTTP_HEAD_TIMEOUT"], "zipkind.http.head-timeout",
        "how long a client may take to send a request head";
    HTTP_BODY_TIMEOUT: Duration(Milliseconds), Is("30s"), Used, ["HTTP_BODY_TIMEOUT"], "zipkind.http.body-timeout",
        "how long a client may take to send a body";
    HTTP_IDLE_TIMEOUT: Duration(Milliseconds), Is("60s"), Used, ["HTTP_IDLE_TIMEOUT"], "zipkind.http.idle-timeout",
        "how long a connection may stay without a request";
    HTTP_WRITE_TIMEOUT: Duration(Milliseconds), Is("30s"), Used, ["HTTP_WRITE_TIMEOUT"], "zipkind.http.write-timeout",
        "how long a client may leave an answer unread";
    HTTP_CONNECTIONS_MAX: Number, Is("10000"), Used, ["HTTP_CONNECTIONS_MAX"], "zipkind.http.connections-max",
        "most connections at once";
    COLLECTOR_MESSAGE_SPANS_MAX: Number, Is("100000"), Used, ["COLLECTOR_MESSAGE_SPANS_MAX"], "zipkind.collector.message-spans-max",
        "most spans of one message";
    STORAGE_SERVICE_NAMES_MAX: Number, Is("10000"), Used, ["STORAGE_SERVICE_NAMES_MAX"], "zipkind.storage.service-names-max",
        "most services that are listed; spans of others are stored and found all the same";
    STORAGE_NAMES_PER_SERVICE_MAX: Number, Is("1000"), Used, ["STORAGE_NAMES_PER_SERVICE_MAX"], "zipkind.storage.names-per-service-max",
        "most span names, and remote services, that are listed of one service";
}
