-- Visibility schema on postgresql: 1.1 to 1.2. Advanced visibility on SQL: search attributes, predefined and preallocated, each with its own index.
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.1', '1.2') THEN
    RAISE EXCEPTION 'this script needs version 1.1, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $$
DECLARE
  invalid CURSOR FOR
      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = to_regclass('"executions_visibility"') AND NOT i.indisvalid AND x.relname IN (
        'default_idx',
        'by_execution_time',
        'by_workflow_id',
        'by_workflow_type',
        'by_status',
        'by_history_length',
        'by_task_queue',
        'by_temporal_change_version',
        'by_binary_checksums',
        'by_batcher_user',
        'by_temporal_scheduled_start_time',
        'by_temporal_scheduled_by_id',
        'by_temporal_schedule_paused',
        'by_temporal_namespace_division',
        'by_bool_01',
        'by_bool_02',
        'by_bool_03',
        'by_datetime_01',
        'by_datetime_02',
        'by_datetime_03',
        'by_double_01',
        'by_double_02',
        'by_double_03',
        'by_int_01',
        'by_int_02',
        'by_int_03',
        'by_keyword_01',
        'by_keyword_02',
        'by_keyword_03',
        'by_keyword_04',
        'by_keyword_05',
        'by_keyword_06',
        'by_keyword_07',
        'by_keyword_08',
        'by_keyword_09',
        'by_keyword_10',
        'by_text_01',
        'by_text_02',
        'by_text_03',
        'by_keyword_list_01',
        'by_keyword_list_02',
        'by_keyword_list_03');
BEGIN
  FOR one IN invalid LOOP
    PERFORM set_config('lock_timeout', '5s', true);
    LOCK TABLE "executions_visibility" IN SHARE UPDATE EXCLUSIVE MODE;
    EXIT;
  END LOOP;
  FOR one IN invalid LOOP
    EXECUTE 'DROP INDEX ' || one.name;
  END LOOP;
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

-- Drop index by_close_time_by_status
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_close_time_by_status";

-- Drop index by_status_by_close_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_status_by_close_time";

-- Drop index by_status_by_start_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_status_by_start_time";

-- Drop index by_type_close_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_type_close_time";

-- Drop index by_type_start_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_type_start_time";

-- Drop index by_workflow_id_close_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_workflow_id_close_time";

-- Drop index by_workflow_id_start_time
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "by_workflow_id_start_time";

-- Add 36 columns to executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ADD COLUMN IF NOT EXISTS "search_attributes" JSONB,
  ADD COLUMN IF NOT EXISTS "temporalchangeversion" JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalChangeVersion') STORED,
  ADD COLUMN IF NOT EXISTS "binarychecksums" JSONB GENERATED ALWAYS AS (search_attributes -> 'BinaryChecksums') STORED,
  ADD COLUMN IF NOT EXISTS "batcheruser" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'BatcherUser') STORED,
  ADD COLUMN IF NOT EXISTS "temporalscheduledstarttime" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'TemporalScheduledStartTime')) STORED,
  ADD COLUMN IF NOT EXISTS "temporalscheduledbyid" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalScheduledById') STORED,
  ADD COLUMN IF NOT EXISTS "temporalschedulepaused" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'TemporalSchedulePaused')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "temporalnamespacedivision" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalNamespaceDivision') STORED,
  ADD COLUMN IF NOT EXISTS "bool01" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool01')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "bool02" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool02')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "bool03" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'Bool03')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "datetime01" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime01')) STORED,
  ADD COLUMN IF NOT EXISTS "datetime02" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime02')) STORED,
  ADD COLUMN IF NOT EXISTS "datetime03" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'Datetime03')) STORED,
  ADD COLUMN IF NOT EXISTS "double01" DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double01')::DECIMAL) STORED,
  ADD COLUMN IF NOT EXISTS "double02" DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double02')::DECIMAL) STORED,
  ADD COLUMN IF NOT EXISTS "double03" DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'Double03')::DECIMAL) STORED,
  ADD COLUMN IF NOT EXISTS "int01" BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int01')::BIGINT) STORED,
  ADD COLUMN IF NOT EXISTS "int02" BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int02')::BIGINT) STORED,
  ADD COLUMN IF NOT EXISTS "int03" BIGINT GENERATED ALWAYS AS ((search_attributes -> 'Int03')::BIGINT) STORED,
  ADD COLUMN IF NOT EXISTS "keyword01" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword01') STORED,
  ADD COLUMN IF NOT EXISTS "keyword02" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword02') STORED,
  ADD COLUMN IF NOT EXISTS "keyword03" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword03') STORED,
  ADD COLUMN IF NOT EXISTS "keyword04" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword04') STORED,
  ADD COLUMN IF NOT EXISTS "keyword05" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword05') STORED,
  ADD COLUMN IF NOT EXISTS "keyword06" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword06') STORED,
  ADD COLUMN IF NOT EXISTS "keyword07" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword07') STORED,
  ADD COLUMN IF NOT EXISTS "keyword08" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword08') STORED,
  ADD COLUMN IF NOT EXISTS "keyword09" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword09') STORED,
  ADD COLUMN IF NOT EXISTS "keyword10" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'Keyword10') STORED,
  ADD COLUMN IF NOT EXISTS "text01" TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text01')::TSVECTOR) STORED,
  ADD COLUMN IF NOT EXISTS "text02" TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text02')::TSVECTOR) STORED,
  ADD COLUMN IF NOT EXISTS "text03" TSVECTOR GENERATED ALWAYS AS ((search_attributes ->> 'Text03')::TSVECTOR) STORED,
  ADD COLUMN IF NOT EXISTS "keywordlist01" JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList01') STORED,
  ADD COLUMN IF NOT EXISTS "keywordlist02" JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList02') STORED,
  ADD COLUMN IF NOT EXISTS "keywordlist03" JSONB GENERATED ALWAYS AS (search_attributes -> 'KeywordList03') STORED;

