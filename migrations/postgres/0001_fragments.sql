-- Fragments of traces as they arrived, and what finds them again. Everything lives in the schema zipkind.
--
-- Rows are partitioned by the day on which their spans started, which the spans alone tell; what has no partition of its
-- own day (no timestamp, far in the past or future) is in the default partition. Old days are dropped whole.

-- The spans of one trace that came in one write and started within two seconds of each other.
CREATE TABLE zipkind.fragment (
  day          INTEGER NOT NULL, -- of all its spans, since the epoch, UTC
  trace_low    BIGINT  NOT NULL, -- low 64 bits of the trace id, as a signed number
  content      BIGINT  NOT NULL, -- hash of the spans: a repeated write finds itself
  min_ms       BIGINT  NOT NULL, -- start of the oldest and the newest span, epoch milliseconds; 0 without timestamp
  max_ms       BIGINT  NOT NULL,
  arrived      BIGINT  NOT NULL, -- number of the write: about epoch microseconds
  service_bits BIGINT  NOT NULL, -- a bit for each local service
  spans        BYTEA   NOT NULL  -- version, checksum, records
) PARTITION BY RANGE (day);
-- Traces by id, and duplicates.
CREATE UNIQUE INDEX fragment_trace ON zipkind.fragment (trace_low, content, day);
-- Searches, dependencies and retention.
CREATE INDEX fragment_time ON zipkind.fragment (max_ms, trace_low);
-- Spans are packed already: compressing them costs more than it saves, and they stay in their row.
ALTER TABLE zipkind.fragment ALTER COLUMN spans SET STORAGE EXTERNAL;

-- Traces in which a service has spans. Services are 32-bit checksums of their names.
CREATE TABLE zipkind.posting (
  day       INTEGER NOT NULL,
  service   INTEGER NOT NULL,
  trace_low BIGINT  NOT NULL
) PARTITION BY RANGE (day);
-- Searches by a rare service.
CREATE INDEX posting_service ON zipkind.posting (service);

CREATE TABLE zipkind.fragment_default PARTITION OF zipkind.fragment DEFAULT WITH (toast_tuple_target = 8160);
CREATE TABLE zipkind.posting_default PARTITION OF zipkind.posting DEFAULT;

-- Names that are listed: 0 service, 1 span name, 2 remote service of the service `owner`, 3 value of the tag `owner`.
-- U+0000 is written as U+0001 '0', and U+0001 as U+0001 '1'.
CREATE TABLE zipkind.name (
  kind      SMALLINT NOT NULL,
  owner_key BIGINT   NOT NULL, -- hashes of the texts, which may be longer than a key
  name_key  BIGINT   NOT NULL,
  owner     TEXT     NOT NULL, -- '' for services
  name      TEXT     NOT NULL,
  seen_ms   BIGINT   NOT NULL, -- when a span last brought it, to some hours
  PRIMARY KEY (kind, owner_key, name_key)
);

-- How far a source has been stored.
CREATE TABLE zipkind.source_position (
  consumer_group        TEXT    NOT NULL,
  topic                 TEXT    NOT NULL,
  partition             INTEGER NOT NULL,
  batch_from            BIGINT  NOT NULL, -- offsets of the last batch: its first, and the one after its last
  next                  BIGINT  NOT NULL,
  last_message_ms       BIGINT  NOT NULL,
  last_message_checksum BIGINT  NOT NULL, -- 64 bits as a signed number
  PRIMARY KEY (consumer_group, topic, partition)
);

-- Work that one process does for all: who does it, and until when nobody else may.
CREATE TABLE zipkind.lease (
  name       TEXT   NOT NULL PRIMARY KEY,
  holder     TEXT   NOT NULL,
  expires_ms BIGINT NOT NULL -- by the database's clock
);
