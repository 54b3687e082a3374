-- Visibility schema on mysql: 1.9 back to 1.8.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.9', '1.8'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.9, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Drop 1 column of executions_visibility
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND COLUMN_NAME IN ('_version')) = 0,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  DROP COLUMN `_version`,
  ALGORITHM=INSTANT');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Copy custom_search_attributes once: drop 1 column
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'custom_search_attributes' AND COLUMN_NAME IN ('_version')) = 0,
  'DO 0',
  'ALTER TABLE `custom_search_attributes`
  DROP COLUMN `_version`,
  ALGORITHM=COPY, LOCK=SHARED');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Record version 1.8 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.8', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Worker deployments and the versioning behaviour of a run become searchable.', '', '1.8', '1.9'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
