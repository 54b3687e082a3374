-- Visibility schema on postgresql: 1.10 back to 1.9.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.10', '1.9') THEN
    RAISE EXCEPTION 'this script needs version 1.10, but schema_version says %', coalesce(found, 'nothing');
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
WHERE d.refclassid = 'pg_class'::regclass AND a.attname = ANY(ARRAY['temporalreportedproblems']::text[])
  AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident('executions_visibility'))
  AND (x.relkind IS DISTINCT FROM 'i' OR x.relname IS NOT NULL) AND coalesce(k.contype <> 'n', true)
  AND (m.attrelid IS DISTINCT FROM a.attrelid OR m.attname <> ALL(ARRAY['temporalreportedproblems']::text[]))
ORDER BY 1
) AS d
WHERE own IS NULL OR own <> ALL(ARRAY['by_temporal_reported_problems', 'executions_visibility']::text[]);
  IF used IS NOT NULL THEN
    RAISE EXCEPTION 'these use columns that executions_visibility is to lose: %', used
      USING HINT = 'Drop them before: they would go, too, or stop this half-way.';
  END IF;
END
$do$;

-- Drop index by_temporal_reported_problems
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_reported_problems";

-- Drop 1 column of executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  DROP COLUMN IF EXISTS "temporalreportedproblems";

RESET lock_timeout;

-- Record version 1.9 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.9', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Every record carries a version, so that a late write cannot overwrite a newer one.', '', '1.9', '1.10'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
