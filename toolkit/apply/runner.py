"""Running a plan on a live store: ask the machine for the next action, do it, write it down, and again.

The only module that joins decisions (`machine`), deeds (the engine's client), lock and journal; it decides nothing.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from toolkit.apply import plan_json
from toolkit.apply.actions import (
    Action,
    CompareChunk,
    CopyChunk,
    Look,
    Outcome,
    Pause,
    Paused,
    Replay,
    RunStep,
    Seen,
    Swap,
    Verified,
    Verify,
)
from toolkit.apply.estimating import estimated
from toolkit.apply.lock import LEASE_SECONDS, Heartbeat
from toolkit.apply.machine import Limits, next_action, start, transition
from toolkit.apply.planning import make_plan, recognise, unlike
from toolkit.apply.states import Done, Failed, State, Working, from_json, resumable, step_of, to_json
from toolkit.catalog import fingerprint
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.online import Checking, Coordinated, Entry, Journal, Ran, Rebuilding, Run
from toolkit.errors import EngineError, LockHeld, Stopped, StoreChanged, ToolkitError, Unverified
from toolkit.overlay import Overlay
from toolkit.plan import Mode, Observed, Plan, Step

# Called before a step (seconds None) and after it (seconds it took).
Report = Callable[[int, Step, float | None], None]
Clock = Callable[[], float]
# Called around every action: outcome None before it, and again after it.
Watch = Callable[[Action, Outcome | None], None]
# What still differs from what was wanted, in words.
Check = Callable[[Observed], tuple[str, ...]]


def _nothing(*_: object) -> None:
    """Nobody looks."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes: `stopped` is asked before every action; `tick` hears how many statements of a step are done."""

    limits: Limits = field(default_factory=Limits)
    lease_seconds: float = LEASE_SECONDS
    stopped: Callable[[], bool] = _never
    pause: Callable[[float], None] = time.sleep
    watch: Watch = _nothing
    tick: Callable[[int], None] = _nothing
    owner: str = field(default_factory=lambda: f"{os.environ.get('USER', 'user')}@{socket.gethostname()}:{os.getpid()}")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be run: `kind` as the journal has it, the plan, how to see that it succeeded, and the run it ends."""

    kind: str
    plan: Plan
    check: Check
    of: Run | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: the plan, seconds per step, and the fingerprint seen afterwards."""

    plan: Plan
    seconds: tuple[float, ...]
    fingerprint: str


def plan_store(
    engine: Engine,
    client: Client,
    wanted: Definition,
    chain: Sequence[Definition],
    overlay: Overlay,
    offline: bool = False,
) -> Plan:
    """Observe the store, plan from what is seen, and measure what the steps will take."""
    return estimated(client, make_plan(engine, client.observe(), wanted, chain, overlay, offline))


def run(
    engine: Engine,
    client: Client,
    plan: Plan,
    wanted: Definition,
    overlay: Overlay,
    report: Report,
    clock: Clock,
    options: Options | None = None,
    kind: str = "upgrade",
) -> Result:
    """Do the steps of `plan`, or go on with the run to `wanted` that was cut off, then observe again.

    Raises StoreChanged when the store is not what the plan was made on, LockHeld when somebody else works on it,
    EngineError when a step fails, Stopped, and Unverified when the store does not end as wanted. A failed run may be
    repeated: it goes on where it stopped.
    """

    return perform(client, upgrade_task(engine, plan, wanted, overlay, kind), report, clock, options or Options())


def upgrade_task(engine: Engine, plan: Plan, wanted: Definition, overlay: Overlay, kind: str = "upgrade") -> Task:
    """`plan` as a task that has succeeded when the live catalog is that of `wanted`."""

    def check(after: Observed) -> tuple[str, ...]:
        left = unlike(after.catalog, engine.catalog(overlay.apply(wanted), overlay), plan.foreign)
        undone = (s.title for s in plan.steps if s.id.startswith("record.") and not s.is_done(after.view()))
        return (*left, *undone)

    return Task(kind, plan, check)


