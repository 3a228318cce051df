-- Fragments of traces as they arrived, and what finds them again (MYSQL_LAYOUT=native). Statements end with a semicolon at
-- the end of a line.

-- The spans of one trace that came in one write and started within two seconds of each other.
CREATE TABLE IF NOT EXISTS zipkind_fragment (
  arrived      BIGINT     NOT NULL, -- number of the write: about epoch microseconds
  trace_low    BIGINT     NOT NULL, -- low 64 bits of the trace id, as a signed number
  content      BIGINT     NOT NULL, -- hash of the spans: a repeated write finds itself
  min_ms       BIGINT     NOT NULL, -- start of the oldest and the newest span, epoch milliseconds; 0 without timestamp
  max_ms       BIGINT     NOT NULL,
  service_bits BIGINT     NOT NULL, -- a bit for each local service
  spans        MEDIUMBLOB NOT NULL, -- version, checksum, records
  PRIMARY KEY (arrived, trace_low, content),
  UNIQUE KEY fragment_trace (trace_low, content),
  KEY fragment_time (max_ms, trace_low, min_ms)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;

-- Traces in which a service has spans on a day, one or a few lists for each write. Services are 32-bit checksums of their names.
CREATE TABLE IF NOT EXISTS zipkind_service_traces (
  service INT    NOT NULL,
  day     INT    NOT NULL,
  content BIGINT NOT NULL, -- hash of the list: a repeated write finds itself
  arrived BIGINT NOT NULL, -- number of the last write that brought it: about epoch microseconds
  traces  BLOB   NOT NULL, -- low halves of trace ids, 8 bytes each, high byte first
  terms   MEDIUMBLOB NULL, -- of the service's tags and annotations: checksums, 4 bytes each; NULL: of a version that kept none
  is_named TINYINT   NULL,     -- the traces were named as unsettled; NULL: by a version that did not
  PRIMARY KEY (service, day, content),
  KEY service_traces_named (is_named)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;

-- Names that are listed: 0 service, 1 span name, 2 remote service of the service `owner`, 3 value of the tag `owner`.
CREATE TABLE IF NOT EXISTS zipkind_name (
  kind      TINYINT    NOT NULL,
  owner_key BIGINT     NOT NULL, -- hashes of the texts, which may be longer than a key
  name_key  BIGINT     NOT NULL,
  owner     MEDIUMTEXT NOT NULL, -- '' for services
  name      MEDIUMTEXT NOT NULL,
  seen_ms   BIGINT     NOT NULL, -- when a span last brought it, to some hours
  PRIMARY KEY (kind, owner_key, name_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;

-- Writes whose traces may be in no tally, or in one that lacks what the write brought. Written with the spans, removed with the
-- tally, each in one transaction.
CREATE TABLE IF NOT EXISTS zipkind_link_unsettled (
  arrived BIGINT     NOT NULL, -- number of the write: about epoch microseconds
  id      BIGINT     NOT NULL, -- random
  traces  MEDIUMBLOB NOT NULL, -- low halves of trace ids, 8 bytes each, high byte first
  PRIMARY KEY (arrived, id),
  KEY link_unsettled_id (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;

-- Calls of some thousand traces, trace by trace; of a trace that is in several the highest number counts.
CREATE TABLE IF NOT EXISTS zipkind_link_tally (
  number  BIGINT     NOT NULL PRIMARY KEY,
  min_ms  BIGINT     NOT NULL, -- start of the oldest and the newest span, epoch milliseconds
  max_ms  BIGINT     NOT NULL,
  made_ms BIGINT     NOT NULL,
  calls   MEDIUMBLOB NOT NULL -- version, checksum, services, traces
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;
