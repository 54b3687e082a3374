-- Visibility schema on postgresql: 1.2 back to 1.1.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.2', '1.1') THEN
    RAISE EXCEPTION 'this script needs version 1.2, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $$
DECLARE
  invalid CURSOR FOR
      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = to_regclass('"executions_visibility"') AND NOT i.indisvalid AND x.relname IN (
        'by_type_start_time',
        'by_workflow_id_start_time',
        'by_status_by_start_time',
        'by_type_close_time',
        'by_workflow_id_close_time',
        'by_status_by_close_time',
        'by_close_time_by_status');
BEGIN
  FOR one IN invalid LOOP
    PERFORM set_config('lock_timeout', '5s', true);
    LOCK TABLE "executions_visibility" IN SHARE UPDATE EXCLUSIVE MODE;
    EXIT;
  END LOOP;
  FOR one IN invalid LOOP
    EXECUTE 'DROP INDEX ' || one.name;
  END LOOP;
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
WHERE d.refclassid = 'pg_class'::regclass AND a.attname = ANY(ARRAY['batcheruser', 'binarychecksums', 'bool01', 'bool02', 'bool03', 'datetime01', 'datetime02', 'datetime03', 'double01', 'double02', 'double03', 'int01', 'int02', 'int03', 'keyword01', 'keyword02', 'keyword03', 'keyword04', 'keyword05', 'keyword06', 'keyword07', 'keyword08', 'keyword09', 'keyword10', 'keywordlist01', 'keywordlist02', 'keywordlist03', 'temporalchangeversion', 'temporalnamespacedivision', 'temporalscheduledbyid', 'temporalscheduledstarttime', 'temporalschedulepaused', 'text01', 'text02', 'text03', 'search_attributes']::text[])
  AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident('executions_visibility'))
  AND (x.relkind IS DISTINCT FROM 'i' OR x.relname IS NOT NULL) AND coalesce(k.contype <> 'n', true)
  AND (m.attrelid IS DISTINCT FROM a.attrelid OR m.attname <> ALL(ARRAY['batcheruser', 'binarychecksums', 'bool01', 'bool02', 'bool03', 'datetime01', 'datetime02', 'datetime03', 'double01', 'double02', 'double03', 'int01', 'int02', 'int03', 'keyword01', 'keyword02', 'keyword03', 'keyword04', 'keyword05', 'keyword06', 'keyword07', 'keyword08', 'keyword09', 'keyword10', 'keywordlist01', 'keywordlist02', 'keywordlist03', 'temporalchangeversion', 'temporalnamespacedivision', 'temporalscheduledbyid', 'temporalscheduledstarttime', 'temporalschedulepaused', 'text01', 'text02', 'text03', 'search_attributes']::text[]))
ORDER BY 1
) AS d
WHERE own IS NULL OR own <> ALL(ARRAY['by_batcher_user', 'by_binary_checksums', 'by_bool_01', 'by_bool_02', 'by_bool_03', 'by_datetime_01', 'by_datetime_02', 'by_datetime_03', 'by_double_01', 'by_double_02', 'by_double_03', 'by_execution_time', 'by_history_length', 'by_int_01', 'by_int_02', 'by_int_03', 'by_keyword_01', 'by_keyword_02', 'by_keyword_03', 'by_keyword_04', 'by_keyword_05', 'by_keyword_06', 'by_keyword_07', 'by_keyword_08', 'by_keyword_09', 'by_keyword_10', 'by_keyword_list_01', 'by_keyword_list_02', 'by_keyword_list_03', 'by_status', 'by_task_queue', 'by_temporal_change_version', 'by_temporal_namespace_division', 'by_temporal_schedule_paused', 'by_temporal_scheduled_by_id', 'by_temporal_scheduled_start_time', 'by_text_01', 'by_text_02', 'by_text_03', 'by_workflow_id', 'by_workflow_type', 'default_idx', 'executions_visibility', 'btree_gin', 'convert_ts']::text[]);
  IF used IS NOT NULL THEN
    RAISE EXCEPTION 'these use columns that executions_visibility is to lose: %', used
      USING HINT = 'Drop them before: they would go, too, or stop this half-way.';
  END IF;
END
$do$;

DO $do$
DECLARE
  used TEXT;
