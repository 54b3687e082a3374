"""Throwaway stores: an empty database, index or file beside a target, for proofs; which engine makes which, by hand.

An engine's `scratch` module makes them, tells their size and removes them; nothing here knows how.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from toolkit.errors import EngineError, TargetError
from toolkit.plan import NO_LOCK, Sql, Step, StepClass
from toolkit.targets import Target


class Scratch(Protocol):
    """An empty store of one's own."""

    @property
    def target(self) -> Target:
        """Its address."""
        ...

    def size(self) -> int | None:
        """Bytes it takes on disk now, also what is only kept for a while; None when the engine does not tell."""
        ...

    def claim(self, label: str | None) -> None:
        """Make the store say that it is at `label`, whatever it is; None: it says nothing. As published routes do."""
        ...

    def load(self, dump: Path) -> None:
        """Make it what a dump says. Raises UsageError (no such dump) or EngineError (the store refuses it)."""
        ...

    def drop(self) -> None:
        """Remove it with all that is in it; never fails."""
        ...


# Makes the store `name` on the server, or in the directory, of a target. Raises EngineError or ConnectionFailed.
Make = Callable[[Target, str], Scratch]


def _postgresql() -> Make:
    from toolkit.engines.postgresql import scratch

    return scratch.make


def _mysql() -> Make:
    from toolkit.engines.mysql import scratch

    return scratch.make


def _sqlite() -> Make:
    from toolkit.engines.sqlite import scratch

    return scratch.make


def _elasticsearch() -> Make:
    from toolkit.engines.elasticsearch import scratch

    return scratch.make


def _clickhouse() -> Make:
    from toolkit.engines.clickhouse import scratch

    return scratch.make


SCRATCHES: dict[str, Callable[[], Make]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def make(target: Target, name: str) -> Scratch:
    """An empty store called `name` beside `target`. Raises TargetError, EngineError or ConnectionFailed."""
    if target.engine not in SCRATCHES:
        raise TargetError("TV3001", f"there is no engine {target.engine!r}", f"Engines: {', '.join(SCRATCHES)}.")
    return SCRATCHES[target.engine]()(target, name)


def statement(text: str) -> Step:
    """One statement outside any plan, for a store that is no user's."""
    return Step("scratch", "Throwaway store", "", StepClass.METADATA, NO_LOCK, (Sql(text, autocommit=True),), (), ())


def refused(error: EngineError, rights: str) -> EngineError:
    """The error of a store that may not be made: what it lacks."""
    return EngineError("TV8207", f"no throwaway store: {error.message}", f"{rights} Or name another server.")


def claim_statement(literal: Callable[[str], str], label: str | None) -> str:
    """What makes a SQL store claim to be at `label`; `literal` is the engine's own quoting."""
    if label is None:
        return "DELETE FROM schema_version"
    return f"UPDATE schema_version SET curr_version = {literal(label)}"
