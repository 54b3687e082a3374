"""One execution on its way: started, changed, closed, deleted, each time as the write that Temporal would make.

A Run is the only thing that changes here; what comes next is decided by chance and by what the run is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from toolkit.records import AttributeValue, Deletion, Record, Write

RUNNING, COMPLETED, PAUSED = 1, 2, 8
# Most executions complete; the others end in every way there is.
_ENDINGS = (COMPLETED,) * 22 + (3, 3, 4, 5, 6, 6, 7)
_SECOND = 1_000_000_000


@dataclass(slots=True)
class Run:
    """`left`: upserts still to come; `doomed`: closed and then deleted; `lasting`: still open when all is written."""

    number: int
    namespace_id: str
    run_id: str
    workflow_id: str
    workflow_type: str
    task_queue: str
    start: int
    execution: int
    memo: bytes | None
    encoding: str
    parent_workflow_id: str | None
    parent_run_id: str | None
    root_workflow_id: str
    root_run_id: str
    left: int
    doomed: bool
    lasting: bool
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    started: bool = False
    closed: bool = False


class Source(Protocol):
    """Where new attribute values come from."""

    def changed(self, run: Run) -> Mapping[str, AttributeValue]:
        """The attributes of `run` with some of them set anew."""
        ...


def advance(run: Run, now: int, version: int, source: Source, random: Random) -> tuple[Write, int | None]:
    """The next write of `run`, at the time `now`, and when it wants to go on; None when that was its last."""
    if run.closed:
        return Deletion(run.namespace_id, run.run_id, run.workflow_id, version, run.start), None
    if not run.started:
        run.started = True
        return _record(run, RUNNING, version), _next(run, now, random)
    if run.left:
        run.left -= 1
        run.attributes = source.changed(run)
        status = PAUSED if random.random() < 0.02 else RUNNING
        return _record(run, status, version), _next(run, now, random)
    run.closed = True
    status = _ENDINGS[int(random.random() * len(_ENDINGS))]
    return _closed(run, status, now, version, random), _later(now, random, 3600) if run.doomed else None


def _next(run: Run, now: int, random: Random) -> int | None:
    return None if run.lasting and not run.left else _later(now, random, 40)


def _later(now: int, random: Random, seconds: int) -> int:
    """Mostly soon, sometimes much later; whole microseconds, but for some with nanoseconds."""
    chance = random.random()
    step = int(chance * chance * chance * seconds * 1_000_000) * 1000 + 1000
    return now - now % 1000 + step + (int(random.random() * 1000) if random.random() < 0.02 else 0)


def _record(run: Run, status: int, version: int) -> Record:
    return Record(
        run.namespace_id,
        run.run_id,
        run.workflow_id,
        run.workflow_type,
        run.start,
        run.execution,
        status,
        run.task_queue,
        None,
        None,
        None,
        None,
        None,
        run.memo,
        run.encoding,
        run.parent_workflow_id,
        run.parent_run_id,
        run.root_workflow_id,
        run.root_run_id,
        version,
        run.attributes,
    )


def _closed(run: Run, status: int, now: int, version: int, random: Random) -> Record:
    events = 3 + int(random.random() ** 4 * 2000)
    # An execution that was still to begin when it was closed has lasted no time at all.
    duration = max(0, now - run.execution)
    return Record(
        run.namespace_id,
        run.run_id,
        run.workflow_id,
        run.workflow_type,
        run.start,
        run.execution,
        status,
        run.task_queue,
        now,
        events,
        events * (80 + run.number % 97),
        duration,
        events // 3 if run.number % 11 else 0,
        run.memo,
        run.encoding,
        run.parent_workflow_id,
        run.parent_run_id,
        run.root_workflow_id,
        run.root_run_id,
        version,
        run.attributes,
    )
