"""What an engine offers to tell drift from an operator's own objects, and what it knows that no catalog tells.

Values and protocols only; how a finding is worded and repaired is `toolkit.drift`'s part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.errors import TargetError
from toolkit.overlay import Overlay
from toolkit.plan import Observed, Step


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a live store that its catalog does not tell; `steps` repair it, () when nothing here can.
    `first`: before anything else is repaired."""

    code: str
    path: Path
    message: str
    steps: tuple[Step, ...] = ()
    hint: str = ""
    first: bool = False


class Drifting(Protocol):
    """The functions of an engine's `drift` module; all are pure."""

    def is_extra(self, path: Path, observed: Observed) -> bool:
        """Whether an object that no version has stands inside ours, and so changes it; else it stands beside."""
        ...

    def rename(self, path: Path, facts: Json, name: str, overlay: Overlay) -> Step | None:
        """The step that gives the object at `path` its right name, keeping what is in it; None: it is made anew."""
        ...

    def faults(self, observed: Observed, wanted: Definition, overlay: Overlay) -> tuple[Fault, ...]:
        """What is wrong besides the catalog. `observed.traits` has what `Examining.examine` found."""
        ...


@runtime_checkable
class Examining(Protocol):
    """A client that can look closer than `observe` does."""

    def examine(self) -> Mapping[str, Json]:
        """Facts for `Drifting.faults`, to be added to `Observed.traits`; it changes nothing."""
        ...


def _postgresql() -> Drifting:
    from toolkit.engines.postgresql import drift

    return drift


def _mysql() -> Drifting:
    from toolkit.engines.mysql import drift

    return drift


def _sqlite() -> Drifting:
    from toolkit.engines.sqlite import drift

    return drift


def _elasticsearch() -> Drifting:
    from toolkit.engines.elasticsearch import drift

    return drift


def _clickhouse() -> Drifting:
    from toolkit.engines.clickhouse import drift

    return drift


DRIFTING: Mapping[str, Callable[[], Drifting]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def drifting(name: str) -> Drifting:
    """The drift module of the engine called `name`. Raises TargetError."""
    if name not in DRIFTING:
        raise TargetError("TV3001", f"there is no engine {name[:60]!r}", f"Engines: {', '.join(DRIFTING)}.")
    return DRIFTING[name]()
