"""Temporal's `schema_version` and `schema_update_history`, and Alembic's mark, as PostgreSQL keeps them.

Table shapes and values are those of Temporal's SQL tool (partition 0, the database's name, one history row per change);
this module writes statements and never runs them.
"""

from __future__ import annotations

from toolkit.definition import Definition
from toolkit.engines.postgresql.render import literal
from toolkit.engines.version_tables import NO_HISTORY, SHARED, unmark
from toolkit.plan import NO_LOCK, Expect, Observed, Sql, Step, StepClass

MIN_COMPATIBLE = "0.1"
TABLES = ("schema_version", "schema_update_history", "alembic_version")

_CREATE = (
    Sql(
        "CREATE TABLE IF NOT EXISTS schema_version (\n"
        "  version_partition      INT          NOT NULL,\n"
        "  db_name                VARCHAR(255) NOT NULL,\n"
        "  creation_time          TIMESTAMP,\n"
        "  curr_version           VARCHAR(64),\n"
        "  min_compatible_version VARCHAR(64),\n"
        "  PRIMARY KEY (version_partition, db_name)\n)"
    ),
    Sql(
        "CREATE TABLE IF NOT EXISTS schema_update_history (\n"
        "  version_partition INT       NOT NULL,\n"
        "  year              INT       NOT NULL,\n"
        "  month             INT       NOT NULL,\n"
        "  update_time       TIMESTAMP NOT NULL,\n"
        "  description       VARCHAR(255),\n"
        "  manifest_md5      VARCHAR(64),\n"
        "  new_version       VARCHAR(64),\n"
        "  old_version       VARCHAR(64),\n"
        "  PRIMARY KEY (version_partition, year, month, update_time)\n)"
    ),
)


def record_steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the database now has, to Temporal and to Alembic."""
    label = wanted.labels.sql or wanted.version
    found = []
    if observed.recorded != label and not observed.traits.get(SHARED):
        create = _CREATE if observed.recorded is None or observed.traits.get(NO_HISTORY) else ()
        found.append(_record(observed.recorded, label, wanted.summary, create))
    if observed.marks.get("alembic") != wanted.version:
        found.append(_mark(wanted.version))
    return tuple(found)


def restore_steps(before: Observed, undone: Definition) -> tuple[Step, ...]:
    """Record again what the database said `before` the run to `undone`, be it nothing."""
    found = []
    if before.recorded is None and not before.traits.get(SHARED):
        title, done = "Record no version in schema_version, as before", (Expect(("recorded",), None),)
        statements = (*_CREATE, forget())
        found.append(Step("record.version", title, "", StepClass.METADATA, NO_LOCK, statements, (), done))
    elif before.recorded is not None and before.recorded != (undone.labels.sql or undone.version):
        found.append(_record(undone.labels.sql or undone.version, before.recorded, f"Back from {undone.version}."))
    mark = before.marks.get("alembic")
    if mark is None:
        found.append(unmark())
    elif mark != undone.version:
        found.append(_mark(mark))
    return tuple(found)


def _record(old: str | None, new: str, summary: str, create: tuple[Sql, ...] = ()) -> Step:
    # clock_timestamp(), because now() stands still in a transaction and the history's key contains the time.
    now = "clock_timestamp() AT TIME ZONE 'UTC'"
    statements = (
        *create,
        Sql(
            "INSERT INTO schema_version\n"
            "  (version_partition, db_name, creation_time, curr_version, min_compatible_version)\n"
            f"VALUES (0, current_database(), {now}, {literal(new)}, {literal(MIN_COMPATIBLE)})\n"
            "ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,\n"
            "  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version"
        ),
        Sql(
            "INSERT INTO schema_update_history\n"
            "  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)\n"
            f"SELECT 0, extract(year FROM t), extract(month FROM t), t, {literal(summary[:255])}, '', {literal(new)}, "
            f"{literal(old or '0')}\nFROM (SELECT {now} AS t) AS clock"
        ),
    )
    return Step(
        "record.version",
        f"Record version {new} in schema_version",
        "Temporal's server reads it when it starts",
        StepClass.METADATA,
        NO_LOCK,
        statements,
        (),
        (Expect(("recorded",), new),),
    )


def _mark(version: str) -> Step:
    return Step(
        "record.alembic",
        f"Record revision {version} in alembic_version",
        "so that plain Alembic agrees",
        StepClass.METADATA,
        NO_LOCK,
        (
            Sql(
                "CREATE TABLE IF NOT EXISTS alembic_version (\n"
                "  version_num VARCHAR(32) NOT NULL,\n"
                "  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
            ),
            Sql("DELETE FROM alembic_version"),
            Sql(f"INSERT INTO alembic_version (version_num) VALUES ({literal(version)})"),
        ),
        (),
        (Expect(("marks", "alembic"), version),),
    )


def forget() -> Sql:
    """Take this database out of `schema_version`; the history stays."""
    return Sql("DELETE FROM schema_version WHERE version_partition = 0 AND db_name = current_database()")


def guard(before: str | None, after: str) -> Sql:
    """A statement that stops a script unless the database records `before` (None: records nothing yet), or already
    `after` (the script was run before and may be repeated)."""
    if before is None:
        wrong = f"found IS NOT NULL AND found <> {literal(after)}"
        asked = "no schema yet"
    else:
        wrong = f"found IS NULL OR found NOT IN ({literal(before)}, {literal(after)})"
        asked = f"version {before}"
    message = literal(f"this script needs {asked}, but schema_version says %")
    return Sql(
        "DO $$\nDECLARE\n  found TEXT;\nBEGIN\n"
        "  IF to_regclass('schema_version') IS NOT NULL THEN\n"
        "    SELECT curr_version INTO found FROM schema_version\n"
        "    WHERE version_partition = 0 AND db_name = current_database();\n"
        "  END IF;\n"
        f"  IF {wrong} THEN\n    RAISE EXCEPTION {message}, coalesce(found, 'nothing');\n  END IF;\nEND\n$$"
    )
