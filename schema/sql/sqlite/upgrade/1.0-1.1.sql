-- Visibility schema on sqlite: 1.0 to 1.1. Closed executions can be listed by close time across all statuses.
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

CREATE TEMP TABLE temporal_visibility_check (ok INT CONSTRAINT "this sqlite3 does not find all rows in the indexes of the file: use temporal-visibility schema upgrade, or a sqlite3 that rounds times as the server's does; see docs/upgrading.md" CHECK (ok));

INSERT INTO temporal_visibility_check SELECT NOT EXISTS (
  SELECT 1 FROM pragma_integrity_check('executions_visibility') WHERE integrity_check LIKE 'row % missing from index %'
);

DROP TABLE temporal_visibility_check;

-- Build index by_close_time_by_status
CREATE INDEX IF NOT EXISTS "by_close_time_by_status" ON "executions_visibility" ("namespace_id", "close_time" DESC, "run_id", "status");

-- Record version 1.1 in schema_version
INSERT INTO schema_version
  (version_partition, db_name, creation_time, curr_version, min_compatible_version)
VALUES (0, 'temporal_visibility', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), '1.1', '0.1')
ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version;

INSERT INTO schema_update_history
  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)
SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, 'Closed executions can be listed by close time across all statuses.', '', '1.1', '1.0'
FROM (SELECT max(strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'), coalesce((SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', max(update_time), '+0.001 seconds') FROM schema_update_history), '')) AS t);

RELEASE temporal_visibility;
