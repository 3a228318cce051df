-- Traces of a service as lists, one or a few for each write, instead of a row for each trace: as many index entries as
-- messages, not as spans.

CREATE TABLE zipkind.service_traces (
  day     INTEGER NOT NULL, -- of the spans, since the epoch, UTC
  service INTEGER NOT NULL, -- checksum of its name
  arrived BIGINT  NOT NULL, -- number of the write: about epoch microseconds
  traces  BYTEA   NOT NULL  -- low halves of trace ids, 8 bytes each, high byte first
) PARTITION BY RANGE (day);
-- Searches by a rare service.
CREATE INDEX service_traces_service ON zipkind.service_traces (service);
ALTER TABLE zipkind.service_traces ALTER COLUMN traces SET STORAGE EXTERNAL;
CREATE TABLE zipkind.service_traces_default PARTITION OF zipkind.service_traces DEFAULT WITH (toast_tuple_target = 8160);

-- A partition for each day that has one, and what was listed before.
DO $$
DECLARE
  of_day INTEGER;
BEGIN
  FOR of_day IN
    SELECT substr(c.relname, 10)::integer FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'zipkind.fragment'::regclass AND c.relname ~ '^fragment_[0-9]+$'
  LOOP
    EXECUTE format(
      'CREATE TABLE zipkind.service_traces_%s (LIKE zipkind.service_traces INCLUDING ALL) WITH (toast_tuple_target = 8160)', of_day);
    EXECUTE format(
      'ALTER TABLE zipkind.service_traces ATTACH PARTITION zipkind.service_traces_%s FOR VALUES FROM (%s) TO (%s)',
      of_day, of_day, of_day + 1);
  END LOOP;
END $$;
INSERT INTO zipkind.service_traces (day, service, arrived, traces)
SELECT day, service, (extract(epoch FROM now()) * 1000000)::bigint, string_agg(int8send(trace_low), ''::bytea)
FROM (SELECT DISTINCT day, service, trace_low, abs(hashint8(trace_low)::bigint) % 256 AS part FROM zipkind.posting) AS p
GROUP BY day, service, part;
DROP TABLE zipkind.posting;
