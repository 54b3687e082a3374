-- Visibility schema on ClickHouse: 1.11 back to 1.10.
-- Generated from schema/versions; change the definition, not this file.

SELECT throwIf((SELECT argMax(version, sequence) AS v FROM temporal_visibility_schema_version) NOT IN ('1.11', '1.10'), 'this script needs version 1.11; see temporal_visibility_schema_version for what is there');

-- Drop 14 indexes and 14 columns of executions_visibility
ALTER TABLE `executions_visibility`
  DROP INDEX IF EXISTS `by_temporal_bool_01`,
  DROP INDEX IF EXISTS `by_temporal_bool_02`,
  DROP INDEX IF EXISTS `by_temporal_datetime_01`,
  DROP INDEX IF EXISTS `by_temporal_datetime_02`,
  DROP INDEX IF EXISTS `by_temporal_double_01`,
  DROP INDEX IF EXISTS `by_temporal_double_02`,
  DROP INDEX IF EXISTS `by_temporal_int_01`,
  DROP INDEX IF EXISTS `by_temporal_int_02`,
  DROP INDEX IF EXISTS `by_temporal_keyword_01`,
  DROP INDEX IF EXISTS `by_temporal_keyword_02`,
  DROP INDEX IF EXISTS `by_temporal_keyword_03`,
  DROP INDEX IF EXISTS `by_temporal_keyword_04`,
  DROP INDEX IF EXISTS `by_temporal_keyword_list_01`,
  DROP INDEX IF EXISTS `by_temporal_keyword_list_02`,
  DROP COLUMN IF EXISTS `temporalbool01`,
  DROP COLUMN IF EXISTS `temporalbool02`,
  DROP COLUMN IF EXISTS `temporaldatetime01`,
  DROP COLUMN IF EXISTS `temporaldatetime02`,
  DROP COLUMN IF EXISTS `temporaldouble01`,
  DROP COLUMN IF EXISTS `temporaldouble02`,
  DROP COLUMN IF EXISTS `temporalint01`,
  DROP COLUMN IF EXISTS `temporalint02`,
  DROP COLUMN IF EXISTS `temporalkeyword01`,
  DROP COLUMN IF EXISTS `temporalkeyword02`,
  DROP COLUMN IF EXISTS `temporalkeyword03`,
  DROP COLUMN IF EXISTS `temporalkeyword04`,
  DROP COLUMN IF EXISTS `temporalkeywordlist01`,
  DROP COLUMN IF EXISTS `temporalkeywordlist02`;

-- Record version 1.10 in temporal_visibility_schema_version
INSERT INTO temporal_visibility_schema_version (sequence, version, previous, summary)
SELECT max(sequence) + 1, '1.10', argMax(version, sequence), 'Problems that a run reports about itself become searchable.'
FROM temporal_visibility_schema_version
HAVING argMax(version, sequence) != '1.10';
