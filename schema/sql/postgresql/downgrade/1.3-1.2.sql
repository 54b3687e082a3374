-- Visibility schema on postgresql: 1.3 back to 1.2.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.3', '1.2') THEN
    RAISE EXCEPTION 'this script needs version 1.3, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Drop index by_build_ids
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_build_ids";

-- Drop index by_history_size_bytes
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_history_size_bytes";

-- Drop 2 columns of executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  DROP COLUMN IF EXISTS "buildids",
  DROP COLUMN IF EXISTS "history_size_bytes";

RESET lock_timeout;

-- Record version 1.2 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.2', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Advanced visibility on SQL: search attributes, predefined and preallocated, each with its own index.', '', '1.2', '1.3'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
