-- Visibility schema on postgresql: 1.3 to 1.4. Execution duration, state transitions and the parent of a run become searchable on SQL.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.3', '1.4') THEN
    RAISE EXCEPTION 'this script needs version 1.3, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $$
DECLARE
  invalid CURSOR FOR
      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = to_regclass('"executions_visibility"') AND NOT i.indisvalid AND x.relname IN (
        'by_execution_duration',
        'by_state_transition_count',
        'by_parent_workflow_id',
        'by_parent_run_id');
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

-- Add 4 columns to executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ADD COLUMN IF NOT EXISTS "execution_duration" BIGINT,
  ADD COLUMN IF NOT EXISTS "state_transition_count" BIGINT,
  ADD COLUMN IF NOT EXISTS "parent_workflow_id" VARCHAR(255),
  ADD COLUMN IF NOT EXISTS "parent_run_id" VARCHAR(255);

RESET lock_timeout;

-- Build index by_execution_duration
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_execution_duration" ON "executions_visibility" (namespace_id, "execution_duration", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_state_transition_count
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_state_transition_count" ON "executions_visibility" (namespace_id, "state_transition_count", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_parent_workflow_id
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_parent_workflow_id" ON "executions_visibility" (namespace_id, "parent_workflow_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_parent_run_id
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_parent_run_id" ON "executions_visibility" (namespace_id, "parent_run_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Record version 1.4 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.4', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Execution duration, state transitions and the parent of a run become searchable on SQL.', '', '1.4', '1.3'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
