-- Visibility schema on a ClickHouse cluster: 1.13 back to 1.12.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.13', '1.12'), 'this script needs version 1.13; see temporal_visibility_schema_version for what is there');

-- Drop 1 column of executions_visibility
ALTER TABLE `executions_visibility` ON CLUSTER `${CLUSTER}`
  DROP COLUMN IF EXISTS `temporalusedworkerdeploymentversions`;

-- Drop 1 index and 1 column of executions_visibility_local
ALTER TABLE `executions_visibility_local` ON CLUSTER `${CLUSTER}`
  DROP INDEX IF EXISTS `by_used_deployment_versions`,
  DROP COLUMN IF EXISTS `temporalusedworkerdeploymentversions`;

-- Record version 1.12 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.12', argMax(version, sequence), 'One more preallocated attribute for CHASM, made for few distinct values and for grouping.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.12';