BEGIN
  SELECT string_agg(name, ', ') INTO used FROM (
SELECT DISTINCT g.step,
       coalesce(a.attrelid::regclass || '.' || a.attname, x.indexrelid::regclass::text,
                i.type || ' ' || i.identity) AS name
FROM (SELECT 'extension.btree_gin' AS step, m.classid, m.objid
      FROM pg_extension e JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid
      WHERE e.extname = 'btree_gin' AND m.deptype = 'e'
      UNION ALL SELECT 'function.convert_ts', 'pg_proc'::regclass,
        to_regprocedure(quote_ident(current_schema()) || '.convert_ts(varchar)')::oid) AS g
JOIN pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_index x ON d.classid = 'pg_class'::regclass AND x.indexrelid = d.objid
LEFT JOIN pg_class y ON y.oid = x.indexrelid
LEFT JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
  OR d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND a.attrelid = d.objid AND a.attnum = d.objsubid
WHERE (g.step <> 'extension.btree_gin' OR d.classid = 'pg_class'::regclass)
  AND (coalesce(y.relname, a.attname, '') <> ALL(ARRAY['batcheruser', 'binarychecksums', 'bool01', 'bool02', 'bool03', 'datetime01', 'datetime02', 'datetime03', 'double01', 'double02', 'double03', 'int01', 'int02', 'int03', 'keyword01', 'keyword02', 'keyword03', 'keyword04', 'keyword05', 'keyword06', 'keyword07', 'keyword08', 'keyword09', 'keyword10', 'keywordlist01', 'keywordlist02', 'keywordlist03', 'temporalchangeversion', 'temporalnamespacedivision', 'temporalscheduledbyid', 'temporalscheduledstarttime', 'temporalschedulepaused', 'text01', 'text02', 'text03', 'search_attributes', 'by_batcher_user', 'by_binary_checksums', 'by_bool_01', 'by_bool_02', 'by_bool_03', 'by_datetime_01', 'by_datetime_02', 'by_datetime_03', 'by_double_01', 'by_double_02', 'by_double_03', 'by_execution_time', 'by_history_length', 'by_int_01', 'by_int_02', 'by_int_03', 'by_keyword_01', 'by_keyword_02', 'by_keyword_03', 'by_keyword_04', 'by_keyword_05', 'by_keyword_06', 'by_keyword_07', 'by_keyword_08', 'by_keyword_09', 'by_keyword_10', 'by_keyword_list_01', 'by_keyword_list_02', 'by_keyword_list_03', 'by_status', 'by_task_queue', 'by_temporal_change_version', 'by_temporal_namespace_division', 'by_temporal_schedule_paused', 'by_temporal_scheduled_by_id', 'by_temporal_scheduled_start_time', 'by_text_01', 'by_text_02', 'by_text_03', 'by_workflow_id', 'by_workflow_type', 'default_idx', 'executions_visibility', 'btree_gin', 'convert_ts']::text[]) OR coalesce(x.indrelid, a.attrelid, 0) NOT IN (
    SELECT oid FROM pg_class
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname IN ('executions_visibility', 'temporal_visibility_shadow')))
ORDER BY 1, 2
) AS d;
  IF used IS NOT NULL THEN
    RAISE EXCEPTION 'these use the extension btree_gin or the function convert_ts, which are to go: %', used
      USING HINT = 'Drop them before: they would go, too, or stop this half-way.';
  END IF;
END
$do$;

-- Drop index by_batcher_user
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_batcher_user";

-- Drop index by_binary_checksums
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_binary_checksums";

-- Drop index by_bool_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_bool_01";

-- Drop index by_bool_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_bool_02";

-- Drop index by_bool_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_bool_03";

-- Drop index by_datetime_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_datetime_01";

-- Drop index by_datetime_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_datetime_02";

-- Drop index by_datetime_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_datetime_03";

-- Drop index by_double_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_double_01";

-- Drop index by_double_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_double_02";

-- Drop index by_double_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_double_03";

-- Drop index by_execution_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_execution_time";

-- Drop index by_history_length
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_history_length";

-- Drop index by_int_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_int_01";

-- Drop index by_int_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_int_02";

-- Drop index by_int_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_int_03";

-- Drop index by_keyword_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_01";

-- Drop index by_keyword_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_02";

-- Drop index by_keyword_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_03";

-- Drop index by_keyword_04
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_04";

-- Drop index by_keyword_05
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_05";

-- Drop index by_keyword_06
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_06";

-- Drop index by_keyword_07
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_07";

