-- Visibility schema on mysql: 1.6 back to 1.5.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.6', '1.5'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.6, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Alter 2 columns of executions_visibility
ALTER TABLE `executions_visibility`
  MODIFY COLUMN `root_workflow_id` VARCHAR(255),
  MODIFY COLUMN `root_run_id` VARCHAR(255),
  ALGORITHM=INPLACE, LOCK=NONE;

-- Record version 1.5 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.5', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'The root of a chain of child workflows becomes searchable.', '', '1.5', '1.6'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
