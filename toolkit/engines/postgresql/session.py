"""Settings that every session of ours has, whatever database, role or URL prefer; none of them changes what is stored.

Pure: names and values; `client` and the script for psql say them to the server.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engines.postgresql.render import literal

PINNED: Mapping[str, str] = {
    # A swap refreshes under its lock what was committed while it waited for it, and a load changes what others changed.
    "default_transaction_isolation": "read committed",
    # A database without an encoding (SQL_ASCII) would answer in bytes.
    "client_encoding": "UTF8",
    # How the server writes expressions and values, which are compared with what is wanted, and how it reads them.
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
}

# Only the current schema on the path: whatever is asked for is there or nowhere, and the server writes the names in
# expressions unqualified. To be put behind SELECT, or behind PERFORM in a block.
ALONE = "set_config('search_path', quote_ident(current_schema()), false)"
# To be asked before: where new objects would be, and where a table is found.
PLACED = """
SELECT current_schema() AS here, current_setting('search_path') AS path, current_user AS me,
       (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass({table})) AS there
"""
# Which session of the server answers. A pooler has told the client another number.
NUMBER = "SELECT pg_backend_pid() AS pid"
# Limits that are meant for queries; which of them there are depends on the server's version.
_LIMITS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)


def pinned() -> tuple[str, ...]:
    """A statement for each setting."""
    return tuple(f"SET {name} = {literal(value)}" for name, value in PINNED.items())


def misplaced(row: Mapping[str, str | None]) -> tuple[str, str] | None:
    """What is wrong with an answer to `PLACED` and what to do about it, in words; None when nothing is."""
    here, there, path = row["here"], row["there"], row["path"]
    say = "Say which one in the URL: ?options=-csearch_path%3DNAME"
    if here is None:
        return f"no schema of the search_path ({path}) is there, or role {row['me']} may not use it", (
            f"{say}, or GRANT USAGE ON SCHEMA … TO {row['me']}."
        )
    if there is not None and there != here:
        return f"the search_path ({path}) finds the table in schema {there}, and new ones would be in {here}", f"{say}."
    return None


def unlimited() -> str:
    """What takes all time limits away, to be put behind SELECT, or behind PERFORM in a block."""
    names = ", ".join(literal(name) for name in _LIMITS)
    return f"set_config(name, '0', false) FROM pg_settings WHERE name IN ({names})"
