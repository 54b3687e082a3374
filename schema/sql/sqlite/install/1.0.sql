-- Visibility schema 1.0 on sqlite: fresh install.
-- Generated from schema/versions; change the definition, not this file.

.bail on
.timeout 10000

PRAGMA foreign_keys = OFF;

PRAGMA legacy_alter_table = ON;

SAVEPOINT temporal_visibility;

CREATE TABLE temporal_visibility_begun (ok INT);

DROP TABLE temporal_visibility_begun;

CREATE TABLE IF NOT EXISTS schema_version (
  version_partition      INT          NOT NULL,
  db_name                VARCHAR(255) NOT NULL,
  creation_time          TIMESTAMP,
  curr_version           VARCHAR(64),
  min_compatible_version VARCHAR(64),
  PRIMARY KEY (version_partition, db_name)
);

CREATE TABLE IF NOT EXISTS schema_update_history (
  version_partition INT       NOT NULL,
  year              INT       NOT NULL,
  month             INT       NOT NULL,
  update_time       TIMESTAMP NOT NULL,
  description       VARCHAR(255),
  manifest_md5      VARCHAR(64),
  new_version       VARCHAR(64),
  old_version       VARCHAR(64),
  PRIMARY KEY (version_partition, year, month, update_time)
);

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this script needs a file without a table executions_visibility; see SELECT * FROM schema_version" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT coalesce((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility'), '') = '1.0' OR ((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility') IS NULL AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'executions_visibility'));

DROP TABLE temporal_visibility_check;

-- Create table executions_visibility
CREATE TABLE IF NOT EXISTS "executions_visibility" (
  "namespace_id"       CHAR(64) NOT NULL,
  "run_id"             CHAR(64) NOT NULL,
  "start_time"         TIMESTAMP NOT NULL,
  "execution_time"     TIMESTAMP NOT NULL,
  "workflow_id"        VARCHAR(255) NOT NULL,
  "workflow_type_name" VARCHAR(255) NOT NULL,
  "status"             INT NOT NULL,
  "close_time"         TIMESTAMP,
  "history_length"     BIGINT,
  "memo"               BLOB,
  "encoding"           VARCHAR(64) NOT NULL,
  "task_queue"         VARCHAR(255) NOT NULL DEFAULT '',
  PRIMARY KEY ("namespace_id", "run_id")
);

-- Build index by_type_start_time
CREATE INDEX IF NOT EXISTS "by_type_start_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "start_time" DESC, "run_id");

-- Build index by_workflow_id_start_time
CREATE INDEX IF NOT EXISTS "by_workflow_id_start_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "start_time" DESC, "run_id");

-- Build index by_status_by_start_time
CREATE INDEX IF NOT EXISTS "by_status_by_start_time" ON "executions_visibility" ("namespace_id", "status", "start_time" DESC, "run_id");

-- Build index by_type_close_time
CREATE INDEX IF NOT EXISTS "by_type_close_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "close_time" DESC, "run_id");

-- Build index by_workflow_id_close_time
CREATE INDEX IF NOT EXISTS "by_workflow_id_close_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "close_time" DESC, "run_id");

-- Build index by_status_by_close_time
CREATE INDEX IF NOT EXISTS "by_status_by_close_time" ON "executions_visibility" ("namespace_id", "status", "close_time" DESC, "run_id");

-- Record version 1.0 in schema_version
CREATE TABLE IF NOT EXISTS schema_version (
  version_partition      INT          NOT NULL,
  db_name                VARCHAR(255) NOT NULL,
  creation_time          TIMESTAMP,
  curr_version           VARCHAR(64),
  min_compatible_version VARCHAR(64),
  PRIMARY KEY (version_partition, db_name)
);

CREATE TABLE IF NOT EXISTS schema_update_history (
  version_partition INT       NOT NULL,
  year              INT       NOT NULL,
  month             INT       NOT NULL,
  update_time       TIMESTAMP NOT NULL,
  description       VARCHAR(255),
  manifest_md5      VARCHAR(64),
  new_version       VARCHAR(64),
  old_version       VARCHAR(64),
  PRIMARY KEY (version_partition, year, month, update_time)
);

INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, 'temporal_visibility', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), '1.0', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, 'The standard visibility table: who ran, when, and how it ended.', '', '1.0', '0'
FROM (SELECT max(strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), coalesce((SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', max(update_time), '+0.001 seconds') FROM schema_update_history), '')) AS t);

RELEASE temporal_visibility;
