-- Visibility schema on mysql: 1.10 to 1.11. Fourteen preallocated search attributes for executions that are not workflows (CHASM).
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.10', '1.11'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.10, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Create table chasm_search_attributes
CREATE TABLE IF NOT EXISTS `chasm_search_attributes` (
  `namespace_id`          CHAR(64) NOT NULL,
  `run_id`                CHAR(64) NOT NULL,
  `search_attributes`     JSON,
  `_version`              BIGINT NOT NULL DEFAULT 0,
  `TemporalBool01`        BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.TemporalBool01') VIRTUAL,
  `TemporalBool02`        BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.TemporalBool02') VIRTUAL,
  `TemporalDatetime01`    DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.TemporalDatetime01', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.TemporalDatetime01', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `TemporalDatetime02`    DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.TemporalDatetime02', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.TemporalDatetime02', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `TemporalDouble01`      DECIMAL(20, 5) GENERATED ALWAYS AS (`search_attributes`->'$.TemporalDouble01') VIRTUAL,
  `TemporalDouble02`      DECIMAL(20, 5) GENERATED ALWAYS AS (`search_attributes`->'$.TemporalDouble02') VIRTUAL,
  `TemporalInt01`         BIGINT GENERATED ALWAYS AS (`search_attributes`->'$.TemporalInt01') VIRTUAL,
  `TemporalInt02`         BIGINT GENERATED ALWAYS AS (`search_attributes`->'$.TemporalInt02') VIRTUAL,
  `TemporalKeyword01`     VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalKeyword01') VIRTUAL,
  `TemporalKeyword02`     VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalKeyword02') VIRTUAL,
  `TemporalKeyword03`     VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalKeyword03') VIRTUAL,
  `TemporalKeyword04`     VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalKeyword04') VIRTUAL,
  `TemporalKeywordList01` JSON GENERATED ALWAYS AS (`search_attributes`->'$.TemporalKeywordList01') VIRTUAL,
  `TemporalKeywordList02` JSON GENERATED ALWAYS AS (`search_attributes`->'$.TemporalKeywordList02') VIRTUAL,
  PRIMARY KEY (`namespace_id`, `run_id`),
  INDEX `by_temporal_bool_01` (`namespace_id`, `TemporalBool01`),
  INDEX `by_temporal_bool_02` (`namespace_id`, `TemporalBool02`),
  INDEX `by_temporal_datetime_01` (`namespace_id`, `TemporalDatetime01`),
  INDEX `by_temporal_datetime_02` (`namespace_id`, `TemporalDatetime02`),
  INDEX `by_temporal_double_01` (`namespace_id`, `TemporalDouble01`),
  INDEX `by_temporal_double_02` (`namespace_id`, `TemporalDouble02`),
  INDEX `by_temporal_int_01` (`namespace_id`, `TemporalInt01`),
  INDEX `by_temporal_int_02` (`namespace_id`, `TemporalInt02`),
  INDEX `by_temporal_keyword_01` (`namespace_id`, `TemporalKeyword01`),
  INDEX `by_temporal_keyword_02` (`namespace_id`, `TemporalKeyword02`),
  INDEX `by_temporal_keyword_03` (`namespace_id`, `TemporalKeyword03`),
  INDEX `by_temporal_keyword_04` (`namespace_id`, `TemporalKeyword04`),
  INDEX `by_temporal_keyword_list_01` (`namespace_id`, (CAST(`TemporalKeywordList01` AS CHAR(255) ARRAY))),
  INDEX `by_temporal_keyword_list_02` (`namespace_id`, (CAST(`TemporalKeywordList02` AS CHAR(255) ARRAY)))
) ENGINE=InnoDB;

-- Bring what records hold of its attributes into chasm_search_attributes
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;

INSERT INTO `chasm_search_attributes` (`namespace_id`, `run_id`, `search_attributes`, `_version`)
SELECT `executions_visibility`.`namespace_id`, `executions_visibility`.`run_id`, `executions_visibility`.`search_attributes`, `executions_visibility`.`_version` FROM `executions_visibility`
WHERE JSON_CONTAINS_PATH(`executions_visibility`.`search_attributes`, 'one', '$.TemporalBool01', '$.TemporalBool02', '$.TemporalDatetime01', '$.TemporalDatetime02', '$.TemporalDouble01', '$.TemporalDouble02', '$.TemporalInt01', '$.TemporalInt02', '$.TemporalKeyword01', '$.TemporalKeyword02', '$.TemporalKeyword03', '$.TemporalKeyword04', '$.TemporalKeywordList01', '$.TemporalKeywordList02')
ON DUPLICATE KEY UPDATE `chasm_search_attributes`.`namespace_id` = `chasm_search_attributes`.`namespace_id`;

-- Record version 1.11 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.11', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Fourteen preallocated search attributes for executions that are not workflows (CHASM).', '', '1.11', '1.10'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
