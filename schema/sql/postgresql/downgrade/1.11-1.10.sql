-- Visibility schema on postgresql: 1.11 back to 1.10.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.11', '1.10') THEN
    RAISE EXCEPTION 'this script needs version 1.11, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $do$
DECLARE
  used TEXT;
BEGIN
  SELECT string_agg(name, ', ') INTO used FROM (
SELECT DISTINCT coalesce(CASE v.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view ' END || v.relname,
                         i.type || ' ' || coalesce(x.relname, k.conname, i.identity)) AS name,
       coalesce(x.relname, k.conname, g.tgname) AS own
FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
LEFT JOIN pg_class x ON d.classid = 'pg_class'::regclass AND x.oid = d.objid AND d.objsubid = 0
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_class v ON v.oid = w.ev_class
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_attribute m ON m.attrelid = e.adrelid AND m.attnum = e.adnum
  OR d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND m.attrelid = d.objid AND m.attnum = d.objsubid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND a.attname = ANY(ARRAY['temporalbool01', 'temporalbool02', 'temporaldatetime01', 'temporaldatetime02', 'temporaldouble01', 'temporaldouble02', 'temporalint01', 'temporalint02', 'temporalkeyword01', 'temporalkeyword02', 'temporalkeyword03', 'temporalkeyword04', 'temporalkeywordlist01', 'temporalkeywordlist02']::text[])
  AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident('executions_visibility'))
  AND (x.relkind IS DISTINCT FROM 'i' OR x.relname IS NOT NULL) AND coalesce(k.contype <> 'n', true)
  AND (m.attrelid IS DISTINCT FROM a.attrelid OR m.attname <> ALL(ARRAY['temporalbool01', 'temporalbool02', 'temporaldatetime01', 'temporaldatetime02', 'temporaldouble01', 'temporaldouble02', 'temporalint01', 'temporalint02', 'temporalkeyword01', 'temporalkeyword02', 'temporalkeyword03', 'temporalkeyword04', 'temporalkeywordlist01', 'temporalkeywordlist02']::text[]))
ORDER BY 1
) AS d
WHERE own IS NULL OR own <> ALL(ARRAY['by_temporal_bool_01', 'by_temporal_bool_02', 'by_temporal_datetime_01', 'by_temporal_datetime_02', 'by_temporal_double_01', 'by_temporal_double_02', 'by_temporal_int_01', 'by_temporal_int_02', 'by_temporal_keyword_01', 'by_temporal_keyword_02', 'by_temporal_keyword_03', 'by_temporal_keyword_04', 'by_temporal_keyword_list_01', 'by_temporal_keyword_list_02', 'executions_visibility']::text[]);
  IF used IS NOT NULL THEN
    RAISE EXCEPTION 'these use columns that executions_visibility is to lose: %', used
      USING HINT = 'Drop them before: they would go, too, or stop this half-way.';
  END IF;
END
$do$;

-- Drop index by_temporal_bool_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_bool_01";

-- Drop index by_temporal_bool_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_bool_02";

-- Drop index by_temporal_datetime_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_datetime_01";

-- Drop index by_temporal_datetime_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_datetime_02";

-- Drop index by_temporal_double_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_double_01";

-- Drop index by_temporal_double_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_double_02";

-- Drop index by_temporal_int_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_int_01";

-- Drop index by_temporal_int_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_int_02";

-- Drop index by_temporal_keyword_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_01";

-- Drop index by_temporal_keyword_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_02";

-- Drop index by_temporal_keyword_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_03";

-- Drop index by_temporal_keyword_04
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_04";

-- Drop index by_temporal_keyword_list_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_list_01";

-- Drop index by_temporal_keyword_list_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_keyword_list_02";

-- Drop 14 columns of executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  DROP COLUMN IF EXISTS "temporalbool01",
  DROP COLUMN IF EXISTS "temporalbool02",
  DROP COLUMN IF EXISTS "temporaldatetime01",
  DROP COLUMN IF EXISTS "temporaldatetime02",
  DROP COLUMN IF EXISTS "temporaldouble01",
  DROP COLUMN IF EXISTS "temporaldouble02",
  DROP COLUMN IF EXISTS "temporalint01",
  DROP COLUMN IF EXISTS "temporalint02",
  DROP COLUMN IF EXISTS "temporalkeyword01",
  DROP COLUMN IF EXISTS "temporalkeyword02",
  DROP COLUMN IF EXISTS "temporalkeyword03",
  DROP COLUMN IF EXISTS "temporalkeyword04",
  DROP COLUMN IF EXISTS "temporalkeywordlist01",
  DROP COLUMN IF EXISTS "temporalkeywordlist02";

RESET lock_timeout;

-- Record version 1.10 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.10', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Problems that a run reports about itself become searchable.', '', '1.10', '1.11'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