def perform(client: Client, task: Task, report: Report, clock: Clock, options: Options) -> Result:
    """Take the lock, begin or go on, and run to the end; see `run`."""
    if not isinstance(client, Coordinated):
        _unchanged(client, task.plan)
        return _Course(client, None, None, None, task, report, clock, options).run(start(task.plan.steps))
    if not task.plan.steps and unfinished(client) is None:
        return Result(task.plan, (), fingerprint(client.observe().catalog))
    lease = client.take_lock(options.owner, options.lease_seconds)
    with Heartbeat(lease, options.lease_seconds / 6) as heartbeat:
        journal = client.journal()
        current, state = _begin(client, journal, task)
        same = Task(current.kind, plan_json.load(current.plan), task.check, task.of)
        course = _Course(client, journal, current, heartbeat, same, report, clock, options)
        return course.run(state)


def unfinished(client: Coordinated) -> Run | None:
    """The run that was begun and not ended, if there is one: the rollback rather than what it takes back."""
    return next((r for r in reversed(client.journal().runs()) if r.status == "running"), None)


def kept(client: Coordinated) -> Run | None:
    """The run whose old data is still in the store, if there is one."""
    return next((r for r in client.journal().runs() if r.status == "kept"), None)


def _begin(client: Client, journal: Journal, task: Task) -> tuple[Run, Working | Done]:
    """The run to go on with, and where; a new one when none is open."""
    known = _standing(journal.runs(), task)
    if known is not None:
        return known, resumable(from_json(known.state))
    _unchanged(client, task.plan)
    if isinstance(client, Checking):
        for problem in client.preflight(task.plan):
            if problem.fatal:
                raise EngineError(problem.code, problem.message, problem.hint)
    first = start(task.plan.steps)
    of = task.of.id if task.of else None
    return journal.begin(task.kind, task.plan.wanted, dict(plan_json.dump(task.plan)), to_json(first), of), first


def _standing(runs: Sequence[Run], task: Task) -> Run | None:
    """The run that `task` goes on with; None: it may begin. ToolkitError when another must be ended first."""
    for known in reversed(runs):
        ours = task.of is not None and task.of.id == known.id
        if ours and task.of is not None and task.of.status != known.status:
            raise StoreChanged("TV5001", "somebody else has ended this run meanwhile", "Look at `schema runs`.")
        if known.status == "running" and (known.kind, known.wanted) == (task.kind, task.plan.wanted):
            return known
        if known.status == "running" and not ours:
            raise ToolkitError(
                "TV5106",
                f"run {known.id}, {known.kind} to {known.wanted}, is not finished",
                f"Go on with it (`schema {known.kind}`), or take it back with `schema rollback`.",
            )
        if known.status == "kept" and not ours:
            raise ToolkitError(
                "TV5107",
                f"the old data of run {known.id}, {known.kind} to {known.wanted}, is still in the store",
                "Decide first: `schema finish` drops it, `schema rollback` goes back to it.",
            )
        if ours:
            return None
    return None


def _unchanged(client: Client, plan: Plan) -> None:
    if fingerprint(client.observe().catalog) != plan.base:
        raise StoreChanged(
            "TV5001", "the store has changed since the plan was made", "Make a new plan and look at it again."
        )


