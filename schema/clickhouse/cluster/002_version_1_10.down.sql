-- Visibility schema on a ClickHouse cluster: 1.10 back to 1.9.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.10', '1.9'), 'this script needs version 1.10; see temporal_visibility_schema_version for what is there');

-- Drop 1 column of executions_visibility
ALTER TABLE `executions_visibility` ON CLUSTER `${CLUSTER}`
  DROP COLUMN IF EXISTS `temporalreportedproblems`;

-- Drop 1 index and 1 column of executions_visibility_local
ALTER TABLE `executions_visibility_local` ON CLUSTER `${CLUSTER}`
  DROP INDEX IF EXISTS `by_temporal_reported_problems`,
  DROP COLUMN IF EXISTS `temporalreportedproblems`;

-- Record version 1.9 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.9', argMax(version, sequence), 'Every record carries a version, so that a late write cannot overwrite a newer one.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.9';
