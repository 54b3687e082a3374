-- Visibility schema 1.10 on mysql: fresh install.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

CREATE TABLE IF NOT EXISTS schema_version (
  version_partition      INT          NOT NULL,
  db_name                VARCHAR(255) NOT NULL,
  creation_time          DATETIME(6),
  curr_version           VARCHAR(64),
  min_compatible_version VARCHAR(64),
  PRIMARY KEY (version_partition, db_name)
);

CREATE TABLE IF NOT EXISTS schema_update_history (
  version_partition INT       NOT NULL,
  year              INT       NOT NULL,
  month             INT       NOT NULL,
  update_time       DATETIME(6) NOT NULL,
  description       VARCHAR(255),
  manifest_md5      VARCHAR(64),
  new_version       VARCHAR(64),
  old_version       VARCHAR(64),
  PRIMARY KEY (version_partition, year, month, update_time)
);

DO IF(
  COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), '1.10') = '1.10',
  0,
  UUID_TO_BIN(CONCAT('this script needs a database without a visibility schema, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Create table executions_visibility
CREATE TABLE IF NOT EXISTS `executions_visibility` (
  `namespace_id`                       CHAR(64) NOT NULL,
  `run_id`                             CHAR(64) NOT NULL,
  `start_time`                         DATETIME(6) NOT NULL,
  `execution_time`                     DATETIME(6) NOT NULL,
  `workflow_id`                        VARCHAR(255) NOT NULL,
  `workflow_type_name`                 VARCHAR(255) NOT NULL,
  `status`                             INT NOT NULL,
  `close_time`                         DATETIME(6),
  `history_length`                     BIGINT,
  `memo`                               BLOB,
  `encoding`                           VARCHAR(64) NOT NULL,
  `task_queue`                         VARCHAR(255) NOT NULL DEFAULT '',
  `history_size_bytes`                 BIGINT,
  `execution_duration`                 BIGINT,
  `state_transition_count`             BIGINT,
  `parent_workflow_id`                 VARCHAR(255),
  `parent_run_id`                      VARCHAR(255),
  `root_workflow_id`                   VARCHAR(255) NOT NULL DEFAULT '',
  `root_run_id`                        VARCHAR(255) NOT NULL DEFAULT '',
  `search_attributes`                  JSON,
  `_version`                           BIGINT NOT NULL DEFAULT 0,
  `TemporalChangeVersion`              JSON GENERATED ALWAYS AS (`search_attributes`->'$.TemporalChangeVersion') VIRTUAL,
  `BinaryChecksums`                    JSON GENERATED ALWAYS AS (`search_attributes`->'$.BinaryChecksums') VIRTUAL,
  `BatcherUser`                        VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.BatcherUser') VIRTUAL,
  `TemporalScheduledStartTime`         DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.TemporalScheduledStartTime', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.TemporalScheduledStartTime', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `TemporalScheduledById`              VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalScheduledById') VIRTUAL,
  `TemporalSchedulePaused`             BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.TemporalSchedulePaused') VIRTUAL,
  `TemporalNamespaceDivision`          VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalNamespaceDivision') VIRTUAL,
  `BuildIds`                           JSON GENERATED ALWAYS AS (`search_attributes`->'$.BuildIds') VIRTUAL,
  `TemporalPauseInfo`                  JSON GENERATED ALWAYS AS (`search_attributes`->'$.TemporalPauseInfo') VIRTUAL,
  `TemporalWorkerDeploymentVersion`    VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalWorkerDeploymentVersion') VIRTUAL,
  `TemporalWorkflowVersioningBehavior` VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalWorkflowVersioningBehavior') VIRTUAL,
  `TemporalWorkerDeployment`           VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.TemporalWorkerDeployment') VIRTUAL,
  `TemporalReportedProblems`           JSON GENERATED ALWAYS AS (`search_attributes`->'$.TemporalReportedProblems') VIRTUAL,
  PRIMARY KEY (`namespace_id`, `run_id`),
  INDEX `default_idx` (`namespace_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_execution_time` (`namespace_id`, `execution_time`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_workflow_id` (`namespace_id`, `workflow_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_workflow_type` (`namespace_id`, `workflow_type_name`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_status` (`namespace_id`, `status`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_history_length` (`namespace_id`, `history_length`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_task_queue` (`namespace_id`, `task_queue`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_history_size_bytes` (`namespace_id`, `history_size_bytes`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_execution_duration` (`namespace_id`, `execution_duration`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_state_transition_count` (`namespace_id`, `state_transition_count`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_parent_workflow_id` (`namespace_id`, `parent_workflow_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_parent_run_id` (`namespace_id`, `parent_run_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_root_workflow_id` (`namespace_id`, `root_workflow_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_root_run_id` (`namespace_id`, `root_run_id`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_change_version` (`namespace_id`, (CAST(`TemporalChangeVersion` AS CHAR(255) ARRAY)), (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_binary_checksums` (`namespace_id`, (CAST(`BinaryChecksums` AS CHAR(255) ARRAY)), (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_batcher_user` (`namespace_id`, `BatcherUser`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_scheduled_start_time` (`namespace_id`, `TemporalScheduledStartTime`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_scheduled_by_id` (`namespace_id`, `TemporalScheduledById`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_schedule_paused` (`namespace_id`, `TemporalSchedulePaused`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_namespace_division` (`namespace_id`, `TemporalNamespaceDivision`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_build_ids` (`namespace_id`, (CAST(`BuildIds` AS CHAR(255) ARRAY)), (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_pause_info` (`namespace_id`, (CAST(`TemporalPauseInfo` AS CHAR(255) ARRAY)), (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_worker_deployment_version` (`namespace_id`, `TemporalWorkerDeploymentVersion`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_workflow_versioning_behavior` (`namespace_id`, `TemporalWorkflowVersioningBehavior`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_worker_deployment` (`namespace_id`, `TemporalWorkerDeployment`, (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`),
  INDEX `by_temporal_reported_problems` (`namespace_id`, (CAST(`TemporalReportedProblems` AS CHAR(255) ARRAY)), (COALESCE(`close_time`, CAST('9999-12-31 23:59:59' AS DATETIME))) DESC, `start_time` DESC, `run_id`)
) ENGINE=InnoDB;

-- Create table custom_search_attributes
CREATE TABLE IF NOT EXISTS `custom_search_attributes` (
  `namespace_id`      CHAR(64) NOT NULL,
  `run_id`            CHAR(64) NOT NULL,
  `search_attributes` JSON,
  `_version`          BIGINT NOT NULL DEFAULT 0,
  `Bool01`            BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.Bool01') VIRTUAL,
  `Bool02`            BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.Bool02') VIRTUAL,
  `Bool03`            BOOLEAN GENERATED ALWAYS AS (`search_attributes`->'$.Bool03') VIRTUAL,
  `Datetime01`        DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.Datetime01', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.Datetime01', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `Datetime02`        DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.Datetime02', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.Datetime02', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `Datetime03`        DATETIME(6) GENERATED ALWAYS AS (CONVERT_TZ( REGEXP_REPLACE(`search_attributes`->>'$.Datetime03', 'Z|[+-][0-9]{2}:[0-9]{2}$', ''), SUBSTR(REPLACE(`search_attributes`->>'$.Datetime03', 'Z', '+00:00'), -6, 6), '+00:00')) VIRTUAL,
  `Double01`          DECIMAL(20, 5) GENERATED ALWAYS AS (`search_attributes`->'$.Double01') VIRTUAL,
  `Double02`          DECIMAL(20, 5) GENERATED ALWAYS AS (`search_attributes`->'$.Double02') VIRTUAL,
  `Double03`          DECIMAL(20, 5) GENERATED ALWAYS AS (`search_attributes`->'$.Double03') VIRTUAL,
  `Int01`             BIGINT GENERATED ALWAYS AS (`search_attributes`->'$.Int01') VIRTUAL,
  `Int02`             BIGINT GENERATED ALWAYS AS (`search_attributes`->'$.Int02') VIRTUAL,
  `Int03`             BIGINT GENERATED ALWAYS AS (`search_attributes`->'$.Int03') VIRTUAL,
  `Keyword01`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword01') VIRTUAL,
  `Keyword02`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword02') VIRTUAL,
  `Keyword03`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword03') VIRTUAL,
  `Keyword04`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword04') VIRTUAL,
  `Keyword05`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword05') VIRTUAL,
  `Keyword06`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword06') VIRTUAL,
  `Keyword07`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword07') VIRTUAL,
  `Keyword08`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword08') VIRTUAL,
  `Keyword09`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword09') VIRTUAL,
  `Keyword10`         VARCHAR(255) GENERATED ALWAYS AS (`search_attributes`->>'$.Keyword10') VIRTUAL,
  `Text01`            TEXT GENERATED ALWAYS AS (`search_attributes`->>'$.Text01') STORED,
  `Text02`            TEXT GENERATED ALWAYS AS (`search_attributes`->>'$.Text02') STORED,
  `Text03`            TEXT GENERATED ALWAYS AS (`search_attributes`->>'$.Text03') STORED,
  `KeywordList01`     JSON GENERATED ALWAYS AS (`search_attributes`->'$.KeywordList01') VIRTUAL,
  `KeywordList02`     JSON GENERATED ALWAYS AS (`search_attributes`->'$.KeywordList02') VIRTUAL,
  `KeywordList03`     JSON GENERATED ALWAYS AS (`search_attributes`->'$.KeywordList03') VIRTUAL,
  PRIMARY KEY (`namespace_id`, `run_id`),
  INDEX `by_bool_01` (`namespace_id`, `Bool01`),
  INDEX `by_bool_02` (`namespace_id`, `Bool02`),
  INDEX `by_bool_03` (`namespace_id`, `Bool03`),
  INDEX `by_datetime_01` (`namespace_id`, `Datetime01`),
  INDEX `by_datetime_02` (`namespace_id`, `Datetime02`),
  INDEX `by_datetime_03` (`namespace_id`, `Datetime03`),
  INDEX `by_double_01` (`namespace_id`, `Double01`),
  INDEX `by_double_02` (`namespace_id`, `Double02`),
  INDEX `by_double_03` (`namespace_id`, `Double03`),
  INDEX `by_int_01` (`namespace_id`, `Int01`),
  INDEX `by_int_02` (`namespace_id`, `Int02`),
  INDEX `by_int_03` (`namespace_id`, `Int03`),
  INDEX `by_keyword_01` (`namespace_id`, `Keyword01`),
  INDEX `by_keyword_02` (`namespace_id`, `Keyword02`),
  INDEX `by_keyword_03` (`namespace_id`, `Keyword03`),
  INDEX `by_keyword_04` (`namespace_id`, `Keyword04`),
  INDEX `by_keyword_05` (`namespace_id`, `Keyword05`),
  INDEX `by_keyword_06` (`namespace_id`, `Keyword06`),
  INDEX `by_keyword_07` (`namespace_id`, `Keyword07`),
  INDEX `by_keyword_08` (`namespace_id`, `Keyword08`),
  INDEX `by_keyword_09` (`namespace_id`, `Keyword09`),
  INDEX `by_keyword_10` (`namespace_id`, `Keyword10`),
  FULLTEXT INDEX `by_text_01` (`Text01`),
  FULLTEXT INDEX `by_text_02` (`Text02`),
  FULLTEXT INDEX `by_text_03` (`Text03`),
  INDEX `by_keyword_list_01` (`namespace_id`, (CAST(`KeywordList01` AS CHAR(255) ARRAY))),
  INDEX `by_keyword_list_02` (`namespace_id`, (CAST(`KeywordList02` AS CHAR(255) ARRAY))),
  INDEX `by_keyword_list_03` (`namespace_id`, (CAST(`KeywordList03` AS CHAR(255) ARRAY)))
) ENGINE=InnoDB;

-- Record version 1.10 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.10', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Problems that a run reports about itself become searchable.', '', '1.10', '0'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
