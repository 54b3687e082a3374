-- Visibility schema on ClickHouse: 1.13 to 1.14. The number and total size of payloads kept outside of the history become searchable.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.13', '1.14'), 'this script needs version 1.13; see temporal_visibility_schema_version for what is there');

-- Add 2 columns and 2 indexes to executions_visibility
ALTER TABLE `executions_visibility`
  ADD COLUMN IF NOT EXISTS `temporalexternalpayloadsizebytes` Nullable(Int64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS `temporalexternalpayloadcount` Nullable(Int64) CODEC(ZSTD(1)),
  ADD INDEX IF NOT EXISTS `by_temporal_external_payload_size_bytes` `temporalexternalpayloadsizebytes` TYPE minmax GRANULARITY 1,
  ADD INDEX IF NOT EXISTS `by_temporal_external_payload_count` `temporalexternalpayloadcount` TYPE minmax GRANULARITY 1;

-- Build 2 indexes for the rows that executions_visibility has
ALTER TABLE `executions_visibility`
  MATERIALIZE INDEX `by_temporal_external_payload_size_bytes`,
  MATERIALIZE INDEX `by_temporal_external_payload_count`;

-- Record version 1.14 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.14', argMax(version, sequence), 'The number and total size of payloads kept outside of the history become searchable.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.14';
