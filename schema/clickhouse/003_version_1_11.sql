-- Visibility schema on ClickHouse: 1.10 to 1.11. Fourteen preallocated search attributes for executions that are not workflows (CHASM).
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.10', '1.11'), 'this script needs version 1.10; see temporal_visibility_schema_version for what is there');

-- Add 14 columns and 14 indexes to executions_visibility
ALTER TABLE `executions_visibility`
  ADD COLUMN IF NOT EXISTS `temporalbool01` Nullable(Bool) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalbool02` Nullable(Bool) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporaldatetime01` Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporaldatetime02` Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporaldouble01` Nullable(Float64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporaldouble02` Nullable(Float64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalint01` Nullable(Int64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalint02` Nullable(Int64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeyword01` Nullable(String) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeyword02` Nullable(String) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeyword03` Nullable(String) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeyword04` Nullable(String) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeywordlist01` Array(String) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalkeywordlist02` Array(String) CODEC(ZSTD(1)),
  ADD INDEX IF NOT EXISTS `by_temporal_bool_01` `temporalbool01` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_bool_02` `temporalbool02` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_datetime_01` `temporaldatetime01` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_datetime_02` `temporaldatetime02` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_double_01` `temporaldouble01` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_double_02` `temporaldouble02` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_int_01` `temporalint01` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_int_02` `temporalint02` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_01` `temporalkeyword01` TYPE bloom_filter(0.01) GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_02` `temporalkeyword02` TYPE bloom_filter(0.01) GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_03` `temporalkeyword03` TYPE bloom_filter(0.01) GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_04` `temporalkeyword04` TYPE bloom_filter(0.01) GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_list_01` `temporalkeywordlist01` TYPE bloom_filter(0.01) GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_keyword_list_02` `temporalkeywordlist02` TYPE bloom_filter(0.01) GRANULARITY 1;

-- Build 14 indexes for the rows that executions_visibility has
ALTER TABLE `executions_visibility`
  MATERIALIZE INDEX `by_temporal_bool_01`,
  MATERIALIZE INDEX `by_temporal_bool_02`,
  MATERIALIZE INDEX `by_temporal_datetime_01`,
  MATERIALIZE INDEX `by_temporal_datetime_02`,
  MATERIALIZE INDEX `by_temporal_double_01`,
  MATERIALIZE INDEX `by_temporal_double_02`,
  MATERIALIZE INDEX `by_temporal_int_01`,
  MATERIALIZE INDEX `by_temporal_int_02`,
  MATERIALIZE INDEX `by_temporal_keyword_01`,
  MATERIALIZE INDEX `by_temporal_keyword_02`,
  MATERIALIZE INDEX `by_temporal_keyword_03`,
  MATERIALIZE INDEX `by_temporal_keyword_04`,
  MATERIALIZE INDEX `by_temporal_keyword_list_01`,
  MATERIALIZE INDEX `by_temporal_keyword_list_02`;

-- Record version 1.11 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.11', argMax(version, sequence), 'Fourteen preallocated search attributes for executions that are not workflows (CHASM).'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.11';
