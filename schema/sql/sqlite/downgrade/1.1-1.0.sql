-- Visibility schema on sqlite: 1.1 back to 1.0.
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

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this script needs visibility schema version 1.1; see SELECT * FROM schema_version" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT coalesce((SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = 'temporal_visibility'), '') = '1.1';

DROP TABLE temporal_visibility_check;

-- Drop index by_close_time_by_status
DROP INDEX IF EXISTS "by_close_time_by_status";

-- Record version 1.0 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, 'temporal_visibility', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), '1.0', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, 'The standard visibility table: who ran, when, and how it ended.', '', '1.0', '1.1'
FROM (SELECT max(strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), coalesce((SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', max(update_time), '+0.001 seconds') FROM schema_update_history), '')) AS t);

RELEASE temporal_visibility;
