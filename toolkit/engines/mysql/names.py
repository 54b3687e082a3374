"""Names of the tool's own objects in a MySQL database; catalogs ignore whatever begins with the prefix.

MySQL's names of triggers belong to the database, so each has its table's name in it.
"""

from __future__ import annotations

PREFIX = "temporal_visibility_"
# The step of a rollback that swaps.
STEP_BACK = "rebuild.back"
EVENTS = ("insert", "update", "delete")


def shadow(table: str) -> str:
    """The copy of `table` that is being filled."""
    return f"{PREFIX}shadow_{table}"


def old(table: str) -> str:
    """What was `table` before the swap."""
    return f"{PREFIX}old_{table}"


def log(table: str) -> str:
    """Keys of rows of `table` that changed before the swap."""
    return f"{PREFIX}log_{table}"


def back(table: str) -> str:
    """Keys of rows of `table` that changed since the swap."""
    return f"{PREFIX}back_{table}"


def trigger(log_table: str, event: str) -> str:
    """The trigger that writes into `log_table` after `event`."""
    return f"{log_table}_{event}"
