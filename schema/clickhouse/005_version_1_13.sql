-- Visibility schema on ClickHouse: 1.12 to 1.13. All worker deployment versions that a run has used become searchable.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.12', '1.13'), 'this script needs version 1.12; see temporal_visibility_schema_version for what is there');

-- Add 1 column and 1 index to executions_visibility
ALTER TABLE `executions_visibility`
  ADD COLUMN IF NOT EXISTS `temporalusedworkerdeploymentversions` Array(String) CODEC(ZSTD(1)),
  ADD INDEX IF NOT EXISTS `by_used_deployment_versions` `temporalusedworkerdeploymentversions` TYPE bloom_filter(0.01) GRANULARITY 1;

-- Build 1 index for the rows that executions_visibility has
ALTER TABLE `executions_visibility`
  MATERIALIZE INDEX `by_used_deployment_versions`;

-- Record version 1.13 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.13', argMax(version, sequence), 'All worker deployment versions that a run has used become searchable.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.13';
