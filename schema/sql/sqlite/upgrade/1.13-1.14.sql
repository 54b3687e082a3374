-- Visibility schema on sqlite: 1.13 to 1.14. The number and total size of payloads kept outside of the history become searchable.
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

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this script needs visibility schema version 1.13; see SELECT * FROM schema_version" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT coalesce((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility'), '') = '1.13';

DROP TABLE temporal_visibility_check;

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this sqlite3 does not find all rows in the indexes of the file: use temporal-visibility schema upgrade, or a sqlite3 that rounds times as the server's does; see docs/upgrading.md" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT NOT EXISTS (
  SELECT 1 FROM pragma_integrity_check('executions_visibility') WHERE integrity_check LIKE 'row % missing from index %'
);

DROP TABLE temporal_visibility_check;

-- Rebuild executions_visibility: 2 new columns
CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "the table has columns, indexes or triggers that a rebuild would lose; drop them first and make them again afterwards" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT NOT EXISTS (
  SELECT 1 FROM pragma_table_xinfo('executions_visibility') WHERE name NOT IN ('BatcherUser', 'BinaryChecksums', 'Bool01', 'Bool02', 'Bool03', 'BuildIds', 'Datetime01', 'Datetime02', 'Datetime03', 'Double01', 'Double02', 'Double03', 'Int01', 'Int02', 'Int03', 'Keyword01', 'Keyword02', 'Keyword03', 'Keyword04', 'Keyword05', 'Keyword06', 'Keyword07', 'Keyword08', 'Keyword09', 'Keyword10', 'KeywordList01', 'KeywordList02', 'KeywordList03', 'TemporalBool01', 'TemporalBool02', 'TemporalChangeVersion', 'TemporalDatetime01', 'TemporalDatetime02', 'TemporalDouble01', 'TemporalDouble02', 'TemporalExternalPayloadCount', 'TemporalExternalPayloadSizeBytes', 'TemporalInt01', 'TemporalInt02', 'TemporalKeyword01', 'TemporalKeyword02', 'TemporalKeyword03', 'TemporalKeyword04', 'TemporalKeywordList01', 'TemporalKeywordList02', 'TemporalLowCardinalityKeyword01', 'TemporalNamespaceDivision', 'TemporalPauseInfo', 'TemporalReportedProblems', 'TemporalSchedulePaused', 'TemporalScheduledById', 'TemporalScheduledStartTime', 'TemporalUsedWorkerDeploymentVersions', 'TemporalWorkerDeployment', 'TemporalWorkerDeploymentVersion', 'TemporalWorkflowVersioningBehavior', 'Text01', 'Text02', 'Text03', '_version', 'close_time', 'encoding', 'execution_duration', 'execution_time', 'history_length', 'history_size_bytes', 'memo', 'namespace_id', 'parent_run_id', 'parent_workflow_id', 'root_run_id', 'root_workflow_id', 'run_id', 'search_attributes', 'start_time', 'state_transition_count', 'status', 'task_queue', 'workflow_id', 'workflow_type_name')
) AND NOT EXISTS (
  SELECT 1 FROM sqlite_master WHERE tbl_name = 'executions_visibility' COLLATE NOCASE
    AND type IN ('index', 'trigger') AND sql IS NOT NULL AND name NOT IN ('by_batcher_user', 'by_bool_01', 'by_bool_02', 'by_bool_03', 'by_datetime_01', 'by_datetime_02', 'by_datetime_03', 'by_double_01', 'by_double_02', 'by_double_03', 'by_execution_duration', 'by_execution_time', 'by_history_length', 'by_history_size_bytes', 'by_int_01', 'by_int_02', 'by_int_03', 'by_keyword_01', 'by_keyword_02', 'by_keyword_03', 'by_keyword_04', 'by_keyword_05', 'by_keyword_06', 'by_keyword_07', 'by_keyword_08', 'by_keyword_09', 'by_keyword_10', 'by_parent_run_id', 'by_parent_workflow_id', 'by_root_run_id', 'by_root_workflow_id', 'by_state_transition_count', 'by_status', 'by_task_queue', 'by_temporal_bool_01', 'by_temporal_bool_02', 'by_temporal_datetime_01', 'by_temporal_datetime_02', 'by_temporal_double_01', 'by_temporal_double_02', 'by_temporal_int_01', 'by_temporal_int_02', 'by_temporal_keyword_01', 'by_temporal_keyword_02', 'by_temporal_keyword_03', 'by_temporal_keyword_04', 'by_temporal_low_cardinality_keyword_01', 'by_temporal_namespace_division', 'by_temporal_pause_info', 'by_temporal_schedule_paused', 'by_temporal_scheduled_by_id', 'by_temporal_scheduled_start_time', 'by_temporal_worker_deployment', 'by_temporal_worker_deployment_version', 'by_temporal_workflow_versioning_behavior', 'by_workflow_id', 'by_workflow_type', 'default_idx', 'executions_visibility_ad', 'executions_visibility_ai', 'executions_visibility_au')
);

