"""What a step will take, from what was measured on the store: sizes out of its own catalog, and a short look at rows.

Values and one rule for all engines; measuring is `engines/<engine>/measure`'s part. Whatever is not known stays None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, assert_never, runtime_checkable

from toolkit.plan import Estimate, Mode, Plan, Request, Sql, Step, StepClass

# A look at rows takes as many as this, and is given up after as many seconds.
SAMPLE_ROWS = 2000
SAMPLE_SECONDS = 2.0
# A statement that makes an index says so with this word before the name.
_BUILDS = re.compile(r"\b(?:CREATE|ADD|MATERIALIZE)(?: UNIQUE| FULLTEXT)? INDEX\b")


@dataclass(frozen=True, slots=True)
class Table:
    """How large one table is: records, bytes of its rows, bytes of each index (by name, where the store tells)."""

    rows: int | None = None
    data: int | None = None
    indexes: Mapping[str, int] = field(default_factory=dict)
    index_bytes: int | None = None

    def index_size(self, name: str) -> int | None:
        """What an index takes, or what one that is not there yet will take: as much as the others do on average."""
        if name in self.indexes:
            return self.indexes[name]
        if self.indexes:
            return sum(self.indexes.values()) // len(self.indexes)
        return None


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds one row takes to be read, to be copied to another table, and to get into one index there."""

    read: float
    copy: float
    index: float


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured on a store; `trip`: seconds of one question and its answer."""

    tables: Mapping[str, Table]
    pace: Pace | None
    trip: float
    basis: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a step does to all rows of a table: how often it reads and copies them, and the indexes it builds, by name.
    `frees`: when it ends, what it replaced is gone; `at_once`: how many of the indexes are built at a time."""

    table: str
    reads: float = 0.0
    copies: float = 0.0
    indexes: tuple[str, ...] = ()
    frees: bool = False
    at_once: int = 1


@runtime_checkable
class Measuring(Protocol):
    """A client that can say beforehand what the steps of a plan will take."""

    def measure(self, plan: Plan) -> Mapping[str, Estimate]:
        """Step id → what it will take. It changes nothing, and takes seconds at most."""
        ...


def estimates(plan: Plan, measures: Measures, work: Callable[[Step], Work | None]) -> dict[str, Estimate]:
    """What each step of `plan` will take; `work` says what a step does to a table, None that nobody knows."""
    return {step.id: _estimate(step, measures, work) for step in plan.steps}


def built(step: Step) -> tuple[str, ...]:
    """Names for the indexes that a step builds; made up where `objects` does not name as many."""
    number = sum(len(_BUILDS.findall(s.text)) for s in step.statements if isinstance(s, Sql))
    names = step.objects[-number:] if number else ()
    return (*names, *(f"index {n}" for n in range(number - len(names))))


def _estimate(step: Step, measures: Measures, work: Callable[[Step], Work | None]) -> Estimate:
    match step.mode:
        case Mode.REPLAY:
            return Estimate(basis="it depends on how much is written meanwhile")
        case Mode.SWAP:
            return _moment(step, measures)
        case Mode.ONCE if step.step_class is StepClass.METADATA:
            return _moment(step, measures)
        case Mode.ONCE | Mode.PARALLEL | Mode.COPY | Mode.COMPARE:
            known = work(step)
            return Estimate() if known is None else _of_rows(known, measures)
        case _:
            assert_never(step.mode)


def _moment(step: Step, measures: Measures) -> Estimate:
    """No row is touched; every statement is one question and its answer, and a swap sends its renames as one."""
    number = sum(isinstance(s, Request) or s.part != "swap" for s in step.statements)
    return Estimate(0, 0, measures.trip * (number + 2), 0, "one round trip a statement")


def _of_rows(work: Work, measures: Measures) -> Estimate:
    table = measures.tables.get(work.table, Table())
    disk = _disk(work, table)
    old = None if table.data is None or table.index_bytes is None else table.data + table.index_bytes
    left = disk
    if work.frees and disk is not None:
        left = None if old is None else max(0, disk - old)
    pace, seconds = measures.pace, None
    if pace is not None and table.rows is not None:
        a_row = work.reads * pace.read + work.copies * pace.copy + len(work.indexes) / work.at_once * pace.index
        seconds = table.rows * a_row + measures.trip
    return Estimate(table.rows, disk, seconds, left, measures.basis)


def _disk(work: Work, table: Table) -> int | None:
    """Copied rows, and indexes; None when one of them is unknown."""
    parts: list[int | None] = [table.index_size(name) for name in work.indexes]
    if work.copies:
        parts.append(None if table.data is None else round(table.data * work.copies))
    if table.rows == 0:
        return 0
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