-- Drop index by_keyword_08
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_08";

-- Drop index by_keyword_09
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_09";

-- Drop index by_keyword_10
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_10";

-- Drop index by_keyword_list_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_list_01";

-- Drop index by_keyword_list_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_list_02";

-- Drop index by_keyword_list_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_keyword_list_03";

-- Drop index by_status
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_status";

-- Drop index by_task_queue
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_task_queue";

-- Drop index by_temporal_change_version
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_change_version";

-- Drop index by_temporal_namespace_division
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_namespace_division";

-- Drop index by_temporal_schedule_paused
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_schedule_paused";

-- Drop index by_temporal_scheduled_by_id
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_scheduled_by_id";

-- Drop index by_temporal_scheduled_start_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_scheduled_start_time";

-- Drop index by_text_01
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_text_01";

-- Drop index by_text_02
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_text_02";

-- Drop index by_text_03
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_text_03";

-- Drop index by_workflow_id
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_workflow_id";

-- Drop index by_workflow_type
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_workflow_type";

-- Drop index default_idx
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "default_idx";

-- Drop 36 columns of executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  DROP COLUMN IF EXISTS "batcheruser",
  DROP COLUMN IF EXISTS "binarychecksums",
  DROP COLUMN IF EXISTS "bool01",
  DROP COLUMN IF EXISTS "bool02",
  DROP COLUMN IF EXISTS "bool03",
  DROP COLUMN IF EXISTS "datetime01",
  DROP COLUMN IF EXISTS "datetime02",
  DROP COLUMN IF EXISTS "datetime03",
  DROP COLUMN IF EXISTS "double01",
  DROP COLUMN IF EXISTS "double02",
  DROP COLUMN IF EXISTS "double03",
  DROP COLUMN IF EXISTS "int01",
  DROP COLUMN IF EXISTS "int02",
  DROP COLUMN IF EXISTS "int03",
  DROP COLUMN IF EXISTS "keyword01",
  DROP COLUMN IF EXISTS "keyword02",
  DROP COLUMN IF EXISTS "keyword03",
  DROP COLUMN IF EXISTS "keyword04",
  DROP COLUMN IF EXISTS "keyword05",
  DROP COLUMN IF EXISTS "keyword06",
  DROP COLUMN IF EXISTS "keyword07",
  DROP COLUMN IF EXISTS "keyword08",
  DROP COLUMN IF EXISTS "keyword09",
  DROP COLUMN IF EXISTS "keyword10",
  DROP COLUMN IF EXISTS "keywordlist01",
  DROP COLUMN IF EXISTS "keywordlist02",
  DROP COLUMN IF EXISTS "keywordlist03",
  DROP COLUMN IF EXISTS "temporalchangeversion",
  DROP COLUMN IF EXISTS "temporalnamespacedivision",
  DROP COLUMN IF EXISTS "temporalscheduledbyid",
  DROP COLUMN IF EXISTS "temporalscheduledstarttime",
  DROP COLUMN IF EXISTS "temporalschedulepaused",
  DROP COLUMN IF EXISTS "text01",
  DROP COLUMN IF EXISTS "text02",
  DROP COLUMN IF EXISTS "text03",
  DROP COLUMN IF EXISTS "search_attributes";

RESET lock_timeout;

-- Build index by_type_start_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_type_start_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "start_time" DESC, "run_id");

-- Build index by_workflow_id_start_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_workflow_id_start_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "start_time" DESC, "run_id");

-- Build index by_status_by_start_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_status_by_start_time" ON "executions_visibility" ("namespace_id", "status", "start_time" DESC, "run_id");

-- Build index by_type_close_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_type_close_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "close_time" DESC, "run_id");

-- Build index by_workflow_id_close_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_workflow_id_close_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "close_time" DESC, "run_id");

-- Build index by_status_by_close_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_status_by_close_time" ON "executions_visibility" ("namespace_id", "status", "close_time" DESC, "run_id");

-- Build index by_close_time_by_status
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_close_time_by_status" ON "executions_visibility" ("namespace_id", "close_time" DESC, "run_id", "status");

-- Drop extension btree_gin
DROP EXTENSION IF EXISTS btree_gin;

-- Drop function convert_ts
DROP FUNCTION IF EXISTS convert_ts(VARCHAR);

-- Record version 1.1 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.1', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Closed executions can be listed by close time across all statuses.', '', '1.1', '1.2'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
