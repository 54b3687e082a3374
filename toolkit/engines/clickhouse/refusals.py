"""What ClickHouse's errors mean to the user: a word in the text → code, what happened, what to do next.

A table and one look-up; nothing here asks the server.
"""

from __future__ import annotations

from collections.abc import Mapping

from clickhouse_connect.driver.exceptions import OperationalError

from toolkit.engines.clickhouse.connection import shortened
from toolkit.errors import ConnectionFailed, EngineError
from toolkit.targets import Target

_DISK = (
    "TV5203",
    "the server's disk is full",
    "Make room and run the same command again, or take the copy away with `schema rollback`. Inserts fail, too, as "
    "long as there is none.",
)
_ENDED = (
    "TV4003",
    "somebody ended the statement",
    "Nothing is lost: the same command goes on from here.",
)
# What stands in the text → code, what happened, what to do next.
_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "NOT_ENOUGH_SPACE": _DISK,
    "No space left": _DISK,
    "errno: 28": _DISK,
    "QUERY_WAS_CANCELLED": _ENDED,
}


def coded(error: Exception, target: Target) -> EngineError:
    """The user's error for `error`, without secrets."""
    text = shortened(target, error)
    if isinstance(error, OperationalError | OSError) and "Code:" not in text:
        again = "Run the same command again: it goes on where this one stopped."
        return ConnectionFailed("TV4002", f"lost the connection to {target.shown}: {text}", again)
    for sign, (code, what, hint) in _KNOWN.items():
        if sign in text:
            return EngineError(code, f"{target.shown}: {what}: {text}", hint)
    return EngineError("TV4003", f"{target.shown} refused: {text}")
