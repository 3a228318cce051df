-- The view dependency_links: who called whom, for people with plain SQL.
-- Additive: processes of the version before go on working.
--
-- Links follow the rules of /api/v2/dependencies. A trace counts on the day of its newest span, all of its calls together. Ask by
-- day: every trace of a day is unpacked and linked. Halves of a span are told apart by service name only, where the API looks at
-- addresses, too.

-- Whether processes that do not know a migration may work with it.
ALTER TABLE zipkind.migration ADD COLUMN is_additive BOOLEAN NOT NULL DEFAULT false;

-- Most fragments have few spans: plans go by it.
ALTER FUNCTION zipkind.unpack(BYTEA) ROWS 4;

-- Every call of the traces whose newest span is of that day.
CREATE FUNCTION zipkind.calls_of_day(wanted INTEGER)
RETURNS TABLE (parent TEXT, child TEXT, is_error BOOLEAN) LANGUAGE sql STABLE SET jit = off AS $$
WITH RECURSIVE
trace AS MATERIALIZED (
  SELECT DISTINCT f.trace_low FROM zipkind.fragment AS f
  WHERE f.day = wanted
    AND NOT EXISTS (SELECT 1 FROM zipkind.fragment AS later WHERE later.trace_low = f.trace_low AND later.day > wanted)
),
report AS MATERIALIZED (
  SELECT f.trace_low, s.id, s.parent_id, s.kind, s.local_service_name AS service, s.remote_service_name AS remote,
    s.tags ? 'error' AS is_error,
    -- The server's half of a shared span, also where only its position beside a client of the same id tells.
    s.shared OR (s.kind = 'SERVER' AND bool_or(s.kind = 'CLIENT') OVER (PARTITION BY f.trace_low, s.id)) IS TRUE AS is_answer
  FROM trace JOIN zipkind.fragment AS f USING (trace_low) CROSS JOIN LATERAL zipkind.unpack(f.spans) AS s
),
-- The reports of one half of a span.
half AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY trace_low, id, is_answer) AS number, trace_low, id, is_answer,
    min(parent_id) AS parent_id, min(kind) AS kind, min(service) AS service, min(remote) AS remote, bool_or(is_error) AS is_error
  FROM report GROUP BY trace_low, id, is_answer, CASE WHEN is_answer THEN coalesce(service, '') END
),
root AS MATERIALIZED (
  SELECT DISTINCT ON (trace_low) trace_low, number FROM half
  WHERE NOT is_answer AND parent_id IS NULL ORDER BY trace_low, number
),
own AS MATERIALIZED (
  SELECT trace_low, id, min(number) AS number FROM half WHERE NOT is_answer GROUP BY trace_low, id
),
answer AS MATERIALIZED (
  SELECT trace_low, id, service, min(number) AS number FROM half WHERE is_answer GROUP BY trace_low, id, service
),
any_answer AS MATERIALIZED (
  SELECT trace_low, id, min(number) AS number FROM answer GROUP BY trace_low, id
),
-- Below whom: an answer below its own call, others below the answer of the same service, or the call, of their parent's id, and
-- what is left below the root.
placed AS MATERIALIZED (
  SELECT h.number, CASE WHEN h.number = root.number THEN NULL ELSE coalesce(
    CASE WHEN NOT h.is_answer THEN coalesce(answer.number, CASE WHEN h.service IS NULL THEN any_answer.number END) END,
    own.number, root.number) END AS above
  FROM half AS h
  LEFT JOIN root USING (trace_low)
  LEFT JOIN own ON own.trace_low = h.trace_low AND own.id = CASE WHEN h.is_answer THEN h.id ELSE h.parent_id END
  LEFT JOIN answer ON answer.trace_low = h.trace_low AND answer.id = h.parent_id AND answer.service = h.service
  LEFT JOIN any_answer ON any_answer.trace_low = h.trace_low AND any_answer.id = h.parent_id
),
parent AS MATERIALIZED (
  SELECT DISTINCT above AS number FROM placed WHERE above IS NOT NULL
),
-- From the top down, each with its nearest ancestor that has a kind. Circles are never entered.
walk AS (
  SELECT number, NULL::bigint AS ancestor, above IS NULL AS is_top FROM placed WHERE above IS NULL
  UNION ALL
  SELECT p.number, CASE WHEN h.kind IS NOT NULL THEN h.number ELSE w.ancestor END, false
  FROM walk AS w JOIN half AS h USING (number) JOIN placed AS p ON p.above = w.number
),
node AS (
  SELECT h.*, w.ancestor, r.number IS NOT NULL AS is_root,
    -- Who knows both sides but not its kind is taken for a client.
    coalesce(h.kind, CASE WHEN h.service IS NOT NULL AND h.remote IS NOT NULL THEN 'CLIENT' END) AS role
  FROM walk AS w JOIN half AS h USING (number) LEFT JOIN parent USING (number) LEFT JOIN root AS r USING (number)
  -- The server's name is the better one.
  WHERE h.kind IS DISTINCT FROM 'CLIENT' OR parent.number IS NULL
),
-- The nearest ancestor counts when it has a name, and not for messages.
known AS (
  SELECT n.*, a.service AS ancestor_service,
    a.service IS NOT NULL AND a.is_error AND a.kind = 'CLIENT' AND n.parent_id = a.id AS is_split_error,
    n.role IN ('SERVER', 'CONSUMER') AS answers
  FROM node AS n LEFT JOIN half AS a ON a.number = n.ancestor AND n.role IN ('CLIENT', 'SERVER')
  WHERE n.role IS NOT NULL AND NOT (n.is_root AND n.role IN ('SERVER', 'CONSUMER') AND n.remote IS NULL)
),
call AS (
  SELECT CASE
      WHEN role = 'SERVER' THEN coalesce(ancestor_service, remote)
      WHEN answers THEN remote
      ELSE coalesce(service, ancestor_service)
    END AS parent,
    CASE WHEN answers THEN service ELSE remote END AS child,
    is_error OR coalesce(is_split_error, false) AS is_error
  FROM known
  UNION ALL
  -- The call that led to a client was not recorded by a server; whether it failed is unknown.
  SELECT ancestor_service, service, false FROM known WHERE role = 'CLIENT' AND ancestor_service <> service
)
SELECT parent, child, is_error FROM call WHERE parent IS NOT NULL AND child IS NOT NULL
$$;

CREATE VIEW zipkind.dependency_links AS
SELECT d.day, c.parent, c.child, count(*) AS call_count, count(*) FILTER (WHERE c.is_error) AS error_count
FROM (SELECT DISTINCT day FROM zipkind.fragment) AS d CROSS JOIN LATERAL zipkind.calls_of_day(d.day) AS c
GROUP BY d.day, c.parent, c.child;
