-- Visibility schema on ClickHouse: 1.14 back to 1.13.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.14', '1.13'), 'this script needs version 1.14; see temporal_visibility_schema_version for what is there');

-- Drop 2 indexes and 2 columns of executions_visibility
ALTER TABLE `executions_visibility`
  DROP INDEX IF EXISTS `by_temporal_external_payload_count`,
  DROP INDEX IF EXISTS `by_temporal_external_payload_size_bytes`,
  DROP COLUMN IF EXISTS `temporalexternalpayloadcount`,
  DROP COLUMN IF EXISTS `temporalexternalpayloadsizebytes`;

-- Record version 1.13 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.13', argMax(version, sequence), 'All worker deployment versions that a run has used become searchable.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.13';
