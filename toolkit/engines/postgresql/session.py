"""Settings that every session of ours has, whatever database, role or URL prefer; none of them changes what is stored.

Pure: names and values; `client` and the script for psql say them to the server.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.engines.postgresql.render import literal

PINNED: Mapping[str, str] = {
    # A swap refreshes under its lock what was committed while it waited for it, and a load changes what others changed.
    "default_transaction_isolation": "read committed",
}


def pinned() -> tuple[str, ...]:
    """A statement for each setting."""
    return tuple(f"SET {name} = {literal(value)}" for name, value in PINNED.items())
