-- Visibility schema on mysql: 1.3 to 1.4. Execution duration, state transitions and the parent of a run become searchable on SQL.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.3', '1.4'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.3, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Copy executions_visibility once: add 4 columns, build 4 indexes
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND COLUMN_NAME IN ('execution_duration', 'state_transition_count', 'parent_workflow_id', 'parent_run_id')) + (SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND INDEX_NAME IN ('by_execution_duration', 'by_state_transition_count', 'by_parent_workflow_id', 'by_parent_run_id')) = 8,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  ADD COLUMN `execution_duration` BIGINT,
  ADD COLUMN `state_transition_count` BIGINT,
  ADD COLUMN `parent_workflow_id` VARCHAR(255),
  ADD COLUMN `parent_run_id` VARCHAR(255),
  ADD INDEX `by_execution_duration` (`namespace_id`, `execution_duration`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ADD INDEX `by_state_transition_count` (`namespace_id`, `state_transition_count`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ADD INDEX `by_parent_workflow_id` (`namespace_id`, `parent_workflow_id`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ADD INDEX `by_parent_run_id` (`namespace_id`, `parent_run_id`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ALGORITHM=COPY, LOCK=SHARED');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Record version 1.4 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.4', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Execution duration, state transitions and the parent of a run become searchable on SQL.', '', '1.4', '1.3'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