DROP TABLE temporal_visibility_check;

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "columns, triggers or full-text tables of the version are missing; see temporal-visibility schema drift" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT (SELECT count(*) FROM pragma_table_xinfo('executions_visibility') WHERE name IN ('BatcherUser', 'BinaryChecksums', 'Bool01', 'Bool02', 'Bool03', 'BuildIds', 'Datetime01', 'Datetime02', 'Datetime03', 'Double01', 'Double02', 'Double03', 'Int01', 'Int02', 'Int03', 'Keyword01', 'Keyword02', 'Keyword03', 'Keyword04', 'Keyword05', 'Keyword06', 'Keyword07', 'Keyword08', 'Keyword09', 'Keyword10', 'KeywordList01', 'KeywordList02', 'KeywordList03', 'TemporalBool01', 'TemporalBool02', 'TemporalChangeVersion', 'TemporalDatetime01', 'TemporalDatetime02', 'TemporalDouble01', 'TemporalDouble02', 'TemporalInt01', 'TemporalInt02', 'TemporalKeyword01', 'TemporalKeyword02', 'TemporalKeyword03', 'TemporalKeyword04', 'TemporalKeywordList01', 'TemporalKeywordList02', 'TemporalLowCardinalityKeyword01', 'TemporalNamespaceDivision', 'TemporalPauseInfo', 'TemporalReportedProblems', 'TemporalSchedulePaused', 'TemporalScheduledById', 'TemporalScheduledStartTime', 'TemporalUsedWorkerDeploymentVersions', 'TemporalWorkerDeployment', 'TemporalWorkerDeploymentVersion', 'TemporalWorkflowVersioningBehavior', 'Text01', 'Text02', 'Text03', '_version', 'close_time', 'encoding', 'execution_duration', 'execution_time', 'history_length', 'history_size_bytes', 'memo', 'namespace_id', 'parent_run_id', 'parent_workflow_id', 'root_run_id', 'root_workflow_id', 'run_id', 'search_attributes', 'start_time', 'state_transition_count', 'status', 'task_queue', 'workflow_id', 'workflow_type_name')) = 78
  AND (SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'trigger') AND name IN ('executions_visibility_ad', 'executions_visibility_ai', 'executions_visibility_au', 'executions_visibility_fts_keyword_list', 'executions_visibility_fts_text')) = 5;

DROP TABLE temporal_visibility_check;

