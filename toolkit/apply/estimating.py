"""Puts into a plan what its steps will take on this store: measured now, or as an earlier run of the same step took.

It asks the client and reads the journal; it changes nothing, and a store that refuses to be measured is no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from toolkit.apply.ongoing import plan_of
from toolkit.catalog import Json
from toolkit.engines import Client
from toolkit.engines.measuring import Measuring
from toolkit.engines.online import Journal, Run
from toolkit.errors import ToolkitError
from toolkit.plan import Estimate, Plan, Step

# A pause between two chunks that is longer was no work: the run was stopped and went on later.
_LONGEST_CHUNK = 60.0
_CHUNKS = frozenset({"CopyChunk", "CompareChunk", "Replay"})
_ENDED = frozenset({"done", "kept", "finished", "rolled back"})


@dataclass(frozen=True, slots=True)
class Took:
    """How long a step took in an earlier run, and how many rows there were."""

    run: int
    day: str
    rows: int
    seconds: float


def estimated(client: Client, plan: Plan) -> Plan:
    """`plan` with an estimate in each step; without them where nothing can be measured."""
    if not plan.steps or not isinstance(client, Measuring):
        return plan
    try:
        found = client.measure(plan)
        asked = frozenset(step.id for step in plan.steps)
        earlier = _earlier(client.journal(), asked)
    except ToolkitError:
        return plan
    return replace(plan, steps=tuple(_with(step, found.get(step.id), earlier.get(step.id)) for step in plan.steps))


def _with(step: Step, found: Estimate | None, earlier: Took | None) -> Step:
    if found is None:
        return step
    if earlier is None or not found.rows or not earlier.rows:
        return replace(step, estimate=found)
    seconds = earlier.seconds * found.rows / earlier.rows
    basis = f"as run {earlier.run} of {earlier.day} took for {earlier.rows} rows"
    return replace(step, estimate=replace(found, seconds=seconds, basis=basis))


def _earlier(journal: Journal, asked: frozenset[str]) -> dict[str, Took]:
    """Step id → how the last run that did it took; of a run that was ended, and as far as its plan counted rows. Only
    runs that did one of the `asked` steps are read."""
    found: dict[str, Took] = {}
    for run in reversed(journal.runs()):
        if run.status not in _ENDED:
            continue
        if counted := _counted(run, asked):
            found |= took(run, counted, journal.lines(run.id))
            asked -= found.keys()
        if not asked:
            break
    return found


def _counted(run: Run, asked: frozenset[str]) -> dict[int, tuple[str, int]]:
    """A step's place in the plan of `run` → its id and the rows there were; none where another version of this tool
    has written the plan."""
    try:
        steps = plan_of(run).steps
    except ToolkitError:
        return {}
    return {
        number: (step.id, step.estimate.rows)
        for number, step in enumerate(steps)
        if step.id in asked and step.estimate is not None and step.estimate.rows
    }


def took(run: Run, counted: Mapping[int, tuple[str, int]], lines: Sequence[Mapping[str, Json]]) -> dict[str, Took]:
    """Step id → how long it took, by the times in the journal. `counted`: a step's place in the plan → its id and the
    rows there were."""
    seconds: dict[int, float] = {}
    for line, after in pairwise(lines):
        state, action = line.get("state"), str(after.get("action"))
        number = state.get("step") if isinstance(state, dict) else None
        if isinstance(number, int):
            passed = (_time(after) - _time(line)).total_seconds()
            seconds[number] = seconds.get(number, 0.0) + (min(passed, _LONGEST_CHUNK) if action in _CHUNKS else passed)
    return {
        step: Took(run.id, run.started[:10], rows, seconds[number])
        for number, (step, rows) in counted.items()
        if number in seconds
    }


def _time(line: Mapping[str, Json]) -> datetime:
    return datetime.fromisoformat(str(line["at"]))
