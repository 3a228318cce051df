-- Tallies of calls between services (MYSQL_LAYOUT=native), for tables that were made without. Processes of the version before go on
-- working; where they have written, links come from the spans as before. Statements end with a semicolon at the end of a line.

-- Whether the traces were named as unsettled: NULL in lists of a version before.
ALTER TABLE zipkind_service_traces ADD COLUMN is_named TINYINT NULL, ADD KEY service_traces_named (is_named);

-- What is there is named nowhere: a list says so for as long as any of it may be kept.
INSERT INTO zipkind_service_traces (service, day, content, arrived, traces, terms)
  SELECT 0, 0, 1, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000000 AS SIGNED) + 259200000000, '', '' FROM zipkind_fragment LIMIT 1
  ON DUPLICATE KEY UPDATE traces = VALUES(traces);

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