CREATE TABLE "temporal_visibility_shadow" (
  "namespace_id"                         CHAR(64) NOT NULL,
  "run_id"                               CHAR(64) NOT NULL,
  "start_time"                           TIMESTAMP NOT NULL,
  "execution_time"                       TIMESTAMP NOT NULL,
  "workflow_id"                          VARCHAR(255) NOT NULL,
  "workflow_type_name"                   VARCHAR(255) NOT NULL,
  "status"                               INT NOT NULL,
  "close_time"                           TIMESTAMP,
  "history_length"                       BIGINT,
  "memo"                                 BLOB,
  "encoding"                             VARCHAR(64) NOT NULL,
  "task_queue"                           VARCHAR(255) NOT NULL DEFAULT '',
  "history_size_bytes"                   BIGINT,
  "execution_duration"                   BIGINT,
  "state_transition_count"               BIGINT,
  "parent_workflow_id"                   VARCHAR(255),
  "parent_run_id"                        VARCHAR(255),
  "root_workflow_id"                     VARCHAR(255) NOT NULL DEFAULT '',
  "root_run_id"                          VARCHAR(255) NOT NULL DEFAULT '',
  "search_attributes"                    TEXT,
  "_version"                             BIGINT NOT NULL DEFAULT 0,
  "TemporalChangeVersion"                TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalChangeVersion')) STORED,
  "BinaryChecksums"                      TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.BinaryChecksums')) STORED,
  "BatcherUser"                          VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.BatcherUser')) VIRTUAL,
  "TemporalScheduledStartTime"           TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.TemporalScheduledStartTime'))) VIRTUAL,
  "TemporalScheduledById"                VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalScheduledById')) VIRTUAL,
  "TemporalSchedulePaused"               BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalSchedulePaused')) VIRTUAL,
  "TemporalNamespaceDivision"            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalNamespaceDivision')) VIRTUAL,
  "BuildIds"                             TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.BuildIds')) STORED,
  "TemporalPauseInfo"                    TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalPauseInfo')) STORED,
  "TemporalWorkerDeploymentVersion"      VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalWorkerDeploymentVersion')) VIRTUAL,
  "TemporalWorkflowVersioningBehavior"   VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalWorkflowVersioningBehavior')) VIRTUAL,
  "TemporalWorkerDeployment"             VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalWorkerDeployment')) VIRTUAL,
  "TemporalReportedProblems"             TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalReportedProblems')) STORED,
  "TemporalUsedWorkerDeploymentVersions" TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalUsedWorkerDeploymentVersions')) STORED,
  "TemporalExternalPayloadSizeBytes"     BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalExternalPayloadSizeBytes')) STORED,
  "TemporalExternalPayloadCount"         BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalExternalPayloadCount')) STORED,
  "Bool01"                               BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Bool01')) VIRTUAL,
  "Bool02"                               BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Bool02')) VIRTUAL,
  "Bool03"                               BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Bool03')) VIRTUAL,
  "Datetime01"                           TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.Datetime01'))) VIRTUAL,
  "Datetime02"                           TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.Datetime02'))) VIRTUAL,
  "Datetime03"                           TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.Datetime03'))) VIRTUAL,
  "Double01"                             DECIMAL(20,5) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Double01')) VIRTUAL,
  "Double02"                             DECIMAL(20,5) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Double02')) VIRTUAL,
  "Double03"                             DECIMAL(20,5) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Double03')) VIRTUAL,
  "Int01"                                BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Int01')) VIRTUAL,
  "Int02"                                BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Int02')) VIRTUAL,
  "Int03"                                BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Int03')) VIRTUAL,
  "Keyword01"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword01')) VIRTUAL,
  "Keyword02"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword02')) VIRTUAL,
  "Keyword03"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword03')) VIRTUAL,
  "Keyword04"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword04')) VIRTUAL,
  "Keyword05"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword05')) VIRTUAL,
  "Keyword06"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword06')) VIRTUAL,
  "Keyword07"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword07')) VIRTUAL,
  "Keyword08"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword08')) VIRTUAL,
  "Keyword09"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword09')) VIRTUAL,
  "Keyword10"                            VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Keyword10')) VIRTUAL,
  "Text01"                               TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Text01')) STORED,
  "Text02"                               TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Text02')) STORED,
  "Text03"                               TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.Text03')) STORED,
  "KeywordList01"                        TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.KeywordList01')) STORED,
  "KeywordList02"                        TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.KeywordList02')) STORED,
  "KeywordList03"                        TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.KeywordList03')) STORED,
  "TemporalBool01"                       BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalBool01')) VIRTUAL,
  "TemporalBool02"                       BOOLEAN GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalBool02')) VIRTUAL,
  "TemporalDatetime01"                   TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.TemporalDatetime01'))) VIRTUAL,
  "TemporalDatetime02"                   TIMESTAMP GENERATED ALWAYS AS (STRFTIME('%Y-%m-%d %H:%M:%f+00:00', JSON_EXTRACT(search_attributes, '$.TemporalDatetime02'))) VIRTUAL,
  "TemporalDouble01"                     DECIMAL(20,5) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalDouble01')) VIRTUAL,
  "TemporalDouble02"                     DECIMAL(20,5) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalDouble02')) VIRTUAL,
  "TemporalInt01"                        BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalInt01')) VIRTUAL,
  "TemporalInt02"                        BIGINT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalInt02')) VIRTUAL,
  "TemporalKeyword01"                    VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeyword01')) VIRTUAL,
  "TemporalKeyword02"                    VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeyword02')) VIRTUAL,
  "TemporalKeyword03"                    VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeyword03')) VIRTUAL,
  "TemporalKeyword04"                    VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeyword04')) VIRTUAL,
  "TemporalKeywordList01"                TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeywordList01')) STORED,
  "TemporalKeywordList02"                TEXT GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalKeywordList02')) STORED,
  "TemporalLowCardinalityKeyword01"      VARCHAR(255) GENERATED ALWAYS AS (JSON_EXTRACT(search_attributes, '$.TemporalLowCardinalityKeyword01')) VIRTUAL,
  PRIMARY KEY ("namespace_id", "run_id")
);

