"""Running a plan on a live store: take the lock, find the run that was cut off or begin one, and go to the end.

Lock, journal and the run to go on with; the loop itself is `course`.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.apply import plan_json
from toolkit.apply.course import Course
from toolkit.apply.estimating import estimated
from toolkit.apply.limits import Limits
from toolkit.apply.lock import Heartbeat
from toolkit.apply.machine import start
from toolkit.apply.ongoing import plan_of, to_end_first, unfinished
from toolkit.apply.planning import beside, make_plan, meant, unlike
from toolkit.apply.states import Done, Working, last, to_json
from toolkit.apply.task import Clock, Options, Report, Result, Task
from toolkit.catalog import fingerprint
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.online import Checking, Journal, Problem, Rechecking, Run, Sensing
from toolkit.errors import ConnectionFailed, EngineError, StoreChanged, Unsupported
from toolkit.overlay import Overlay
from toolkit.plan import Observed, Plan
from toolkit.versions import chain

__all__ = ["Options", "Result", "Task", "perform", "plan_store", "refuse", "run", "tells", "upgrade_task"]


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


def script_store(
    engine: Engine, client: Client, wanted: Definition, chain: Sequence[Definition], overlay: Overlay
) -> tuple[Plan, str]:
    """The plain plan, and the same as a script for the engine's own client."""
    observed = client.observe()
    plan = make_plan(engine, observed, wanted, chain, overlay, offline=True)
    return plan, engine.script(plan, observed, engine.catalog(overlay.apply(wanted), overlay), overlay)


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
    """`plan` as a task that has succeeded when the live catalog is that of `wanted`. UsageError when the plan leads
    elsewhere."""
    goal = meant(engine, plan, wanted, overlay)

    def check(after: Observed) -> tuple[str, ...]:
        left = unlike(after.catalog, goal, plan.foreign)
        if left:
            known = chain() if wanted in chain() else (*chain(), wanted)
            left = unlike(after.catalog, goal, (*plan.foreign, *beside(engine, after, known, overlay)))
        undone = (s.title for s in plan.steps if s.id.startswith("record.") and not s.is_done(after.view()))
        return (*left, *undone)

    return Task(kind, plan, check)


def perform(client: Client, task: Task, report: Report, clock: Clock, options: Options) -> Result:
    """Take the lock, begin or go on, and run to the end; see `run`."""
    if not task.plan.steps and unfinished(client) is None:
        return Result(task.plan, (), fingerprint(client.observe().catalog))
    for said in tells(client, options.limits):
        options.note(said)
    lease = client.take_lock(options.owner, options.lease_seconds)
    with Heartbeat(lease, options.lease_seconds / 6) as heartbeat:
        journal = client.journal()
        current, plan, state = _begin(client, journal, task)
        same = Task(current.kind, plan, task.check, task.of)
        course = Course(client, journal, current, heartbeat, same, report, clock, options)
        try:
            return course.run(state)
        except ConnectionFailed:
            # Whoever takes the lock over ends the former holder's sessions.
            heartbeat.confirm()
            raise


def tells(client: Client, limits: Limits) -> tuple[str, ...]:
    """What the user should know of the limits here. A limit that nobody can see would be no limit: Unsupported, or what
    the store says to the question."""
    if limits.max_lag is None and limits.max_load is None:
        return ()
    if not isinstance(client, Sensing):
        raise Unsupported(
            "TV5114", "this store does not tell how hard it has it", "Leave out --max-lag and --max-load."
        )
    if limits.max_load is not None:
        client.load()
    if limits.max_lag is not None and client.lag() is None:
        return ("--max-lag has nothing to watch: no replica of this store is seen that could be behind.",)
    return ()


def _begin(client: Client, journal: Journal, task: Task) -> tuple[Run, Plan, Working | Done]:
    """The run to go on with, its plan as the journal has it, and where; a new one when none is open."""
    known = _standing(journal.runs(), task)
    if known is not None:
        plan = plan_of(known)
        if isinstance(client, Rechecking):
            refuse(client.recheck(plan))
        # Every step is looked at before it is done, so that a run whose journal was dropped may go on from its first.
        return known, plan, last(known.state) or start(plan.steps)
    _unchanged(client, task.plan)
    if isinstance(client, Checking):
        refuse(client.preflight(task.plan))
    first = start(task.plan.steps)
    of = task.of.id if task.of else None
    if task.instead is not None:
        journal.close(task.instead.id, "abandoned")
    run = journal.begin(task.kind, task.plan.wanted, dict(plan_json.dump(task.plan)), to_json(first), of)
    return run, plan_of(run), first


def refuse(problems: Sequence[Problem]) -> None:
    """EngineError for the first of `problems` that no run can begin with."""
    for problem in problems:
        if problem.fatal:
            raise EngineError(problem.code, problem.message, problem.hint)


def _standing(runs: Sequence[Run], task: Task) -> Run | None:
    """The run that `task` goes on with; None: it may begin. ToolkitError when another must be ended first."""
    for known in reversed(runs):
        ours = task.of is not None and task.of.id == known.id
        _as_seen(known, task.of, task.instead)
        if known.status == "running" and (known.kind, known.wanted) == (task.kind, task.plan.wanted):
            return known
        if known.status == "running" and task.instead is not None and task.instead.id == known.id:
            continue
        if known.status in ("running", "kept") and not ours:
            raise to_end_first(known)
        if ours:
            return None
    return None


def _as_seen(known: Run, *seen: Run | None) -> None:
    """StoreChanged when `known` has ended or gone on since a task was made of what it was: the catalog does not tell
    which version the store records, nor which of two equal tables is live."""
    for run in seen:
        if run is not None and run.id == known.id and (run.status, run.state) != (known.status, known.state):
            what = "ended" if run.status != known.status else "gone on with"
            raise StoreChanged("TV5001", f"somebody else has {what} this run meanwhile", "Look at `schema runs`.")


def _unchanged(client: Client, plan: Plan) -> None:
    if fingerprint(client.observe().catalog) != plan.base:
        raise StoreChanged(
            "TV5001", "the store has changed since the plan was made", "Make a new plan and look at it again."
        )
