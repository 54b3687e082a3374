"""Plan: the ordered Steps that make an observed store what is wanted, bound to the fingerprint it was made on.

Steps are plain values: the dry run, the explanation, the offline script and the run all read the same list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from toolkit.catalog import Absent, Catalog, Json, Path, at


class StepClass(Enum):
    """`metadata`: instant. `online`: long, blocks nobody. `rebuild`: copies or rewrites. `breaking`: loses data."""

    METADATA = "metadata"
    ONLINE = "online"
    REBUILD = "rebuild"
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True)
class Lock:
    """What a step holds while it runs: the engine's own word for it, and whom that keeps waiting. `brief`: not longer
    the more rows there are."""

    name: str
    blocks: str
    brief: bool = False

    @property
    def waits(self) -> bool:
        """Whether it keeps anybody waiting."""
        return not self.blocks.startswith("nobody")


NO_LOCK = Lock("none", "nobody")


@dataclass(frozen=True, slots=True)
class Sql:
    """One SQL statement without its closing semicolon. `autocommit`: it cannot run inside a transaction. `part`: what
    it is for in a step that runs some of its statements again and again; such a statement may have `%(name)s` in it."""

    text: str
    autocommit: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a search engine; `path` begins with '/' and is already encoded. `part`: as of `Sql`; then
    texts in path and body may have `%(name)s` in them."""

    method: str
    path: str
    body: Json = None
    part: str = ""


Statement = Sql | Request


@dataclass(frozen=True, slots=True)
class Expect:
    """A fact that can be observed: the value at `path` of a store's view equals `wanted` (ABSENT: nothing is there)."""

    path: Path
    wanted: Json | Absent

    def holds(self, view: Json) -> bool:
        """Whether it is so in `view`, as `Observed.view()` gives it."""
        found = at(view, self.path)
        if isinstance(found, Absent) or isinstance(self.wanted, Absent):
            return found is self.wanted
        return found == self.wanted

    def unlike(self, view: Json) -> tuple[str, ...]:
        """The places in `view` where it is not so, in words; () when it holds."""
        found = at(view, self.path)
        if isinstance(found, Absent) or isinstance(self.wanted, Absent):
            return () if found is self.wanted else ("/".join(self.path),)
        return tuple(_unlike(self.path, found, self.wanted))


def _unlike(path: Path, found: Json, wanted: Json) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys()):
            if name in found and name in wanted:
                yield from _unlike((*path, name), found[name], wanted[name])
            else:
                yield "/".join((*path, name))
    elif found != wanted:
        yield "/".join(path)


class Mode(Enum):
    """How a step runs. `once`: its statements in order. `parallel`: in any order, several at a time. `copy`,
    `compare`: chunk by chunk along the key. `replay`: until few recorded keys are left. `swap`: replay, then one
    short exclusive transaction, given up and tried again when the store is busy."""

    ONCE = "once"
    PARALLEL = "parallel"
    COPY = "copy"
    REPLAY = "replay"
    COMPARE = "compare"
    SWAP = "swap"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step will take, as far as it was measured on the store (None: unknown): rows to read, bytes on disk that
    it needs besides those in use before it, seconds. `left`: bytes of `disk` still in use when it has ended; `basis`:
    what these numbers rest on, in words."""

    rows: int | None = None
    disk: int | None = None
    seconds: float | None = None
    left: int | None = None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One physical action on one engine. `done` tells how to observe that nothing is left to do; `needs`: what must be
    so right before it, else the store was changed by somebody else; `objects` names the columns, indexes or fields it
    makes or removes, where the title only counts them."""

    id: str
    title: str
    reason: str
    step_class: StepClass
    lock: Lock
    statements: tuple[Statement, ...]
    reverse: tuple[Statement, ...]
    done: tuple[Expect, ...]
    objects: tuple[str, ...] = ()
    mode: Mode = Mode.ONCE
    needs: tuple[Expect, ...] = ()
    estimate: Estimate | None = None

    def is_done(self, view: Json) -> bool:
        """Whether `view` shows the effect of this step already."""
        return bool(self.done) and all(expectation.holds(view) for expectation in self.done)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a live store was seen to be. `recorded`: the label it claims to have; `server`: product and version;
    `rows`: number of records, exact or estimated by the engine, None when unknown; `marks`: what other tools recorded
    here ("alembic" → revision, "clickhouse-migrations" → number); `traits`: what the engine's planner must know about
    the live tables besides the schema (owner, grants, what depends on them)."""

    catalog: Catalog
    recorded: str | None
    server: str
    rows: int | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, Json] = field(default_factory=dict)

    def view(self) -> Json:
        """The tree that `Expect.path` leads through."""
        return {"recorded": self.recorded, "marks": dict(self.marks), "catalog": dict(self.catalog.body),
                "traits": dict(self.traits)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What `upgrade` would do to one store. `base`: the fingerprint of the catalog it was made on; `foreign`: objects
    that no published version has, which stay as they are. `abandon`: the way back while steps are left; `rollback`:
    the way back once all are done, open until `finish`, which drops what was kept for it. Any of them may be empty."""

    engine: str
    found: tuple[str, ...]
    recorded: str | None
    wanted: str
    base: str
    goal: str
    steps: tuple[Step, ...]
    foreign: tuple[Path, ...] = ()
    rollback: tuple[Step, ...] = ()
    abandon: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether old data stays in the store after the run, until `finish`."""
        return bool(self.finish)

    @property
    def step_class(self) -> StepClass | None:
        """The heaviest class among the steps; None when there is nothing to do."""
        order = list(StepClass)
        return max((s.step_class for s in self.steps), key=order.index, default=None)


def foreign_objects(observed: Catalog, known: tuple[Catalog, ...]) -> tuple[Path, ...]:
    """Paths of objects that the store has and no known catalog has: an operator's own, never to be dropped."""
    found: list[Path] = []
    _foreign(dict(observed.body), [dict(c.body) for c in known], (), found)
    return tuple(sorted(found))


def _foreign(tree: dict[str, Json], known: list[dict[str, Json]], path: Path, found: list[Path]) -> None:
    """Go down through maps of objects only: inside a known object (a column, an index) nothing is foreign."""
    for name, value in tree.items():
        others = [other[name] for other in known if name in other]
        inner = [o for o in others if isinstance(o, dict)]
        if not others:
            found.append((*path, name))
        elif isinstance(value, dict) and any(dict in map(type, o.values()) for o in inner):
            _foreign(value, inner, (*path, name), found)
