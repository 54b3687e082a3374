-- Visibility schema on postgresql: 1.12 to 1.13. All worker deployment versions that a run has used become searchable.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.12', '1.13') THEN
    RAISE EXCEPTION 'this script needs version 1.12, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $$
DECLARE
  invalid CURSOR FOR
      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = to_regclass('"executions_visibility"') AND NOT i.indisvalid AND x.relname IN (
        'by_used_deployment_versions');
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

-- Add 1 column to executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ADD COLUMN IF NOT EXISTS "temporalusedworkerdeploymentversions" JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalUsedWorkerDeploymentVersions') STORED;

RESET lock_timeout;

-- Build index by_used_deployment_versions
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_used_deployment_versions" ON "executions_visibility" USING GIN (namespace_id, "temporalusedworkerdeploymentversions" jsonb_path_ops);

-- Record version 1.13 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.13', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'All worker deployment versions that a run has used become searchable.', '', '1.13', '1.12'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
