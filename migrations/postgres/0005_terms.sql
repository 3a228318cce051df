-- Terms of tags and annotations beside the traces of a list, so that a search for a rare one, or one that is nowhere, reads lists
-- instead of spans.
-- Additive: processes of the version before go on working. Lists that they write have no terms, and are read as if they had all.

-- What is there had no lists of spans without a service: a list that knows no terms says so for as long as any may be kept, those
-- of a day ahead included.
INSERT INTO zipkind.service_traces (day, service, arrived, traces)
SELECT 0, 0, (extract(epoch FROM now()) * 1000000)::bigint + 259200000000, ''::bytea WHERE EXISTS (SELECT 1 FROM zipkind.fragment);

-- Checksums of each tag's key, each tag, and each annotation of the service's spans: 4 bytes each, high byte first, ascending.
ALTER TABLE zipkind.service_traces ADD COLUMN terms BYTEA;
ALTER TABLE zipkind.service_traces ALTER COLUMN terms SET STORAGE EXTERNAL;
