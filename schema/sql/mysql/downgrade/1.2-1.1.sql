-- Visibility schema on mysql: 1.2 back to 1.1.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.2', '1.1'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.2, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Drop 14 indexes of executions_visibility
SET @change = IF(
  (SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND INDEX_NAME IN ('by_batcher_user', 'by_binary_checksums', 'by_execution_time', 'by_history_length', 'by_status', 'by_task_queue', 'by_temporal_change_version', 'by_temporal_namespace_division', 'by_temporal_schedule_paused', 'by_temporal_scheduled_by_id', 'by_temporal_scheduled_start_time', 'by_workflow_id', 'by_workflow_type', 'default_idx')) = 0,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  DROP INDEX `by_batcher_user`,
  DROP INDEX `by_binary_checksums`,
  DROP INDEX `by_execution_time`,
  DROP INDEX `by_history_length`,
  DROP INDEX `by_status`,
  DROP INDEX `by_task_queue`,
  DROP INDEX `by_temporal_change_version`,
  DROP INDEX `by_temporal_namespace_division`,
  DROP INDEX `by_temporal_schedule_paused`,
  DROP INDEX `by_temporal_scheduled_by_id`,
  DROP INDEX `by_temporal_scheduled_start_time`,
  DROP INDEX `by_workflow_id`,
  DROP INDEX `by_workflow_type`,
  DROP INDEX `default_idx`,
  ALGORITHM=INPLACE, LOCK=NONE');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Drop 7 columns of executions_visibility
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND COLUMN_NAME IN ('BatcherUser', 'BinaryChecksums', 'TemporalChangeVersion', 'TemporalNamespaceDivision', 'TemporalSchedulePaused', 'TemporalScheduledById', 'TemporalScheduledStartTime')) = 0,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  DROP COLUMN `BatcherUser`,
  DROP COLUMN `BinaryChecksums`,
  DROP COLUMN `TemporalChangeVersion`,
  DROP COLUMN `TemporalNamespaceDivision`,
  DROP COLUMN `TemporalSchedulePaused`,
  DROP COLUMN `TemporalScheduledById`,
  DROP COLUMN `TemporalScheduledStartTime`,
  ALGORITHM=INPLACE, LOCK=NONE');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Drop 1 column of executions_visibility
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND COLUMN_NAME IN ('search_attributes')) = 0,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  DROP COLUMN `search_attributes`,
  ALGORITHM=INSTANT');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Build 7 indexes on executions_visibility
SET @change = IF(
  (SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND INDEX_NAME IN ('by_type_start_time', 'by_workflow_id_start_time', 'by_status_by_start_time', 'by_type_close_time', 'by_workflow_id_close_time', 'by_status_by_close_time', 'by_close_time_by_status')) = 7,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  ADD INDEX `by_type_start_time` (`namespace_id`, `workflow_type_name`, `status`, `start_time` DESC, `run_id`),
  ADD INDEX `by_workflow_id_start_time` (`namespace_id`, `workflow_id`, `status`, `start_time` DESC, `run_id`),
  ADD INDEX `by_status_by_start_time` (`namespace_id`, `status`, `start_time` DESC, `run_id`),
  ADD INDEX `by_type_close_time` (`namespace_id`, `workflow_type_name`, `status`, `close_time` DESC, `run_id`),
  ADD INDEX `by_workflow_id_close_time` (`namespace_id`, `workflow_id`, `status`, `close_time` DESC, `run_id`),
  ADD INDEX `by_status_by_close_time` (`namespace_id`, `status`, `close_time` DESC, `run_id`),
  ADD INDEX `by_close_time_by_status` (`namespace_id`, `close_time` DESC, `run_id`, `status`),
  ALGORITHM=INPLACE, LOCK=NONE');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Drop table custom_search_attributes
DROP TABLE IF EXISTS `custom_search_attributes`;

-- Record version 1.1 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.1', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Closed executions can be listed by close time across all statuses.', '', '1.1', '1.2'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
