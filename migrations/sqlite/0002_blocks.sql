-- Spans rest in blocks: sorted by trace, by column, compressed. New ones wait in `recent` until they are put into one.
--
-- What the first layout holds is moved when the file is opened (src/storage/sqlite/upgrade.rs), which then removes its tables.

PRAGMA user_version = 2;

-- What one write brought. Kept in memory too; read when the file is opened.
CREATE TABLE recent (
  id         INTEGER PRIMARY KEY, -- in order of arrival, never used again
  arrived_ms INTEGER NOT NULL,    -- epoch milliseconds
  spans      BLOB    NOT NULL     -- version, checksum, records
);

-- Some ten thousand spans of whole traces.
CREATE TABLE block (
  id         INTEGER PRIMARY KEY,
  sealed_to  INTEGER NOT NULL, -- rows of `recent` up to here are in this block and those before it
  covers_to  INTEGER NOT NULL, -- rows of `recent` up to here are in it as far as they are of its traces
  arrived_ms INTEGER NOT NULL, -- when the last of its spans arrived
  min_ms     INTEGER NOT NULL, -- timestamps of its oldest and newest span, epoch milliseconds; 0: none
  max_ms     INTEGER NOT NULL,
  spans      INTEGER NOT NULL,
  traces     INTEGER NOT NULL,
  chunks     INTEGER NOT NULL,
  bytes      INTEGER NOT NULL  -- of its chunks and views
);

-- Some thousand spans of a block. Both values have a version and a checksum, and are compressed.
CREATE TABLE chunk (
  id   INTEGER PRIMARY KEY, -- 65536 times the block, plus the number of the chunk
  find BLOB NOT NULL,       -- dictionaries, and the columns that searches look at
  rest BLOB NOT NULL        -- ids, times, flags
);

-- What is derived from a block and kept beside it: 1 traces, 2 names, 3 terms,
-- 4 rate, errors and durations by minute.
CREATE TABLE view (
  id    INTEGER PRIMARY KEY, -- 256 times the block, plus the kind
  value BLOB NOT NULL
);

-- Traces of a block that a later block has taken over, because more of their spans came.
CREATE TABLE taken (
  block     INTEGER NOT NULL,
  trace_low INTEGER NOT NULL, -- low 64 bits of the trace id, as a signed number
  PRIMARY KEY (block, trace_low)
) WITHOUT ROWID;
