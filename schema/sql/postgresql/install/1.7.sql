-- Visibility schema 1.7 on postgresql: fresh install.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NOT NULL AND found <> '1.7' THEN
    RAISE EXCEPTION 'this script needs no schema yet, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

-- Create extension btree_gin
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'btree_gin') THEN
    CREATE EXTENSION btree_gin;
  END IF;
END
$$;

-- Create function convert_ts
CREATE OR REPLACE FUNCTION convert_ts(s VARCHAR) RETURNS TIMESTAMP AS $$
BEGIN
  RETURN s::timestamptz at time zone 'UTC';
END
$$ LANGUAGE plpgsql IMMUTABLE RETURNS NULL ON NULL INPUT;

-- Create table executions_visibility
CREATE TABLE IF NOT EXISTS "executions_visibility" (
  "namespace_id"               CHAR(64) NOT NULL,
  "run_id"                     CHAR(64) NOT NULL,
  "start_time"                 TIMESTAMP NOT NULL,
  "execution_time"             TIMESTAMP NOT NULL,
  "workflow_id"                VARCHAR(255) NOT NULL,
  "workflow_type_name"         VARCHAR(255) NOT NULL,
  "status"                     INTEGER NOT NULL,
  "close_time"                 TIMESTAMP,
  "history_length"             BIGINT,
  "memo"                       BYTEA,
  "encoding"                   VARCHAR(64) NOT NULL,
  "task_queue"                 VARCHAR(255) NOT NULL DEFAULT '',
  "history_size_bytes"         BIGINT,
  "execution_duration"         BIGINT,
  "state_transition_count"     BIGINT,
  "parent_workflow_id"         VARCHAR(255),
  "parent_run_id"              VARCHAR(255),
  "root_workflow_id"           VARCHAR(255) NOT NULL DEFAULT '',
  "root_run_id"                VARCHAR(255) NOT NULL DEFAULT '',
  "search_attributes"          JSONB,
  "temporalchangeversion"      JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalChangeVersion') STORED,
  "binarychecksums"            JSONB GENERATED ALWAYS AS (search_attributes -> 'BinaryChecksums') STORED,
  "batcheruser"                VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'BatcherUser') STORED,
  "temporalscheduledstarttime" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'TemporalScheduledStartTime')) STORED,
  "temporalscheduledbyid"      VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalScheduledById') STORED,
  "temporalschedulepaused"     BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'TemporalSchedulePaused')::BOOLEAN) STORED,
  "temporalnamespacedivision"  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalNamespaceDivision') STORED,
  "buildids"                   JSONB GENERATED ALWAYS AS (search_attributes -> 'BuildIds') STORED,
  "temporalpauseinfo"          JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalPauseInfo') STORED,
  "bool01"                     BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool01')::BOOLEAN) STORED,
  "bool02"                     BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool02')::BOOLEAN) STORED,
  "bool03"                     BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool03')::BOOLEAN) STORED,
  "datetime01"                 TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime01')) STORED,
  "datetime02"                 TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime02')) STORED,
  "datetime03"                 TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime03')) STORED,
  "double01"                   DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double01')::DECIMAL) STORED,
  "double02"                   DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double02')::DECIMAL) STORED,
  "double03"                   DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double03')::DECIMAL) STORED,
  "int01"                      BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int01')::BIGINT) STORED,
  "int02"                      BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int02')::BIGINT) STORED,
  "int03"                      BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int03')::BIGINT) STORED,
  "keyword01"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword01') STORED,
  "keyword02"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword02') STORED,
  "keyword03"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword03') STORED,
  "keyword04"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword04') STORED,
  "keyword05"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword05') STORED,
  "keyword06"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword06') STORED,
  "keyword07"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword07') STORED,
  "keyword08"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword08') STORED,
  "keyword09"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword09') STORED,
  "keyword10"                  VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword10') STORED,
  "text01"                     TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text01')::TSVECTOR) STORED,
  "text02"                     TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text02')::TSVECTOR) STORED,
  "text03"                     TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text03')::TSVECTOR) STORED,
  "keywordlist01"              JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList01') STORED,
  "keywordlist02"              JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList02') STORED,
  "keywordlist03"              JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList03') STORED,
  PRIMARY KEY ("namespace_id", "run_id")
);