@dataclass(slots=True)
class _Course:
    """One run under way. Without a journal (`journal` None) it is a plain walk through the steps."""

    client: Client
    journal: Journal | None
    current: Run | None
    heartbeat: Heartbeat | None
    task: Task
    report: Report
    clock: Clock
    options: Options
    seconds: list[float] = field(default_factory=list)
    shown: tuple[int, float] | None = None

    def run(self, state: State) -> Result:
        """The loop."""
        while not isinstance(state, Done | Failed):
            self._show(state)
            if self.options.stopped():
                raise self._stopped(state)
            if self.heartbeat is not None and self.heartbeat.lost:
                raise LockHeld("TV5102", "this run has lost its lock: somebody else has taken it over")
            action = next_action(state, self.options.limits)
            self.options.watch(action, None)
            outcome = self._do(action)
            self.options.watch(action, outcome)
            state = transition(self.task.plan.steps, state, outcome, self.options.limits)
            self._write(action, state)
        self._show(None)
        return self._end(state)

    def _do(self, action: Action) -> Outcome:
        match action:
            case Look(step):
                return self._look(self.task.plan.steps[step])
            case RunStep(step, wait):
                return self._step(self.task.plan.steps[step], wait)
            case CopyChunk(step, after, rows):
                return self._rebuilding().copy(self.task.plan.steps[step], after, rows)
            case CompareChunk(step, after, rows):
                return self._rebuilding().compare(self.task.plan.steps[step], after, rows)
            case Replay(step, keys):
                return self._rebuilding().replay(self.task.plan.steps[step], keys)
            case Swap(step, wait, most):
                return self._rebuilding().swap(self.task.plan.steps[step], wait, most)
            case Pause(seconds):
                self.options.pause(seconds * random.uniform(0.5, 1.5))
                return Paused()
            case Verify():
                return Verified(self.task.check(self.client.observe()))
            case _:
                assert_never(action)

    def _look(self, step: Step) -> Seen:
        view = self.client.observe().view()
        unmet = tuple("/".join(e.path) for e in step.needs if not e.holds(view))
        return Seen(step.is_done(view), unmet)

    def _step(self, step: Step, wait: float) -> Outcome:
        if isinstance(self.client, Coordinated):
            return self._rebuilding().attempt(step, wait, self.options.tick)
        assert step.mode is Mode.ONCE
        self.client.execute(step)
        return Ran()

    def _rebuilding(self) -> Rebuilding:
        assert isinstance(self.client, Coordinated)
        return self.client.rebuilding()

    def _write(self, action: Action, state: State) -> None:
        if self.journal is not None and self.current is not None and not isinstance(action, Pause):
            note = state.message if isinstance(state, Failed) else ""
            self.journal.append(self.current.id, Entry(type(action).__name__, to_json(state), note))

    def _show(self, state: Working | None) -> None:
        """Tell the reporter when a step ends and another begins."""
        number = step_of(state)
        if self.shown is not None and self.shown[0] != number:
            done, began = self.shown
            self.seconds.append(self.clock() - began)
            self.report(done, self.task.plan.steps[done], self.seconds[-1])
            self.shown = None
        if number is not None and self.shown is None:
            self.shown = (number, self.clock())
            self.report(number, self.task.plan.steps[number], None)

    def _stopped(self, state: Working) -> Stopped:
        number = self.shown[0] + 1 if self.shown else len(self.task.plan.steps)
        return Stopped(
            "TV5108",
            f"stopped at a safe point, in step {number} of {len(self.task.plan.steps)}",
            "Nothing is lost: the same command goes on from here; `schema rollback` takes it back.",
        )

    def _end(self, state: Done | Failed) -> Result:
        if isinstance(state, Failed) and state.then is not None:
            kind: type[ToolkitError] = StoreChanged if state.code == "TV5001" else EngineError
            raise kind(state.code, state.message, state.hint)
        if self.journal is not None and self.current is not None:
            ended = {"rollback": "rolled back", "finish": "finished"}.get(self.current.kind, "")
            status = "kept" if self.task.plan.kept else "done" if isinstance(state, Done) else "failed"
            self.journal.close(self.current.id, status, self.current.of, ended)
        if isinstance(state, Failed):
            raise Unverified(state.code, state.message, state.hint)
        return Result(self.task.plan, tuple(self.seconds), fingerprint(self.client.observe().catalog))


def status(engine: Engine, client: Client, chain: Sequence[Definition], overlay: Overlay) -> dict[str, object]:
    """What the store is: claimed and recognised versions, pending steps to the newest, foreign objects."""
    observed = client.observe()
    newest = [d for d in chain if engine.supports(d)][-1]
    seen = recognise(engine, observed, chain, overlay)
    plan = make_plan(engine, observed, newest, chain, overlay)
    return {
        "engine": engine.NAME,
        "server": observed.server,
        "recorded": observed.recorded,
        "marks": dict(observed.marks),
        "equals": list(seen.versions),
        "empty": seen.is_empty,
        "fingerprint": seen.fingerprint,
        "rows": observed.rows,
        "newest": newest.version,
        "pending": len(plan.steps),
        "foreign": ["/".join(path) for path in seen.foreign],
    }
