"""The tables of what engines hold and what a change of type does to it, by the name of the engine, written out by hand.

Nothing here knows what any table says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from toolkit import compat_stores
from toolkit.attributes import AttributeType
from toolkit.compat import Changes, Holdings, Verdict
from toolkit.compat_stores import Side
from toolkit.engines.filtering import filters
from toolkit.errors import TargetError


class Compatibility(Protocol):
    """What an engine's `compat` module has."""

    @property
    def DIALECT(self) -> str | None:
        """The sqlglot dialect that its physical types are written in; None when they are no SQL."""
        ...

    @property
    def CHANGES(self) -> Changes:
        """What becomes of stored values, for every old and every new type."""
        ...

    @property
    def HOLDS(self) -> Holdings:
        """What a column or field of each type keeps."""
        ...


def _postgresql() -> Compatibility:
    from toolkit.engines.postgresql import compat

    return compat


def _mysql() -> Compatibility:
    from toolkit.engines.mysql import compat

    return compat


def _sqlite() -> Compatibility:
    from toolkit.engines.sqlite import compat

    return compat


def _elasticsearch() -> Compatibility:
    from toolkit.engines.elasticsearch import compat

    return compat


def _clickhouse() -> Compatibility:
    from toolkit.engines.clickhouse import compat

    return compat


COMPATIBILITY: Mapping[str, Callable[[], Compatibility]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def compatibility(name: str) -> Compatibility:
    """The tables of the engine called `name`. Raises TargetError."""
    if name not in COMPATIBILITY:
        known = ", ".join(COMPATIBILITY)
        raise TargetError("TV3001", f"there are no tables for engine {name[:60]!r}", f"Engines: {known}.")
    return COMPATIBILITY[name]()


def changes(name: str) -> Changes:
    """The table of type changes of the engine called `name`. Raises TargetError."""
    return compatibility(name).CHANGES


def move(before: str, after: str, kind: AttributeType) -> tuple[Verdict, ...]:
    """What becomes of values of type `kind`, and of filters on them, on the way from one engine to another; never
    empty. Raises TargetError.
    """
    sides = (Side(compatibility(name).HOLDS[kind], filters(name).SEMANTICS) for name in (before, after))
    return compat_stores.move(kind, *sides)
