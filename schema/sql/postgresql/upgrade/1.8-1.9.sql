-- Visibility schema on postgresql: 1.8 to 1.9. Every record carries a version, so that a late write cannot overwrite a newer one.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.8', '1.9') THEN
    RAISE EXCEPTION 'this script needs version 1.8, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Add 1 column to executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ADD COLUMN IF NOT EXISTS "_version" BIGINT NOT NULL DEFAULT 0;

RESET lock_timeout;

-- Record version 1.9 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.9', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Every record carries a version, so that a late write cannot overwrite a newer one.', '', '1.9', '1.8'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
