-- Visibility schema 1.9 on ClickHouse: away with it, and with every record in it.
-- Generated from schema/versions; change the definition, not this file.

-- Drop the tables and forget the version
DROP TABLE IF EXISTS `executions_visibility`;

DROP TABLE IF EXISTS temporal_visibility_schema_version;
