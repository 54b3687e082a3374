-- Visibility schema on postgresql: 1.8 back to 1.7.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.8', '1.7') THEN
    RAISE EXCEPTION 'this script needs version 1.8, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Drop index by_temporal_worker_deployment
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_worker_deployment";

-- Drop index by_temporal_worker_deployment_version
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_worker_deployment_version";

-- Drop index by_temporal_workflow_versioning_behavior
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_temporal_workflow_versioning_behavior";

-- Drop 3 columns of executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  DROP COLUMN IF EXISTS "temporalworkerdeployment",
  DROP COLUMN IF EXISTS "temporalworkerdeploymentversion",
  DROP COLUMN IF EXISTS "temporalworkflowversioningbehavior";

RESET lock_timeout;

-- Record version 1.7 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.7', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Why an execution is paused becomes searchable.', '', '1.7', '1.8'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
