-- For people with plain SQL: the views spans, traces and tags. Spans are packed in fragments; functions unpack them.
--
-- Ask by trace_low (low 64 bits of the trace id, as a signed number) or by day where possible: those are looked up, all
-- else is filtered after unpacking. In texts U+0000 is written as U+0001 '0', and U+0001 as U+0001 '1'.

CREATE TYPE zipkind.unpacked AS (
  trace_id           TEXT, -- 16 or 32 hex digits
  id                 TEXT,
  parent_id          TEXT,
  kind               TEXT,
  name               TEXT,
  timestamp_us       BIGINT,
  duration_us        BIGINT,
  local_service_name TEXT,
  local_ipv4         TEXT,
  local_ipv6         TEXT,
  local_port         INTEGER,
  remote_service_name TEXT,
  remote_ipv4        TEXT,
  remote_ipv6        TEXT,
  remote_port        INTEGER,
  annotations        JSONB, -- [{"timestamp": microseconds, "value": text}]
  tags               JSONB,
  debug              BOOLEAN,
  shared             BOOLEAN
);

-- A number in base 128, low digits first.
CREATE FUNCTION zipkind.unpack_number(packed BYTEA, INOUT place INTEGER, OUT value BIGINT) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  digit INTEGER;
  shift INTEGER := 0;
BEGIN
  value := 0;
  LOOP
    digit := get_byte(packed, place);
    place := place + 1;
    value := value | ((digit & 127)::bigint << shift);
    EXIT WHEN digit < 128;
    shift := shift + 7;
  END LOOP;
END $$;

-- Length and UTF-8.
CREATE FUNCTION zipkind.unpack_text(packed BYTEA, INOUT place INTEGER, OUT value TEXT) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  bytes BIGINT;
  text_bytes BYTEA;
  part BYTEA;
BEGIN
  SELECT n.place, n.value INTO place, bytes FROM zipkind.unpack_number(packed, place) AS n;
  text_bytes := substring(packed FROM place + 1 FOR bytes::integer);
  place := place + bytes::integer;
  IF position('\x01'::bytea IN text_bytes) = 0 AND position('\x00'::bytea IN text_bytes) = 0 THEN
    value := convert_from(text_bytes, 'UTF8');
    RETURN;
  END IF;
  part := ''::bytea;
  FOR i IN 0 .. length(text_bytes) - 1 LOOP
    part := part || CASE get_byte(text_bytes, i)
      WHEN 0 THEN '\x0130'::bytea
      WHEN 1 THEN '\x0131'::bytea
      ELSE substring(text_bytes FROM i + 1 FOR 1)
    END;
  END LOOP;
  value := convert_from(part, 'UTF8');
END $$;

-- 64 bits, low byte first.
CREATE FUNCTION zipkind.unpack_bits(packed BYTEA, place INTEGER) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
  SELECT get_byte(packed, place)::bigint | (get_byte(packed, place + 1)::bigint << 8)
    | (get_byte(packed, place + 2)::bigint << 16) | (get_byte(packed, place + 3)::bigint << 24)
    | (get_byte(packed, place + 4)::bigint << 32) | (get_byte(packed, place + 5)::bigint << 40)
    | (get_byte(packed, place + 6)::bigint << 48) | (get_byte(packed, place + 7)::bigint << 56)
$$;

