"""What every engine offers, and the engines there are, written out by hand.

An engine is a package whose `__init__` has the functions of `Engine`; nothing here knows what any of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.attributes import Family
from toolkit.catalog import Catalog
from toolkit.definition import Definition
from toolkit.engines.online import Coordinated
from toolkit.errors import TargetError, VersionError
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step

if TYPE_CHECKING:
    # Commands that are asked every minute begin without them.
    from toolkit.diff import Change
    from toolkit.records import Record, Write
    from toolkit.targets import Target


class Client(Coordinated, Protocol):
    """An open connection to one store. Expected failures are raised as EngineError, without secrets."""

    def observe(self) -> Observed:
        """What the store is now, read from the engine's own catalog."""
        ...

    def execute(self, step: Step) -> None:
        """Run the statements of one step; each may be repeated after a crash."""
        ...

    def write(self, definition: Definition, writes: Iterable[Write]) -> Iterator[int]:
        """Apply writes in order through the engine's bulk path, yielding how many were taken so far."""
        ...

    def read(self, definition: Definition) -> Iterator[Record]:
        """Every live record, in no particular order, with the fields and attributes of `definition`."""
        ...

    def count(self) -> int:
        """The exact number of live records."""
        ...

    def ask(self, statement: Any) -> Sequence[Mapping[str, Any]]:
        """The answer to a statement of this engine's filters; see `toolkit.engines.filtering`."""
        ...

    def close(self) -> None:
        """Give the connection back; never fails."""
        ...


class Engine(Protocol):
    """The functions of an engine's package. All but `connect` are pure."""

    @property
    def NAME(self) -> str: ...

    @property
    def FAMILY(self) -> Family: ...

    def supports(self, definition: Definition) -> bool:
        """Whether this engine has this version at all."""
        ...

    def label(self, definition: Definition) -> str:
        """What a store of this engine records as its version."""
        ...

    def catalog(self, definition: Definition, overlay: Overlay = NO_OVERLAY) -> Catalog:
        """The catalog that a store at this version has; DefinitionError when the engine cannot hold it."""
        ...

    def empty(self) -> Catalog:
        """The catalog of a store without any of our objects."""
        ...

    def steps(self, observed: Observed, wanted: Definition, overlay: Overlay = NO_OVERLAY) -> tuple[Step, ...]:
        """The steps from what was observed (foreign objects taken away) to `wanted`; () when nothing is to be done."""
        ...

    def objects(self, change: Change) -> tuple[str, ...]:
        """Names of the physical objects that a logical change touches, to say why a step is there."""
        ...

    def artefacts(self, chain: Sequence[Definition]) -> Mapping[str, str]:
        """The files generated for this engine: path below `schema/` → content."""
        ...

    def script(self, plan: Plan, observed: Observed, goal: Catalog, overlay: Overlay = NO_OVERLAY) -> str:
        """`plan`, made the plain way on `observed`, as a script for the engine's own command-line client."""
        ...

    def connect(self, target: Target) -> Client:
        """Open a connection. Raises ConnectionFailed or TargetError."""
        ...


def _postgresql() -> Engine:
    from toolkit.engines import postgresql

    return postgresql


def _mysql() -> Engine:
    from toolkit.engines import mysql

    return mysql


def _sqlite() -> Engine:
    from toolkit.engines import sqlite

    return sqlite


def _elasticsearch() -> Engine:
    from toolkit.engines import elasticsearch

    return elasticsearch


def _clickhouse() -> Engine:
    from toolkit.engines import clickhouse

    return clickhouse


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "elasticsearch": _elasticsearch,
    "clickhouse": _clickhouse,
}


def engine(name: str) -> Engine:
    """The engine called `name`. Raises TargetError."""
    if name not in ENGINES:
        raise TargetError("TV3001", f"there is no engine {name[:60]!r}", f"Engines: {', '.join(ENGINES)}.")
    return ENGINES[name]()


def refuse_unsupported(chosen: Engine, *versions: Definition) -> None:
    """Raise VersionError for the first of `versions` that the engine does not have."""
    for definition in versions:
        if not chosen.supports(definition):
            message = f"{chosen.NAME} has no version {definition.version}"
            raise VersionError("TV2005", message, "See `schema versions`.")
