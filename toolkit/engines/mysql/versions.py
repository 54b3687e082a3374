"""The version tables as MySQL keeps them, and the guard that stops a script on the wrong version.

It writes statements and never runs them; what is the same on every SQL engine is in `version_tables`.
"""

from __future__ import annotations

from toolkit.definition import Definition
from toolkit.engines import version_tables
from toolkit.engines.mysql.render import SQL_MODE, literal
from toolkit.engines.version_tables import MIN_COMPATIBLE
from toolkit.plan import Observed, Sql, Step

TABLES = version_tables.TABLES
# Everybody queues behind an ALTER that waits for a table: a script gives it up soon, and may be run again.
LOCK_SECONDS = 5
_TIME = "DATETIME(6)"
CREATE = version_tables.create_tables(_TIME)
_ROW = "version_partition = 0 AND db_name = DATABASE()"
RECORDED = f"SELECT curr_version FROM schema_version WHERE {_ROW}"


def record_steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the database now has, to Temporal and to Alembic."""
    return version_tables.record_steps(observed, wanted, _TIME, _record)


def restore_steps(before: Observed, undone: Definition) -> tuple[Step, ...]:
    """Record again what the database said `before` the run to `undone`, be it nothing."""
    return version_tables.restore_steps(before, undone, _TIME, _record, forget())


def _record(old: str | None, new: str, summary: str) -> tuple[Sql, ...]:
    return (
        Sql(
            "INSERT INTO schema_version\n"
            "  (version_partition, db_name, creation_time, curr_version, min_compatible_version)\n"
            f"VALUES (0, DATABASE(), UTC_TIMESTAMP(6), {literal(new)}, {literal(MIN_COMPATIBLE)}) AS new\n"
            "ON DUPLICATE KEY UPDATE creation_time = new.creation_time,\n"
            "  curr_version = new.curr_version, min_compatible_version = new.min_compatible_version"
        ),
        Sql(
            "INSERT INTO schema_update_history\n"
            "  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)\n"
            f"SELECT 0, YEAR(t), MONTH(t), t, {literal(summary)}, '', {literal(new)}, {literal(old or '0')}\n"
            "FROM (SELECT UTC_TIMESTAMP(6) AS t) AS clock"
        ),
    )


def forget() -> Sql:
    """Take this database out of `schema_version`; the history stays."""
    return Sql(f"DELETE FROM schema_version WHERE {_ROW}")


def guard(before: str | None, after: str) -> tuple[Sql, ...]:
    """Statements that stop a script unless the database records `before` (None: records nothing yet), or already
    `after` (the script was run before and may be repeated).

    Outside a stored program MySQL cannot raise an error of one's own; a function that quotes the text it refuses can.
    """
    found = f"({RECORDED})"
    if before is None:
        fits = f"COALESCE({found}, {literal(after)}) = {literal(after)}"
        asked = "a database without a visibility schema"
    else:
        fits = f"{found} IN ({literal(before)}, {literal(after)})"
        asked = f"version {before}"
    message = f"CONCAT({literal(f'this script needs {asked}, but schema_version says ')}, COALESCE({found}, 'nothing'))"
    return (
        Sql(
            f"SET SESSION sql_mode = {literal(SQL_MODE)}, sql_safe_updates = 0, lock_wait_timeout = {LOCK_SECONDS}, "
            "default_storage_engine = InnoDB"
        ),
        *(CREATE if before is None else ()),
        Sql(f"DO IF(\n  {fits},\n  0,\n  UUID_TO_BIN({message}))"),
    )
