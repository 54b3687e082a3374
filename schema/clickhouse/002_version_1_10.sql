-- Visibility schema on ClickHouse: 1.9 to 1.10. Problems that a run reports about itself become searchable.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.9', '1.10'), 'this script needs version 1.9; see temporal_visibility_schema_version for what is there');

-- Add 1 column and 1 index to executions_visibility
ALTER TABLE `executions_visibility`
  ADD COLUMN IF NOT EXISTS `temporalreportedproblems` Array(String) CODEC(ZSTD(1)),
  ADD INDEX IF NOT EXISTS `by_temporal_reported_problems` `temporalreportedproblems` TYPE bloom_filter(0.01) GRANULARITY 1;

-- Build 1 index for the rows that executions_visibility has
ALTER TABLE `executions_visibility`
  MATERIALIZE INDEX `by_temporal_reported_problems`;

-- Record version 1.10 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.10', argMax(version, sequence), 'Problems that a run reports about itself become searchable.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.10';