-- Build index default_idx
CREATE INDEX IF NOT EXISTS "default_idx" ON "executions_visibility" ("namespace_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_execution_time
CREATE INDEX IF NOT EXISTS "by_execution_time" ON "executions_visibility" (namespace_id, "execution_time", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_workflow_id
CREATE INDEX IF NOT EXISTS "by_workflow_id" ON "executions_visibility" (namespace_id, "workflow_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_workflow_type
CREATE INDEX IF NOT EXISTS "by_workflow_type" ON "executions_visibility" (namespace_id, "workflow_type_name", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_status
CREATE INDEX IF NOT EXISTS "by_status" ON "executions_visibility" (namespace_id, "status", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_history_length
CREATE INDEX IF NOT EXISTS "by_history_length" ON "executions_visibility" (namespace_id, "history_length", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_task_queue
CREATE INDEX IF NOT EXISTS "by_task_queue" ON "executions_visibility" (namespace_id, "task_queue", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_history_size_bytes
CREATE INDEX IF NOT EXISTS "by_history_size_bytes" ON "executions_visibility" (namespace_id, "history_size_bytes", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_execution_duration
CREATE INDEX IF NOT EXISTS "by_execution_duration" ON "executions_visibility" (namespace_id, "execution_duration", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_state_transition_count
CREATE INDEX IF NOT EXISTS "by_state_transition_count" ON "executions_visibility" (namespace_id, "state_transition_count", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_parent_workflow_id
CREATE INDEX IF NOT EXISTS "by_parent_workflow_id" ON "executions_visibility" (namespace_id, "parent_workflow_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_parent_run_id
CREATE INDEX IF NOT EXISTS "by_parent_run_id" ON "executions_visibility" (namespace_id, "parent_run_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_root_workflow_id
CREATE INDEX IF NOT EXISTS "by_root_workflow_id" ON "executions_visibility" (namespace_id, "root_workflow_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_root_run_id
CREATE INDEX IF NOT EXISTS "by_root_run_id" ON "executions_visibility" (namespace_id, "root_run_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_change_version
CREATE INDEX IF NOT EXISTS "by_temporal_change_version" ON "executions_visibility" USING GIN (namespace_id, "temporalchangeversion" jsonb_path_ops);

-- Build index by_binary_checksums
CREATE INDEX IF NOT EXISTS "by_binary_checksums" ON "executions_visibility" USING GIN (namespace_id, "binarychecksums" jsonb_path_ops);

-- Build index by_batcher_user
CREATE INDEX IF NOT EXISTS "by_batcher_user" ON "executions_visibility" (namespace_id, "batcheruser", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_scheduled_start_time
CREATE INDEX IF NOT EXISTS "by_temporal_scheduled_start_time" ON "executions_visibility" (namespace_id, "temporalscheduledstarttime", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_scheduled_by_id
CREATE INDEX IF NOT EXISTS "by_temporal_scheduled_by_id" ON "executions_visibility" (namespace_id, "temporalscheduledbyid", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_schedule_paused
CREATE INDEX IF NOT EXISTS "by_temporal_schedule_paused" ON "executions_visibility" (namespace_id, "temporalschedulepaused", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_namespace_division
CREATE INDEX IF NOT EXISTS "by_temporal_namespace_division" ON "executions_visibility" (namespace_id, "temporalnamespacedivision", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_build_ids
CREATE INDEX IF NOT EXISTS "by_build_ids" ON "executions_visibility" USING GIN (namespace_id, "buildids" jsonb_path_ops);

-- Build index by_temporal_pause_info
CREATE INDEX IF NOT EXISTS "by_temporal_pause_info" ON "executions_visibility" USING GIN (namespace_id, "temporalpauseinfo" jsonb_path_ops);

-- Build index by_bool_01
CREATE INDEX IF NOT EXISTS "by_bool_01" ON "executions_visibility" (namespace_id, "bool01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_bool_02
CREATE INDEX IF NOT EXISTS "by_bool_02" ON "executions_visibility" (namespace_id, "bool02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_bool_03
CREATE INDEX IF NOT EXISTS "by_bool_03" ON "executions_visibility" (namespace_id, "bool03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_01
CREATE INDEX IF NOT EXISTS "by_datetime_01" ON "executions_visibility" (namespace_id, "datetime01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_02
CREATE INDEX IF NOT EXISTS "by_datetime_02" ON "executions_visibility" (namespace_id, "datetime02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_03
CREATE INDEX IF NOT EXISTS "by_datetime_03" ON "executions_visibility" (namespace_id, "datetime03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_01
CREATE INDEX IF NOT EXISTS "by_double_01" ON "executions_visibility" (namespace_id, "double01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_02
CREATE INDEX IF NOT EXISTS "by_double_02" ON "executions_visibility" (namespace_id, "double02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_03
CREATE INDEX IF NOT EXISTS "by_double_03" ON "executions_visibility" (namespace_id, "double03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_01
CREATE INDEX IF NOT EXISTS "by_int_01" ON "executions_visibility" (namespace_id, "int01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_02
CREATE INDEX IF NOT EXISTS "by_int_02" ON "executions_visibility" (namespace_id, "int02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_03
CREATE INDEX IF NOT EXISTS "by_int_03" ON "executions_visibility" (namespace_id, "int03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_01
CREATE INDEX IF NOT EXISTS "by_keyword_01" ON "executions_visibility" (namespace_id, "keyword01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_02
CREATE INDEX IF NOT EXISTS "by_keyword_02" ON "executions_visibility" (namespace_id, "keyword02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_03
CREATE INDEX IF NOT EXISTS "by_keyword_03" ON "executions_visibility" (namespace_id, "keyword03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_04
CREATE INDEX IF NOT EXISTS "by_keyword_04" ON "executions_visibility" (namespace_id, "keyword04", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_05
CREATE INDEX IF NOT EXISTS "by_keyword_05" ON "executions_visibility" (namespace_id, "keyword05", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_06
CREATE INDEX IF NOT EXISTS "by_keyword_06" ON "executions_visibility" (namespace_id, "keyword06", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_07
CREATE INDEX IF NOT EXISTS "by_keyword_07" ON "executions_visibility" (namespace_id, "keyword07", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_08
CREATE INDEX IF NOT EXISTS "by_keyword_08" ON "executions_visibility" (namespace_id, "keyword08", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_09
CREATE INDEX IF NOT EXISTS "by_keyword_09" ON "executions_visibility" (namespace_id, "keyword09", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_10
CREATE INDEX IF NOT EXISTS "by_keyword_10" ON "executions_visibility" (namespace_id, "keyword10", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_text_01
CREATE INDEX IF NOT EXISTS "by_text_01" ON "executions_visibility" USING GIN (namespace_id, "text01");

-- Build index by_text_02
CREATE INDEX IF NOT EXISTS "by_text_02" ON "executions_visibility" USING GIN (namespace_id, "text02");

-- Build index by_text_03
CREATE INDEX IF NOT EXISTS "by_text_03" ON "executions_visibility" USING GIN (namespace_id, "text03");

-- Build index by_keyword_list_01
CREATE INDEX IF NOT EXISTS "by_keyword_list_01" ON "executions_visibility" USING GIN (namespace_id, "keywordlist01" jsonb_path_ops);

-- Build index by_keyword_list_02
CREATE INDEX IF NOT EXISTS "by_keyword_list_02" ON "executions_visibility" USING GIN (namespace_id, "keywordlist02" jsonb_path_ops);

-- Build index by_keyword_list_03
CREATE INDEX IF NOT EXISTS "by_keyword_list_03" ON "executions_visibility" USING GIN (namespace_id, "keywordlist03" jsonb_path_ops);

-- Record version 1.7 in schema_version
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
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.7', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Why an execution is paused becomes searchable.', '', '1.7', '0'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
