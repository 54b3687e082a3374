-- Visibility schema on mysql: 1.11 to 1.12. One more preallocated attribute for CHASM, made for few distinct values and for grouping.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.11', '1.12'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.11, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Copy chasm_search_attributes once: add 1 column, build 1 index
SET @change = IF(
  (SELECT COUNT(DISTINCT COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'chasm_search_attributes' AND COLUMN_NAME IN ('TemporalLowCardinalityKeyword01')) + (SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
    AND TABLE_NAME = 'chasm_search_attributes' AND INDEX_NAME IN ('by_temporal_low_cardinality_keyword_01')) = 2,
  'DO 0',
  'ALTER TABLE `chasm_search_attributes`
  ADD COLUMN `TemporalLowCardinalityKeyword01` VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>''$.TemporalLowCardinalityKeyword01'') VIRTUAL,
  ADD INDEX `by_temporal_low_cardinality_keyword_01` (`namespace_id`, `TemporalLowCardinalityKeyword01`),
  ALGORITHM=COPY, LOCK=SHARED');

PREPARE change_table FROM @change;

EXECUTE change_table;

DEALLOCATE PREPARE change_table;

-- Record version 1.12 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.12', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'One more preallocated attribute for CHASM, made for few distinct values and for grouping.', '', '1.12', '1.11'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
