-- Visibility schema on ClickHouse: 1.10 back to 1.9.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.10', '1.9'), 'this script needs version 1.10; see temporal_visibility_schema_version for what is there');

-- Drop 1 index and 1 column of executions_visibility
ALTER TABLE `executions_visibility`
  DROP INDEX IF EXISTS `by_temporal_reported_problems`,
  DROP COLUMN IF EXISTS `temporalreportedproblems`;

-- Record version 1.9 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.9', argMax(version, sequence), 'Every record carries a version, so that a late write cannot overwrite a newer one.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.9';
