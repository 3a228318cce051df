-- Tallies of calls between services: dependency links are added up from them instead of from all spans of a window.
-- Additive: processes of the version before go on working. Where they have written, links come from the spans as before.

-- Writes whose traces may be in no tally, or in one that lacks what the write brought. Written with the spans, removed with the
-- tally, each in one transaction.
CREATE TABLE zipkind.link_unsettled (
  id      BIGINT NOT NULL PRIMARY KEY, -- random
  arrived BIGINT NOT NULL, -- number of the write: about epoch microseconds
  traces  BYTEA  NOT NULL  -- low halves of trace ids, 8 bytes each, high byte first
) WITH (toast_tuple_target = 8160);
CREATE INDEX link_unsettled_arrived ON zipkind.link_unsettled (arrived);
ALTER TABLE zipkind.link_unsettled ALTER COLUMN traces SET STORAGE EXTERNAL;

-- Calls of some thousand traces, trace by trace; of a trace that is in several the highest number counts.
CREATE TABLE zipkind.link_tally (
  number  BIGINT NOT NULL PRIMARY KEY,
  min_ms  BIGINT NOT NULL, -- start of the oldest and the newest span, epoch milliseconds
  max_ms  BIGINT NOT NULL,
  made_ms BIGINT NOT NULL,
  calls   BYTEA  NOT NULL  -- version, checksum, services, traces
);
ALTER TABLE zipkind.link_tally ALTER COLUMN calls SET STORAGE EXTERNAL;

-- What is there is named nowhere: a list says so for as long as any of it may be kept.
INSERT INTO zipkind.service_traces (day, service, arrived, traces, terms)
SELECT 0, 0, (extract(epoch FROM now()) * 1000000)::bigint + 259200000000, ''::bytea, ''::bytea
WHERE EXISTS (SELECT 1 FROM zipkind.fragment);

-- Whether the traces were named as unsettled: NULL in lists of a version before.
ALTER TABLE zipkind.service_traces ADD COLUMN is_named BOOLEAN;
CREATE INDEX service_traces_unnamed ON zipkind.service_traces (day) WHERE is_named IS NULL;
