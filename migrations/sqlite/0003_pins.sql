-- Copies of traces that someone wants to keep: retention leaves them alone. Reads of a trace fold them with what is stored of it.

PRAGMA user_version = 3;

CREATE TABLE pinned (
  trace_low  INTEGER PRIMARY KEY, -- halves of the id it was pinned by, as signed numbers
  trace_high INTEGER NOT NULL,
  spans      INTEGER NOT NULL,    -- how many there are in records
  records    BLOB    NOT NULL     -- version, checksum, records
);
