-- Visibility schema 1.1 on mysql: fresh install.
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
  COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), '1.1') = '1.1',
  0,
  UUID_TO_BIN(CONCAT('this script needs a database without a visibility schema, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Create table executions_visibility
CREATE TABLE IF NOT EXISTS `executions_visibility` (
  `namespace_id`       CHAR(64) NOT NULL,
  `run_id`             CHAR(64) NOT NULL,
  `start_time`         DATETIME(6) NOT NULL,
  `execution_time`     DATETIME(6) NOT NULL,
  `workflow_id`        VARCHAR(255) NOT NULL,
  `workflow_type_name` VARCHAR(255) NOT NULL,
  `status`             INT NOT NULL,
  `close_time`         DATETIME(6),
  `history_length`     BIGINT,
  `memo`               BLOB,
  `encoding`           VARCHAR(64) NOT NULL,
  `task_queue`         VARCHAR(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`namespace_id`, `run_id`),
  INDEX `by_type_start_time` (`namespace_id`, `workflow_type_name`, `status`, `start_time` DESC, `run_id`),
  INDEX `by_workflow_id_start_time` (`namespace_id`, `workflow_id`, `status`, `start_time` DESC, `run_id`),
  INDEX `by_status_by_start_time` (`namespace_id`, `status`, `start_time` DESC, `run_id`),
  INDEX `by_type_close_time` (`namespace_id`, `workflow_type_name`, `status`, `close_time` DESC, `run_id`),
  INDEX `by_workflow_id_close_time` (`namespace_id`, `workflow_id`, `status`, `close_time` DESC, `run_id`),
  INDEX `by_status_by_close_time` (`namespace_id`, `status`, `close_time` DESC, `run_id`),
  INDEX `by_close_time_by_status` (`namespace_id`, `close_time` DESC, `run_id`, `status`)
) ENGINE=InnoDB;

-- Record version 1.1 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, DATABASE(), UTC_TIMESTAMP(6), '1.1', '0.1') AS new
ON DUPLICATE KEY UPDATE creation_time = new.creation_time,
  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, YEAR(t), MONTH(t), t, 'Closed executions can be listed by close time across all statuses.', '', '1.1', '0'
FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock;

COMMIT;
