-- Visibility schema on mysql: 1.13 to 1.14. The number and total size of payloads kept outside of the history become searchable.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.13', '1.14'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.13, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Copy executions_visibility once: add 2 columns, build 2 indexes
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND COLUMN_NAME IN ('TemporalExternalPayloadSizeBytes', 'TemporalExternalPayloadCount')) + (SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'executions_visibility' AND INDEX_NAME IN ('by_temporal_external_payload_size_bytes', 'by_temporal_external_payload_count')) = 4,
  'DO 0',
  'ALTER TABLE `executions_visibility`
  ADD COLUMN `TemporalExternalPayloadSizeBytes` BIGINT GENERATED ALWAYS AS (`search_attributes`->''$.TemporalExternalPayloadSizeBytes'') VIRTUAL,
  ADD COLUMN `TemporalExternalPayloadCount` BIGINT GENERATED ALWAYS AS (`search_attributes`->''$.TemporalExternalPayloadCount'') VIRTUAL,
  ADD INDEX `by_temporal_external_payload_size_bytes` (`namespace_id`, `TemporalExternalPayloadSizeBytes`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ADD INDEX `by_temporal_external_payload_count` (`namespace_id`, `TemporalExternalPayloadCount`, (COALESCE(`close_time`, CAST(''9999-12-31 23:59:59'' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  ALGORITHM=COPY, LOCK=SHARED');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Record version 1.14 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.14', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'The number and total size of payloads kept outside of the history become searchable.', '', '1.14', '1.13'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
