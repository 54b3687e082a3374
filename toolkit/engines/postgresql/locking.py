"""The locks of steps, and how those of a rebuild are waited for, so that no reader and no writer queues behind them.

Pure text; who takes them, and when, is the steps' business.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.postgresql.names import WEAK_LOCK_SECONDS
from toolkit.engines.postgresql.render import identifier, literal
from toolkit.plan import Lock, Sql

EXCLUSIVE = Lock("ACCESS EXCLUSIVE", "reads and writes")
SHARE_UPDATE = Lock("SHARE UPDATE EXCLUSIVE", "nobody")
_PATIENT = f"PERFORM set_config('lock_timeout', '{WEAK_LOCK_SECONDS * 1000:.0f}ms', true)"
_AS_BEFORE = "PERFORM set_config('lock_timeout', before, true)"


def aside(live: str, condition: str = "", statements: Sequence[str] = ()) -> Sql:
    """`statements` on the live table (none: those of the same transaction that follow) once an autovacuum has stepped
    aside: it does so only for who waits longer than `deadlock_timeout`, and the weak lock may be waited for, because
    neither reads nor writes queue behind it. With a `condition`: only then."""
    lines = (_PATIENT, _weak(identifier(live)).text, _AS_BEFORE, *statements)
    inner = ";\n    ".join(lines)
    return _timed(f"IF {condition} THEN\n    {inner};\n  END IF" if condition else ";\n  ".join(lines))


def calm(*tables: str) -> Sql:
    """As `aside`, for tables of ours that are to go, if they are there: before a lock that writers queue behind."""
    lock = (f"IF to_regclass({literal(name)}) IS NOT NULL THEN\n    {_weak(name).text};\n  END IF" for name in tables)
    return _timed(";\n  ".join((_PATIENT, *lock, _AS_BEFORE)))


def _timed(body: str) -> Sql:
    return Sql(f"DO $do$\nDECLARE\n  before TEXT := current_setting('lock_timeout');\nBEGIN\n  {body};\nEND\n$do$")


def locks(live: str, coming: str) -> tuple[Sql, Sql]:
    """First one that blocks neither reads nor writes and makes autovacuums step aside, also that of the table which
    takes the live one's name; then the exclusive one."""
    return (
        _weak(identifier(live), coming),
        Sql(f"LOCK TABLE {identifier(live)} IN ACCESS EXCLUSIVE MODE", part="lock"),
    )


def _weak(*tables: str) -> Sql:
    return Sql(f"LOCK TABLE {', '.join(tables)} IN SHARE UPDATE EXCLUSIVE MODE", part="weak lock")
