-- Fragments of traces as they arrived, and what finds them again.
--
-- auto_vacuum = incremental and journal_mode = wal are set on the connection before this runs: auto_vacuum must be known before
-- the first table exists.

-- 'zipk': tells our files from those of other programs.
PRAGMA application_id = 2053730411;
-- Raised by every migration; a file with a higher number than the binary knows is refused.
PRAGMA user_version = 1;

-- The spans of one trace that came in one write. Times are epoch milliseconds.
CREATE TABLE fragment (
  id        INTEGER PRIMARY KEY, -- in order of arrival
  trace_low INTEGER NOT NULL,    -- low 64 bits of the trace id, as a signed number
  max_ms    INTEGER NOT NULL,    -- newest span; -1: no span has a timestamp
  extent_ms INTEGER NOT NULL,    -- newest minus oldest span
  spans     BLOB    NOT NULL     -- version, checksum, records
);
CREATE INDEX fragment_trace ON fragment (trace_low, max_ms, extent_ms);
CREATE INDEX fragment_time ON fragment (max_ms, trace_low);

-- Services of a fragment, for searches by service. Names are kept as 32-bit checksums: two services that share one
-- cost a candidate that does not match, never a wrong answer.
CREATE TABLE posting (
  service   INTEGER NOT NULL,
  max_ms    INTEGER NOT NULL, -- of the fragment
  trace_low INTEGER NOT NULL,
  PRIMARY KEY (service, max_ms, trace_low)
) WITHOUT ROWID;

-- Traces that postings do not place well: fragments far apart in time, or a fragment without any timestamp (min_ms -1).
CREATE TABLE wide_trace (
  trace_low INTEGER PRIMARY KEY,
  min_ms    INTEGER NOT NULL,
  max_ms    INTEGER NOT NULL
);
CREATE INDEX wide_trace_time ON wide_trace (max_ms, trace_low, min_ms);

-- Names that are listed: 0 service, 1 span name, 2 remote service of the service `owner`, 3 value of the tag `owner`.
CREATE TABLE name (
  kind    INTEGER NOT NULL,
  owner   TEXT    NOT NULL, -- '' for services
  name    TEXT    NOT NULL,
  seen_ms INTEGER NOT NULL, -- when a span last brought it, to some hours
  PRIMARY KEY (kind, owner, name)
) WITHOUT ROWID;

-- Which fragments had arrived by when, to a minute: retention of spans that have no time of their own.
CREATE TABLE arrival (
  first_id INTEGER PRIMARY KEY, -- fragments below it arrived at arrived_ms or before
  arrived_ms INTEGER NOT NULL
);

-- How far a source has been stored.
CREATE TABLE source_position (
  consumer_group        TEXT    NOT NULL,
  topic                 TEXT    NOT NULL,
  partition             INTEGER NOT NULL,
  batch_from            INTEGER NOT NULL, -- offsets of the last batch: its first, and the one after its last
  next                  INTEGER NOT NULL,
  last_message_ms       INTEGER NOT NULL,
  last_message_checksum INTEGER NOT NULL, -- 64 bits as a signed number
  PRIMARY KEY (consumer_group, topic, partition)
) WITHOUT ROWID;