CREATE FUNCTION zipkind.hex(bits BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
  SELECT lpad(to_hex(bits), 16, '0')
$$;

CREATE FUNCTION zipkind.unpack_endpoint(
  packed BYTEA, INOUT place INTEGER, OUT service_name TEXT, OUT ipv4 TEXT, OUT ipv6 TEXT, OUT port INTEGER
) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  flags INTEGER := get_byte(packed, place);
BEGIN
  place := place + 1;
  IF flags & 1 <> 0 THEN SELECT t.place, t.value INTO place, service_name FROM zipkind.unpack_text(packed, place) AS t; END IF;
  IF flags & 2 <> 0 THEN SELECT t.place, t.value INTO place, ipv4 FROM zipkind.unpack_text(packed, place) AS t; END IF;
  IF flags & 4 <> 0 THEN SELECT t.place, t.value INTO place, ipv6 FROM zipkind.unpack_text(packed, place) AS t; END IF;
  IF flags & 8 <> 0 THEN
    port := get_byte(packed, place) | (get_byte(packed, place + 1) << 8);
    place := place + 2;
  END IF;
END $$;

-- One record: the form of a span that src/model/record.rs describes.
CREATE FUNCTION zipkind.unpack_record(packed BYTEA) RETURNS zipkind.unpacked LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  span zipkind.unpacked;
  flags INTEGER := get_byte(packed, 0) | (get_byte(packed, 1) << 8);
  place INTEGER := 10;
  count BIGINT;
  time_us BIGINT;
  key TEXT;
  word TEXT;
  annotations JSONB[] := '{}';
BEGIN
  span.trace_id := zipkind.hex(zipkind.unpack_bits(packed, 2));
  IF flags & 32 <> 0 THEN
    span.trace_id := zipkind.hex(zipkind.unpack_bits(packed, place)) || span.trace_id;
    place := place + 8;
  END IF;
  span.id := zipkind.hex(zipkind.unpack_bits(packed, place));
  place := place + 8;
  IF flags & 64 <> 0 THEN span.parent_id := zipkind.hex(zipkind.unpack_bits(packed, place)); place := place + 8; END IF;
  IF flags & 128 <> 0 THEN span.timestamp_us := zipkind.unpack_bits(packed, place); place := place + 8; END IF;
  IF flags & 256 <> 0 THEN
    SELECT n.place, n.value INTO place, span.duration_us FROM zipkind.unpack_number(packed, place) AS n;
  END IF;
  IF flags & 512 <> 0 THEN SELECT t.place, t.value INTO place, span.name FROM zipkind.unpack_text(packed, place) AS t; END IF;
  IF flags & 1024 <> 0 THEN
    SELECT e.place, e.service_name, e.ipv4, e.ipv6, e.port
      INTO place, span.local_service_name, span.local_ipv4, span.local_ipv6, span.local_port
      FROM zipkind.unpack_endpoint(packed, place) AS e;
  END IF;
  IF flags & 2048 <> 0 THEN
    SELECT e.place, e.service_name, e.ipv4, e.ipv6, e.port
      INTO place, span.remote_service_name, span.remote_ipv4, span.remote_ipv6, span.remote_port
      FROM zipkind.unpack_endpoint(packed, place) AS e;
  END IF;
  IF flags & 4096 <> 0 THEN
    SELECT n.place, n.value INTO place, count FROM zipkind.unpack_number(packed, place) AS n;
    FOR i IN 1 .. count LOOP
      time_us := zipkind.unpack_bits(packed, place);
      SELECT t.place, t.value INTO place, word FROM zipkind.unpack_text(packed, place + 8) AS t;
      annotations := annotations || jsonb_build_object('timestamp', time_us, 'value', word);
    END LOOP;
  END IF;
  span.annotations := to_jsonb(annotations);
  span.tags := '{}'::jsonb;
  IF flags & 8192 <> 0 THEN
    SELECT n.place, n.value INTO place, count FROM zipkind.unpack_number(packed, place) AS n;
    FOR i IN 1 .. count LOOP
      SELECT t.place, t.value INTO place, key FROM zipkind.unpack_text(packed, place) AS t;
      SELECT t.place, t.value INTO place, word FROM zipkind.unpack_text(packed, place) AS t;
      span.tags := span.tags || jsonb_build_object(key, word);
    END LOOP;
  END IF;
  span.kind := (ARRAY['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'])[flags & 7];
  span.debug := flags & 8 <> 0;
  span.shared := flags & 16 <> 0;
  RETURN span;
END $$;

-- All spans of a fragment.
CREATE FUNCTION zipkind.unpack(packed BYTEA) RETURNS SETOF zipkind.unpacked LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  place INTEGER := 5;
  bytes BIGINT;
BEGIN
  IF get_byte(packed, 0) <> 1 THEN
    RAISE EXCEPTION 'a fragment of version %, which this schema does not unpack', get_byte(packed, 0);
  END IF;
  WHILE place < length(packed) LOOP
    SELECT n.place INTO place FROM zipkind.unpack_number(packed, place) AS n;
    SELECT n.place, n.value INTO place, bytes FROM zipkind.unpack_number(packed, place) AS n;
    RETURN NEXT zipkind.unpack_record(substring(packed FROM place + 1 FOR bytes::integer));
    place := place + bytes::integer;
  END LOOP;
END $$;

-- Every span once, as it was reported: spans of one id that differ are rows of their own.
CREATE VIEW zipkind.spans AS
SELECT DISTINCT
  f.day, f.trace_low,
  'epoch'::timestamptz + s.timestamp_us * interval '1 microsecond' AS started_at,
  s.*
FROM zipkind.fragment AS f CROSS JOIN LATERAL zipkind.unpack(f.spans) AS s;

CREATE VIEW zipkind.traces AS
SELECT
  trace_low, trace_id,
  min(started_at) AS started_at,
  max(timestamp_us + coalesce(duration_us, 0)) - min(timestamp_us) AS duration_us,
  count(*) AS spans,
  count(*) FILTER (WHERE tags ? 'error') AS errors,
  array_agg(DISTINCT local_service_name ORDER BY local_service_name) FILTER (WHERE local_service_name IS NOT NULL)
    AS service_names
FROM zipkind.spans GROUP BY trace_low, trace_id;

CREATE VIEW zipkind.tags AS
SELECT s.day, s.trace_low, s.trace_id, s.id, s.local_service_name, s.started_at, t.key, t.value
FROM zipkind.spans AS s CROSS JOIN LATERAL jsonb_each_text(s.tags) AS t;
