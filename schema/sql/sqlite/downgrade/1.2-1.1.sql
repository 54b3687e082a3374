-- Visibility schema on sqlite: 1.2 back to 1.1.
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

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this script needs visibility schema version 1.2; see SELECT * FROM schema_version" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT coalesce((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility'), '') = '1.2';

DROP TABLE temporal_visibility_check;

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this sqlite3 does not find all rows in the indexes of the file: use temporal-visibility schema upgrade, or a sqlite3 that rounds times as the server's does; see docs/upgrading.md" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT NOT EXISTS (
  SELECT 1 FROM pragma_integrity_check('executions_visibility') WHERE integrity_check LIKE 'row % missing from index %'
);

DROP TABLE temporal_visibility_check;

-- Rebuild executions_visibility: 36 dropped columns
CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "the table has columns, indexes or triggers that a rebuild would lose; drop them first and make them again afterwards" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT NOT EXISTS (
  SELECT 1 FROM pragma_table_xinfo('executions_visibility') WHERE name NOT IN ('BatcherUser', 'BinaryChecksums', 'Bool01', 'Bool02', 'Bool03', 'Datetime01', 'Datetime02', 'Datetime03', 'Double01', 'Double02', 'Double03', 'Int01', 'Int02', 'Int03', 'Keyword01', 'Keyword02', 'Keyword03', 'Keyword04', 'Keyword05', 'Keyword06', 'Keyword07', 'Keyword08', 'Keyword09', 'Keyword10', 'KeywordList01', 'KeywordList02', 'KeywordList03', 'TemporalChangeVersion', 'TemporalNamespaceDivision', 'TemporalSchedulePaused', 'TemporalScheduledById', 'TemporalScheduledStartTime', 'Text01', 'Text02', 'Text03', 'close_time', 'encoding', 'execution_time', 'history_length', 'memo', 'namespace_id', 'run_id', 'search_attributes', 'start_time', 'status', 'task_queue', 'workflow_id', 'workflow_type_name')
) AND NOT EXISTS (
  SELECT 1 FROM sqlite_master WHERE tbl_name = 'executions_visibility' COLLATE NOCASE
    AND type IN ('index', 'trigger') AND sql IS NOT NULL AND name NOT IN ('by_batcher_user', 'by_bool_01', 'by_bool_02', 'by_bool_03', 'by_close_time_by_status', 'by_datetime_01', 'by_datetime_02', 'by_datetime_03', 'by_double_01', 'by_double_02', 'by_double_03', 'by_execution_time', 'by_history_length', 'by_int_01', 'by_int_02', 'by_int_03', 'by_keyword_01', 'by_keyword_02', 'by_keyword_03', 'by_keyword_04', 'by_keyword_05', 'by_keyword_06', 'by_keyword_07', 'by_keyword_08', 'by_keyword_09', 'by_keyword_10', 'by_status', 'by_status_by_close_time', 'by_status_by_start_time', 'by_task_queue', 'by_temporal_namespace_division', 'by_temporal_schedule_paused', 'by_temporal_scheduled_by_id', 'by_temporal_scheduled_start_time', 'by_type_close_time', 'by_type_start_time', 'by_workflow_id', 'by_workflow_id_close_time', 'by_workflow_id_start_time', 'by_workflow_type', 'default_idx', 'executions_visibility_ad', 'executions_visibility_ai', 'executions_visibility_au')
);

DROP TABLE temporal_visibility_check;

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "columns, triggers or full-text tables of the version are missing; see temporal-visibility schema drift" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT (SELECT count(*) FROM pragma_table_xinfo('executions_visibility') WHERE name IN ('BatcherUser', 'BinaryChecksums', 'Bool01', 'Bool02', 'Bool03', 'Datetime01', 'Datetime02', 'Datetime03', 'Double01', 'Double02', 'Double03', 'Int01', 'Int02', 'Int03', 'Keyword01', 'Keyword02', 'Keyword03', 'Keyword04', 'Keyword05', 'Keyword06', 'Keyword07', 'Keyword08', 'Keyword09', 'Keyword10', 'KeywordList01', 'KeywordList02', 'KeywordList03', 'TemporalChangeVersion', 'TemporalNamespaceDivision', 'TemporalSchedulePaused', 'TemporalScheduledById', 'TemporalScheduledStartTime', 'Text01', 'Text02', 'Text03', 'close_time', 'encoding', 'execution_time', 'history_length', 'memo', 'namespace_id', 'run_id', 'search_attributes', 'start_time', 'status', 'task_queue', 'workflow_id', 'workflow_type_name')) = 48
  AND (SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'trigger') AND name IN ('executions_visibility_ad', 'executions_visibility_ai', 'executions_visibility_au', 'executions_visibility_fts_keyword_list', 'executions_visibility_fts_text')) = 5;

DROP TABLE temporal_visibility_check;

CREATE TABLE "temporal_visibility_shadow" (
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

INSERT INTO "temporal_visibility_shadow" (rowid, "namespace_id", "run_id", "start_time", "execution_time", "workflow_id", "workflow_type_name", "status", "close_time", "history_length", "memo", "encoding", "task_queue")
SELECT rowid, "namespace_id", "run_id", "start_time", "execution_time", "workflow_id", "workflow_type_name", "status", "close_time", "history_length", "memo", "encoding", coalesce("task_queue", '')
FROM "executions_visibility";

DROP TABLE IF EXISTS "executions_visibility";

ALTER TABLE "temporal_visibility_shadow" RENAME TO "executions_visibility";

CREATE INDEX IF NOT EXISTS "by_type_start_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "start_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_workflow_id_start_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "start_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_status_by_start_time" ON "executions_visibility" ("namespace_id", "status", "start_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_type_close_time" ON "executions_visibility" ("namespace_id", "workflow_type_name", "status", "close_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_workflow_id_close_time" ON "executions_visibility" ("namespace_id", "workflow_id", "status", "close_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_status_by_close_time" ON "executions_visibility" ("namespace_id", "status", "close_time" DESC, "run_id");

CREATE INDEX IF NOT EXISTS "by_close_time_by_status" ON "executions_visibility" ("namespace_id", "close_time" DESC, "run_id", "status");

DROP TRIGGER IF EXISTS "executions_visibility_ai";

DROP TRIGGER IF EXISTS "executions_visibility_au";

DROP TRIGGER IF EXISTS "executions_visibility_ad";

DROP TABLE IF EXISTS "executions_visibility_fts_keyword_list";

DROP TABLE IF EXISTS "executions_visibility_fts_text";

-- Record version 1.1 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, 'temporal_visibility', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), '1.1', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, 'Closed executions can be listed by close time across all statuses.', '', '1.1', '1.2'
FROM (SELECT max(strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), coalesce((SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', max(update_time), '+0.001 seconds') FROM schema_update_history), '')) AS t);

RELEASE temporal_visibility;
