-- Visibility schema on postgresql: 1.10 to 1.11. Fourteen preallocated search attributes for executions that are not workflows (CHASM).
-- Generated from schema/versions; change the definition, not this file.

DO $$
DECLARE
  found TEXT;
BEGIN
  IF to_regclass('schema_version') IS NOT NULL THEN
    SELECT curr_version INTO found FROM schema_version
    WHERE version_partition = 0 AND db_name = current_database();
  END IF;
  IF found IS NULL OR found NOT IN ('1.10', '1.11') THEN
    RAISE EXCEPTION 'this script needs version 1.10, but schema_version says %', coalesce(found, 'nothing');
  END IF;
END
$$;

DO $$
DECLARE
  invalid CURSOR FOR
      SELECT x.oid::regclass::text AS name FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = to_regclass('"executions_visibility"') AND NOT i.indisvalid AND x.relname IN (
        'by_temporal_bool_01',
        'by_temporal_bool_02',
        'by_temporal_datetime_01',
        'by_temporal_datetime_02',
        'by_temporal_double_01',
        'by_temporal_double_02',
        'by_temporal_int_01',
        'by_temporal_int_02',
        'by_temporal_keyword_01',
        'by_temporal_keyword_02',
        'by_temporal_keyword_03',
        'by_temporal_keyword_04',
        'by_temporal_keyword_list_01',
        'by_temporal_keyword_list_02');
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

-- Add 14 columns to executions_visibility
SET lock_timeout = '5s';

ALTER TABLE "executions_visibility"
  ADD COLUMN IF NOT EXISTS "temporalbool01" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'TemporalBool01')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "temporalbool02" BOOLEAN GENERATED ALWAYS AS ((search_attributes -> 'TemporalBool02')::BOOLEAN) STORED,
  ADD COLUMN IF NOT EXISTS "temporaldatetime01" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'TemporalDatetime01')) STORED,
  ADD COLUMN IF NOT EXISTS "temporaldatetime02" TIMESTAMP GENERATED ALWAYS AS (convert_ts(search_attributes ->> 'TemporalDatetime02')) STORED,
  ADD COLUMN IF NOT EXISTS "temporaldouble01" DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'TemporalDouble01')::DECIMAL) STORED,
  ADD COLUMN IF NOT EXISTS "temporaldouble02" DECIMAL(20, 5) GENERATED ALWAYS AS ((search_attributes -> 'TemporalDouble02')::DECIMAL) STORED,
  ADD COLUMN IF NOT EXISTS "temporalint01" BIGINT GENERATED ALWAYS AS ((search_attributes -> 'TemporalInt01')::BIGINT) STORED,
  ADD COLUMN IF NOT EXISTS "temporalint02" BIGINT GENERATED ALWAYS AS ((search_attributes -> 'TemporalInt02')::BIGINT) STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeyword01" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalKeyword01') STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeyword02" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalKeyword02') STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeyword03" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalKeyword03') STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeyword04" VARCHAR(255) GENERATED ALWAYS AS (search_attributes ->> 'TemporalKeyword04') STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeywordlist01" JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalKeywordList01') STORED,
  ADD COLUMN IF NOT EXISTS "temporalkeywordlist02" JSONB GENERATED ALWAYS AS (search_attributes -> 'TemporalKeywordList02') STORED;

RESET lock_timeout;

-- Build index by_temporal_bool_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_bool_01" ON "executions_visibility" (namespace_id, "temporalbool01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_bool_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_bool_02" ON "executions_visibility" (namespace_id, "temporalbool02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_datetime_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_datetime_01" ON "executions_visibility" (namespace_id, "temporaldatetime01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_datetime_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_datetime_02" ON "executions_visibility" (namespace_id, "temporaldatetime02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_double_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_double_01" ON "executions_visibility" (namespace_id, "temporaldouble01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_double_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_double_02" ON "executions_visibility" (namespace_id, "temporaldouble02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_int_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_int_01" ON "executions_visibility" (namespace_id, "temporalint01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_int_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_int_02" ON "executions_visibility" (namespace_id, "temporalint02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_keyword_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_01" ON "executions_visibility" (namespace_id, "temporalkeyword01", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_keyword_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_02" ON "executions_visibility" (namespace_id, "temporalkeyword02", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_keyword_03
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_03" ON "executions_visibility" (namespace_id, "temporalkeyword03", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_keyword_04
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_04" ON "executions_visibility" (namespace_id, "temporalkeyword04", (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id);

-- Build index by_temporal_keyword_list_01
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_list_01" ON "executions_visibility" USING GIN (namespace_id, "temporalkeywordlist01" jsonb_path_ops);

-- Build index by_temporal_keyword_list_02
-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS "by_temporal_keyword_list_02" ON "executions_visibility" USING GIN (namespace_id, "temporalkeywordlist02" jsonb_path_ops);

-- Record version 1.11 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, current_database(), clock_timestamp() AT TIME ZONE 'UTC', '1.11', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, extract(year FROM t), extract(month FROM t), t, 'Fourteen preallocated search attributes for executions that are not workflows (CHASM).', '', '1.11', '1.10'
FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS t) AS clock;
