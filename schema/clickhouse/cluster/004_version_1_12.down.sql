-- Visibility schema on a ClickHouse cluster: 1.12 back to 1.11.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.12', '1.11'), 'this script needs version 1.12; see temporal_visibility_schema_version for what is there');

-- Drop 1 column of executions_visibility
ALTER TABLE `executions_visibility` ON CLUSTER `${CLUSTER}`
  DROP COLUMN IF EXISTS `temporallowcardinalitykeyword01`;

-- Drop 1 index and 1 column of executions_visibility_local
ALTER TABLE `executions_visibility_local` ON CLUSTER `${CLUSTER}`
  DROP INDEX IF EXISTS `by_temporal_low_cardinality_keyword_01`,
  DROP COLUMN IF EXISTS `temporallowcardinalitykeyword01`;

-- Record version 1.11 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.11', argMax(version, sequence), 'Fourteen preallocated search attributes for executions that are not workflows (CHASM).'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.11';
