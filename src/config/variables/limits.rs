//! What a client may cost.

use super::Effect::Used;
use super::Kind::{Bytes, Duration, Number};
use super::Preset::{Computed, Text as Is};
use super::TimeUnit::Milliseconds;

super::variables! {
    HTTP_BODY_BYTES_MAX: Bytes, Is("10MiB"), Used, ["HTTP_BODY_BYTES_MAX"], "zipkind.http.body-bytes-max",
        "largest request body on the wire";
    HTTP_INFLATED_BYTES_MAX: Bytes, Is("64MiB"), Used, ["HTTP_INFLATED_BYTES_MAX"], "zipkind.http.inflated-bytes-max",
        "largest request body after inflating all its encodings";
    HTTP_ENCODINGS_MAX: Number, Is("2"), Used, ["HTTP_ENCODINGS_MAX"], "zipkind.http.encodings-max",
        "most encodings of a body one upon the other, 1 to 8";
    HTTP_ZSTD_WINDOW_BYTES_MAX: Bytes, Is("8MiB"), Used, ["HTTP_ZSTD_WINDOW_BYTES_MAX"], "zipkind.http.zstd-window-bytes-max",
        "largest window a zstd body may ask for, rounded down to a power of two";
    HTTP_INLINE_BYTES_MAX: Bytes, Is("256KiB"), Used, ["HTTP_INLINE_BYTES_MAX"], "zipkind.http.inline-bytes-max",
        "larger bodies are inflated and decoded on threads for work";
    HTTP_WORK_MAX: Number, Computed("one per processor, fewer when memory is short"), Used, ["HTTP_WORK_MAX"], "zipkind.http.work-max",
        "most large bodies that are inflated or decoded at once, 1 to 1024";
    HTTP_WORK_WAIT: Duration(Milliseconds), Is("10s"), Used, ["HTTP_WORK_WAIT"], "zipkind.http.work-wait",
        "how long a large body waits for its turn";
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
    HTTP2_STREAMS_MAX: Number, Is("128"), Used, ["HTTP2_STREAMS_MAX"], "zipkind.http2.streams-max",
        "most requests at once on one HTTP/2 connection";
    HTTP2_STREAM_WINDOW_BYTES: Bytes, Is("128KiB"), Used, ["HTTP2_STREAM_WINDOW_BYTES"], "zipkind.http2.stream-window-bytes",
        "most bytes an HTTP/2 client may send ahead for one request";
    HTTP2_CONNECTION_WINDOW_BYTES: Bytes, Is("256KiB"), Used, ["HTTP2_CONNECTION_WINDOW_BYTES"], "zipkind.http2.connection-window-bytes",
        "the same for all requests of a connection together";
    HTTP2_RESETS_PENDING_MAX: Number, Is("20"), Used, ["HTTP2_RESETS_PENDING_MAX"], "zipkind.http2.resets-pending-max",
        "most requests of a connection that were reset before they were looked at";
    GRPC_MESSAGE_BYTES_MAX: Bytes, Is("10MiB"), Used, ["GRPC_MESSAGE_BYTES_MAX"], "zipkind.grpc.message-bytes-max",
        "largest gRPC message after inflating";
    COLLECTOR_MESSAGE_SPANS_MAX: Number, Is("100000"), Used, ["COLLECTOR_MESSAGE_SPANS_MAX"], "zipkind.collector.message-spans-max",
        "most spans of one message";
    COLLECTOR_OTLP_SPANS_BYTES_MAX: Bytes, Is("64MiB"), Used, ["COLLECTOR_OTLP_SPANS_BYTES_MAX"], "zipkind.collector.otlp.spans-bytes-max",
        "most bytes that the spans of one OTLP request take, each with the attributes of its resource";
    STORAGE_SERVICE_NAMES_MAX: Number, Is("10000"), Used, ["STORAGE_SERVICE_NAMES_MAX"], "zipkind.storage.service-names-max",
        "most services that are listed; spans of others are stored and found all the same";
    STORAGE_NAMES_PER_SERVICE_MAX: Number, Is("1000"), Used, ["STORAGE_NAMES_PER_SERVICE_MAX"], "zipkind.storage.names-per-service-max",
        "most span names, and remote services, that are listed of one service";
}
