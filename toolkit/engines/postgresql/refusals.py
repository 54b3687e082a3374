"""What PostgreSQL's errors mean to the user: SQLSTATE → code, words and what to do next.

A table and one look-up; nothing here asks the server.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from toolkit.errors import ConnectionFailed, EngineError
from toolkit.targets import Target

# SQLSTATE → code, what happened, what to do next.
_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "53100": (
        "TV5203",
        "the server's disk is full",
        "The live table is untouched. Make room and run the same command again, or take the copy away with "
        "`schema rollback`.",
    ),
    "42501": (
        "TV5201",
        "this role lacks a right",
        "The owner of what is named, or a member of that role, must run this. To look, SELECT on all tables of the "
        "store's schema is enough.",
    ),
    "25006": (
        "TV5207",
        "this server takes no writes: a standby, or a read-only database",
        "Use the URL of the primary.",
    ),
    "53200": ("TV5208", "the server is out of memory", "Run the same command again when it has recovered."),
}
# What depends on it is in the detail alone.
_DEPENDED_ON = "2BP01"
_LOST = frozenset({"57P01", "57P02", "57P03", "08006", "08003", "08001"})


def coded(error: psycopg.Error, target: Target, broken: bool) -> EngineError:
    """The user's error for `error`, without secrets. `broken`: the connection is gone."""
    text = target.redact(error.diag.message_primary or str(error)).strip()
    hint = target.redact(error.diag.message_hint or "")
    state = error.sqlstate or ""
    if state == _DEPENDED_ON:
        text = f"{text}: {target.redact(error.diag.message_detail or '')}"
    if isinstance(error, psycopg.OperationalError) and (broken or state in _LOST):
        again = "Run the same command again: it goes on where this one stopped."
        return ConnectionFailed("TV4002", f"lost the connection to {target.shown}: {text}", again)
    if state in _KNOWN:
        code, what, next_ = _KNOWN[state]
        return EngineError(code, f"{target.shown}: {what}: {text}", next_)
    return EngineError("TV4003", f"{target.shown} refused: {text}", hint)
