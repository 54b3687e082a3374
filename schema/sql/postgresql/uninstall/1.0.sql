-- Visibility schema 1.0 on postgresql: away with it, and with every record in it.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.0', '1.0') THEN
    RAISE EXCEPTION 'this script needs version 1.0, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Drop the tables and forget the version
DROP TABLE IF EXISTS "executions_visibility";

DELETE FROM schema_version WHERE version_partition = 0 AND db_name = current_database();