INSERT INTO "temporal_visibility_shadow" (rowid, "namespace_id", "run_id", "start_time", "execution_time", "workflow_id", "workflow_type_name", "status", "close_time", "history_length", "memo", "encoding", "task_queue", "history_size_bytes", "execution_duration", "state_transition_count", "parent_workflow_id", "parent_run_id", "root_workflow_id", "root_run_id", "search_attributes", "_version")
SELECT rowid, "namespace_id", "run_id", "start_time", "execution_time", "workflow_id", "workflow_type_name", "status", "close_time", "history_length", "memo", "encoding", coalesce("task_queue", ''), "history_size_bytes", "execution_duration", "state_transition_count", "parent_workflow_id", "parent_run_id", coalesce("root_workflow_id", ''), coalesce("root_run_id", ''), "search_attributes", coalesce("_version", 0)
FROM "executions_visibility";

DROP TABLE IF EXISTS "executions_visibility";

ALTER TABLE "temporal_visibility_shadow" RENAME TO "executions_visibility";

CREATE INDEX IF NOT EXISTS "default_idx" ON "executions_visibility" ("namespace_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_execution_time" ON "executions_visibility" (namespace_id, "execution_time", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_workflow_id" ON "executions_visibility" (namespace_id, "workflow_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_workflow_type" ON "executions_visibility" (namespace_id, "workflow_type_name", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_status" ON "executions_visibility" (namespace_id, "status", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_history_length" ON "executions_visibility" (namespace_id, "history_length", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_task_queue" ON "executions_visibility" (namespace_id, "task_queue", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_history_size_bytes" ON "executions_visibility" (namespace_id, "history_size_bytes", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_execution_duration" ON "executions_visibility" (namespace_id, "execution_duration", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_state_transition_count" ON "executions_visibility" (namespace_id, "state_transition_count", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_parent_workflow_id" ON "executions_visibility" (namespace_id, "parent_workflow_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_parent_run_id" ON "executions_visibility" (namespace_id, "parent_run_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_root_workflow_id" ON "executions_visibility" (namespace_id, "root_workflow_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_root_run_id" ON "executions_visibility" (namespace_id, "root_run_id", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_batcher_user" ON "executions_visibility" (namespace_id, "BatcherUser", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_scheduled_start_time" ON "executions_visibility" (namespace_id, "TemporalScheduledStartTime", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_scheduled_by_id" ON "executions_visibility" (namespace_id, "TemporalScheduledById", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_schedule_paused" ON "executions_visibility" (namespace_id, "TemporalSchedulePaused", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_namespace_division" ON "executions_visibility" (namespace_id, "TemporalNamespaceDivision", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_pause_info" ON "executions_visibility" (namespace_id, "TemporalPauseInfo", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_worker_deployment_version" ON "executions_visibility" (namespace_id, "TemporalWorkerDeploymentVersion", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_workflow_versioning_behavior" ON "executions_visibility" (namespace_id, "TemporalWorkflowVersioningBehavior", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_worker_deployment" ON "executions_visibility" (namespace_id, "TemporalWorkerDeployment", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_bool_01" ON "executions_visibility" (namespace_id, "Bool01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_bool_02" ON "executions_visibility" (namespace_id, "Bool02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_bool_03" ON "executions_visibility" (namespace_id, "Bool03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_datetime_01" ON "executions_visibility" (namespace_id, "Datetime01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_datetime_02" ON "executions_visibility" (namespace_id, "Datetime02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_datetime_03" ON "executions_visibility" (namespace_id, "Datetime03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_double_01" ON "executions_visibility" (namespace_id, "Double01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_double_02" ON "executions_visibility" (namespace_id, "Double02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_double_03" ON "executions_visibility" (namespace_id, "Double03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_int_01" ON "executions_visibility" (namespace_id, "Int01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_int_02" ON "executions_visibility" (namespace_id, "Int02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_int_03" ON "executions_visibility" (namespace_id, "Int03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_01" ON "executions_visibility" (namespace_id, "Keyword01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_02" ON "executions_visibility" (namespace_id, "Keyword02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_03" ON "executions_visibility" (namespace_id, "Keyword03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_04" ON "executions_visibility" (namespace_id, "Keyword04", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_05" ON "executions_visibility" (namespace_id, "Keyword05", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_06" ON "executions_visibility" (namespace_id, "Keyword06", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_07" ON "executions_visibility" (namespace_id, "Keyword07", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_08" ON "executions_visibility" (namespace_id, "Keyword08", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_09" ON "executions_visibility" (namespace_id, "Keyword09", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_keyword_10" ON "executions_visibility" (namespace_id, "Keyword10", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_bool_01" ON "executions_visibility" (namespace_id, "TemporalBool01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_bool_02" ON "executions_visibility" (namespace_id, "TemporalBool02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_datetime_01" ON "executions_visibility" (namespace_id, "TemporalDatetime01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_datetime_02" ON "executions_visibility" (namespace_id, "TemporalDatetime02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_double_01" ON "executions_visibility" (namespace_id, "TemporalDouble01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_double_02" ON "executions_visibility" (namespace_id, "TemporalDouble02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_int_01" ON "executions_visibility" (namespace_id, "TemporalInt01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_int_02" ON "executions_visibility" (namespace_id, "TemporalInt02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_keyword_01" ON "executions_visibility" (namespace_id, "TemporalKeyword01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_keyword_02" ON "executions_visibility" (namespace_id, "TemporalKeyword02", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_keyword_03" ON "executions_visibility" (namespace_id, "TemporalKeyword03", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_keyword_04" ON "executions_visibility" (namespace_id, "TemporalKeyword04", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

CREATE INDEX IF NOT EXISTS "by_temporal_low_cardinality_keyword_01" ON "executions_visibility" (namespace_id, "TemporalLowCardinalityKeyword01", COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id);

DROP TRIGGER IF EXISTS "executions_visibility_ai";

DROP TRIGGER IF EXISTS "executions_visibility_au";

DROP TRIGGER IF EXISTS "executions_visibility_ad";

CREATE TRIGGER IF NOT EXISTS "executions_visibility_ai" AFTER INSERT ON "executions_visibility"
BEGIN
  INSERT INTO "executions_visibility_fts_text" (rowid, "Text01", "Text02", "Text03") VALUES (NEW.rowid, NEW."Text01", NEW."Text02", NEW."Text03");
  INSERT INTO "executions_visibility_fts_keyword_list" (rowid, "TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems", "TemporalUsedWorkerDeploymentVersions", "KeywordList01", "KeywordList02", "KeywordList03", "TemporalKeywordList01", "TemporalKeywordList02") VALUES (NEW.rowid, NEW."TemporalChangeVersion", NEW."BinaryChecksums", NEW."BuildIds", NEW."TemporalPauseInfo", NEW."TemporalReportedProblems", NEW."TemporalUsedWorkerDeploymentVersions", NEW."KeywordList01", NEW."KeywordList02", NEW."KeywordList03", NEW."TemporalKeywordList01", NEW."TemporalKeywordList02");
END;

CREATE TRIGGER IF NOT EXISTS "executions_visibility_au" AFTER UPDATE ON "executions_visibility"
BEGIN
  INSERT INTO "executions_visibility_fts_text" ("executions_visibility_fts_text", rowid, "Text01", "Text02", "Text03")
    VALUES ('delete', OLD.rowid, OLD."Text01", OLD."Text02", OLD."Text03");
  INSERT INTO "executions_visibility_fts_keyword_list" ("executions_visibility_fts_keyword_list", rowid, "TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems", "TemporalUsedWorkerDeploymentVersions", "KeywordList01", "KeywordList02", "KeywordList03", "TemporalKeywordList01", "TemporalKeywordList02")
    VALUES ('delete', OLD.rowid, OLD."TemporalChangeVersion", OLD."BinaryChecksums", OLD."BuildIds", OLD."TemporalPauseInfo", OLD."TemporalReportedProblems", OLD."TemporalUsedWorkerDeploymentVersions", OLD."KeywordList01", OLD."KeywordList02", OLD."KeywordList03", OLD."TemporalKeywordList01", OLD."TemporalKeywordList02");
  INSERT INTO "executions_visibility_fts_text" (rowid, "Text01", "Text02", "Text03") VALUES (NEW.rowid, NEW."Text01", NEW."Text02", NEW."Text03");
  INSERT INTO "executions_visibility_fts_keyword_list" (rowid, "TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems", "TemporalUsedWorkerDeploymentVersions", "KeywordList01", "KeywordList02", "KeywordList03", "TemporalKeywordList01", "TemporalKeywordList02") VALUES (NEW.rowid, NEW."TemporalChangeVersion", NEW."BinaryChecksums", NEW."BuildIds", NEW."TemporalPauseInfo", NEW."TemporalReportedProblems", NEW."TemporalUsedWorkerDeploymentVersions", NEW."KeywordList01", NEW."KeywordList02", NEW."KeywordList03", NEW."TemporalKeywordList01", NEW."TemporalKeywordList02");
END;

CREATE TRIGGER IF NOT EXISTS "executions_visibility_ad" AFTER DELETE ON "executions_visibility"
BEGIN
  INSERT INTO "executions_visibility_fts_text" ("executions_visibility_fts_text", rowid, "Text01", "Text02", "Text03")
    VALUES ('delete', OLD.rowid, OLD."Text01", OLD."Text02", OLD."Text03");
  INSERT INTO "executions_visibility_fts_keyword_list" ("executions_visibility_fts_keyword_list", rowid, "TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems", "TemporalUsedWorkerDeploymentVersions", "KeywordList01", "KeywordList02", "KeywordList03", "TemporalKeywordList01", "TemporalKeywordList02")
    VALUES ('delete', OLD.rowid, OLD."TemporalChangeVersion", OLD."BinaryChecksums", OLD."BuildIds", OLD."TemporalPauseInfo", OLD."TemporalReportedProblems", OLD."TemporalUsedWorkerDeploymentVersions", OLD."KeywordList01", OLD."KeywordList02", OLD."KeywordList03", OLD."TemporalKeywordList01", OLD."TemporalKeywordList02");
END;

-- Record version 1.14 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, 'temporal_visibility', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), '1.14', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, 'The number and total size of payloads kept outside of the history become searchable.', '', '1.14', '1.13'
FROM (SELECT max(strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), coalesce((SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', max(update_time), '+0.001 seconds') FROM schema_update_history), '')) AS t);

RELEASE temporal_visibility;