RESET lock_timeout;

-- Build index default_idx
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "default_idx" ON "executions_visibility" ("namespace_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_execution_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_execution_time" ON "executions_visibility" (namespace_id, "execution_time", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_workflow_id
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_workflow_id" ON "executions_visibility" (namespace_id, "workflow_id", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_workflow_type
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_workflow_type" ON "executions_visibility" (namespace_id, "workflow_type_name", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_status
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_status" ON "executions_visibility" (namespace_id, "status", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_history_length
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_history_length" ON "executions_visibility" (namespace_id, "history_length", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_task_queue
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_task_queue" ON "executions_visibility" (namespace_id, "task_queue", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_change_version
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_change_version" ON "executions_visibility" USING GIN (namespace_id, "temporalchangeversion" jsonb_path_ops);

-- Build index by_binary_checksums
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_binary_checksums" ON "executions_visibility" USING GIN (namespace_id, "binarychecksums" jsonb_path_ops);

-- Build index by_batcher_user
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_batcher_user" ON "executions_visibility" (namespace_id, "batcheruser", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_scheduled_start_time
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_scheduled_start_time" ON "executions_visibility" (namespace_id, "temporalscheduledstarttime", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_scheduled_by_id
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_scheduled_by_id" ON "executions_visibility" (namespace_id, "temporalscheduledbyid", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_schedule_paused
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_schedule_paused" ON "executions_visibility" (namespace_id, "temporalschedulepaused", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_namespace_division
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_namespace_division" ON "executions_visibility" (namespace_id, "temporalnamespacedivision", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_bool_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_bool_01" ON "executions_visibility" (namespace_id, "bool01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_bool_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_bool_02" ON "executions_visibility" (namespace_id, "bool02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_bool_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_bool_03" ON "executions_visibility" (namespace_id, "bool03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_datetime_01" ON "executions_visibility" (namespace_id, "datetime01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_datetime_02" ON "executions_visibility" (namespace_id, "datetime02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_datetime_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_datetime_03" ON "executions_visibility" (namespace_id, "datetime03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_double_01" ON "executions_visibility" (namespace_id, "double01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_double_02" ON "executions_visibility" (namespace_id, "double02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_double_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_double_03" ON "executions_visibility" (namespace_id, "double03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_int_01" ON "executions_visibility" (namespace_id, "int01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_int_02" ON "executions_visibility" (namespace_id, "int02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_int_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_int_03" ON "executions_visibility" (namespace_id, "int03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_01" ON "executions_visibility" (namespace_id, "keyword01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_02" ON "executions_visibility" (namespace_id, "keyword02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_03" ON "executions_visibility" (namespace_id, "keyword03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_04
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_04" ON "executions_visibility" (namespace_id, "keyword04", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_05
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_05" ON "executions_visibility" (namespace_id, "keyword05", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_06
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_06" ON "executions_visibility" (namespace_id, "keyword06", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_07
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_07" ON "executions_visibility" (namespace_id, "keyword07", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_08
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_08" ON "executions_visibility" (namespace_id, "keyword08", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_09
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_09" ON "executions_visibility" (namespace_id, "keyword09", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_keyword_10
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_10" ON "executions_visibility" (namespace_id, "keyword10", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_text_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_text_01" ON "executions_visibility" USING GIN (namespace_id, "text01");

-- Build index by_text_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_text_02" ON "executions_visibility" USING GIN (namespace_id, "text02");

-- Build index by_text_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_text_03" ON "executions_visibility" USING GIN (namespace_id, "text03");

-- Build index by_keyword_list_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_list_01" ON "executions_visibility" USING GIN (namespace_id, "keywordlist01" jsonb_path_ops);

-- Build index by_keyword_list_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_list_02" ON "executions_visibility" USING GIN (namespace_id, "keywordlist02" jsonb_path_ops);

-- Build index by_keyword_list_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_keyword_list_03" ON "executions_visibility" USING GIN (namespace_id, "keywordlist03" jsonb_path_ops);

-- Record version 1.2 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.2', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Advanced visibility on SQL: search attributes, predefined and preallocated, each with its own index.', '', '1.2', '1.1'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
