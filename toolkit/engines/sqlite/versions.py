"""The version tables as SQLite keeps them, and the guard that stops a script on the wrong version.

Temporal itself records no version in SQLite files; the toolkit does, in the same tables and shape as on the other SQL
engines. This module writes statements and never runs them.
"""

from __future__ import annotations

from toolkit.definition import Definition
from toolkit.engines import version_tables
from toolkit.engines.sqlite.render import NOW, TIME_FORM, check, literal
from toolkit.engines.version_tables import MIN_COMPATIBLE
from toolkit.plan import Observed, Sql, Step

TABLES = version_tables.TABLES
# One file may hold Temporal's main store too, so the row has a name that says which of the two it is about.
DB_NAME = "temporal_visibility"
# The clock has milliseconds and a script may record several versions in one of them, but the history's key is time.
_LATER = f"SELECT strftime('{TIME_FORM}', max(update_time), '+0.001 seconds') FROM schema_update_history"
_ROW = f"version_partition = 0 AND db_name = {literal(DB_NAME)}"
RECORDED = f"SELECT curr_version FROM schema_version WHERE {_ROW}"


def record_steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
    """The last steps of every plan: say which version the file now has, to Temporal's tool and to Alembic."""
    return version_tables.record_steps(observed, wanted, "TIMESTAMP", _record)


def _record(old: str | None, new: str, summary: str) -> tuple[Sql, ...]:
    return (
        Sql(
            "INSERT INTO schema_version\n"
            "  (version_partition, db_name, creation_time, curr_version, min_compatible_version)\n"
            f"VALUES (0, {literal(DB_NAME)}, {NOW}, {literal(new)}, {literal(MIN_COMPATIBLE)})\n"
            "ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,\n"
            "  curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version"
        ),
        Sql(
            "INSERT INTO schema_update_history\n"
            "  (version_partition, year, month, update_time, description, manifest_md5, new_version, old_version)\n"
            f"SELECT 0, CAST(strftime('%Y', t) AS INT), CAST(strftime('%m', t) AS INT), t, {literal(summary)}, '', "
            f"{literal(new)}, {literal(old or '0')}\nFROM (SELECT max({NOW}, coalesce(({_LATER}), '')) AS t)"
        ),
    )


def forget() -> Sql:
    """Take the visibility schema out of `schema_version`; the history stays."""
    return Sql(f"DELETE FROM schema_version WHERE {_ROW}")


def guard(before: str | None, after: str, table: str) -> tuple[Sql, ...]:
    """Statements that stop a script unless the file records `before`; None: it has no `table` yet, or records `after`.

    A script is one transaction, so a file is never half-way; only an install may be repeated. A file made by Temporal
    records nothing, so an install looks for the table too.
    """
    if before is None:
        absent = f"NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = {literal(table)})"
        fits = f"coalesce(({RECORDED}), '') = {literal(after)} OR (({RECORDED}) IS NULL AND {absent})"
        problem = f"this script needs a file without a table {table}; see SELECT * FROM schema_version"
    else:
        fits = f"coalesce(({RECORDED}), '') = {literal(before)}"
        problem = f"this script needs visibility schema version {before}; see SELECT * FROM schema_version"
    return (*version_tables.create_tables("TIMESTAMP"), *check(problem, fits))
