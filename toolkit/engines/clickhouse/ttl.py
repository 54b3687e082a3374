"""What a time to live does to rows: when one may go by itself, and whether rows are made of others.

Pure; it reads the server's own spelling of a TTL clause.
"""

from __future__ import annotations

from toolkit.engines.clickhouse import clauses

_GROUP, _WHERE = "GROUP", "WHERE"
# What is done instead of deleting; the row itself stays as it is.
_KEEPING = ("TO", "RECOMPRESS")


def conditions(ttl: str) -> tuple[str, ...]:
    """When a row may be gone, an expression for each element of the clause `ttl` that deletes; () for ""."""
    return tuple(
        _condition(parts[""], parts.get(_WHERE, ""))
        for parts in (clauses.parts(element, (_WHERE, *_KEEPING)) for element in clauses.split(ttl))
        if not any(word in parts for word in _KEEPING)
    )


def _condition(expression: str, where: str) -> str:
    """After its time, as far as the condition holds."""
    return f"{expression} <= now() AND ({where})" if where else f"{expression} <= now()"


def groups(ttl: str) -> bool:
    """Whether the clause makes one row of several: what a table has then depends on when its parts were merged."""
    return _GROUP in clauses.parts(ttl, (_GROUP,))
