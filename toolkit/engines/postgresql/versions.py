"""The version tables as PostgreSQL keeps them, and the guard that stops a script on the wrong version.

It writes statements and never runs them; what is the same on every SQL engine is in `version_tables`.
"""

from __future__ import annotations

from toolkit.definition import Definition
from toolkit.engines import version_tables
from toolkit.engines.postgresql.render import literal
from toolkit.engines.version_tables import MIN_COMPATIBLE
from toolkit.plan import Observed, Sql, Step

TABLES = version_tables.TABLES
_TIME = "TIMESTAMP"


def record_steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the database now has, to Temporal and to Alembic."""
    return version_tables.record_steps(observed, wanted, _TIME, _record)


def restore_steps(before: Observed, undone: Definition) -> tuple[Step, ...]:
    """Record again what the database said `before` the run to `undone`, be it nothing."""
    return version_tables.restore_steps(before, undone, _TIME, _record, forget())


def _record(old: str | None, new: str, summary: str) -> tuple[Sql, ...]:
    # clock_timestamp(), because now() stands still in a transaction and the history's key contains the time.
    now = "clock_timestamp() AT TIME ZONE 'UTC'"
    return (
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
            f"SELECT 0, extract(year FROM t), extract(month FROM t), t, {literal(summary)}, '', {literal(new)}, "
            f"{literal(old or '0')}\nFROM (SELECT {now} AS t) AS clock"
        ),
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
