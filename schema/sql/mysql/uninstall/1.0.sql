-- Visibility schema 1.0 on mysql: away with it, and with every record in it.
-- Generated from schema/versions; change the definition, not this file.

SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, lock_wait_timeout = 5, default_storage_engine = InnoDB;

DO IF(
  (SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()) IN ('1.0', '1.0'),
  0,
  UUID_TO_BIN(CONCAT('this script needs version 1.0, but schema_version says ', COALESCE((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE()), 'nothing'))));

-- Drop the tables and forget the version
DROP TABLE IF EXISTS `executions_visibility`;

DELETE FROM schema_version WHERE version_partition = 0 AND db_name = DATABASE();

COMMIT;
