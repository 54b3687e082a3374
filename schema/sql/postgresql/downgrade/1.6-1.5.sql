-- Visibility schema on postgresql: 1.6 back to 1.5.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.6', '1.5') THEN
    RAISE EXCEPTION 'this script needs version 1.6, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Alter columns of executions_visibility: root_run_id: DROP DEFAULT, DROP NOT NULL; root_workflow_id: DROP DEFAULT, DROP NOT NULL
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ALTER COLUMN "root_run_id" DROP DEFAULT,
  ALTER COLUMN "root_run_id" DROP NOT NULL,
  ALTER COLUMN "root_workflow_id" DROP DEFAULT,
  ALTER COLUMN "root_workflow_id" DROP NOT NULL;

RESET lock_timeout;

-- Record version 1.5 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.5', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'The root of a chain of child workflows becomes searchable.', '', '1.5', '1.6'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
