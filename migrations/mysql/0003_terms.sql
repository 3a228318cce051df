-- Terms of tags and annotations beside the traces of a list (MYSQL_LAYOUT=native), for tables that were made without. Processes of
-- the version before go on working: lists that they write have no terms, and are read as if they had all. Statements end with a
-- semicolon at the end of a line.

-- What is there had no lists of spans without a service: a list that knows no terms says so for as long as any may be kept, those
-- of a day ahead included.
INSERT INTO zipkind_service_traces (service, day, content, arrived, traces)
  SELECT 0, 0, 0, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000000 AS SIGNED) + 259200000000, '' FROM zipkind_fragment LIMIT 1
  ON DUPLICATE KEY UPDATE traces = VALUES(traces);

ALTER TABLE zipkind_service_traces ADD COLUMN terms MEDIUMBLOB NULL;
