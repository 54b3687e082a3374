-- Visibility schema on ClickHouse: 1.11 to 1.12. One more preallocated attribute for CHASM, made for few distinct values and for grouping.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.11', '1.12'), 'this script needs version 1.11; see temporal_visibility_schema_version for what is there');

-- Add 1 column and 1 index to executions_visibility
ALTER TABLE `executions_visibility`
  ADD COLUMN IF NOT EXISTS `temporallowcardinalitykeyword01` Nullable(String) CODEC(ZSTD(1)),
  ADD INDEX IF NOT EXISTS `by_temporal_low_cardinality_keyword_01` `temporallowcardinalitykeyword01` TYPE bloom_filter(0.01) GRANULARITY 1;

-- Build 1 index for the rows that executions_visibility has
ALTER TABLE `executions_visibility`
  MATERIALIZE INDEX `by_temporal_low_cardinality_keyword_01`;

-- Record version 1.12 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.12', argMax(version, sequence), 'One more preallocated attribute for CHASM, made for few distinct values and for grouping.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.12';
