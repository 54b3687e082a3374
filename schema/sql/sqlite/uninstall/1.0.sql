-- Visibility schema 1.0 on sqlite: away with it, and with every record in it.
-- Generated from schema/versions; change the definition, not this file.

.bail on
.timeout 10000

PRAGMA foreign_keys = OFF;

PRAGMA legacy_alter_table = ON;

SAVEPOINT temporal_visibility;

CREATE TABLE temporal_visibility_begun (ok INT);

DROP TABLE temporal_visibility_begun;

CREATE TABLE IF NOT EXISTS schema_version (
  version_partition      INT          NOT NULL,
  db_name                VARCHAR(255) NOT NULL,
  creation_time          TIMESTAMP,
  curr_version           VARCHAR(64),
  min_compatible_version VARCHAR(64),
  PRIMARY KEY (version_partition, db_name)
);

CREATE TABLE IF NOT EXISTS schema_update_history (
  version_partition INT       NOT NULL,
  year              INT       NOT NULL,
  month             INT       NOT NULL,
  update_time       TIMESTAMP NOT NULL,
  description       VARCHAR(255),
  manifest_md5      VARCHAR(64),
  new_version       VARCHAR(64),
  old_version       VARCHAR(64),
  PRIMARY KEY (version_partition, year, month, update_time)
);

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this script needs visibility schema version 1.0; see SELECT * FROM schema_version" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT coalesce((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility'), '') = '1.0';

DROP TABLE temporal_visibility_check;

-- Drop the tables and forget the version
DROP TABLE IF EXISTS "executions_visibility";

DELETE FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility';

RELEASE temporal_visibility;
