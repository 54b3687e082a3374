"""What ends a run that is open or whose old data is kept: `rollback` and `finish`, as tasks for the runner.

It reads the journal and decides which of the plan's ways back applies; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toolkit.apply.ongoing import begun, going_on, in_the_way, kept, plan_of, to_end_first, unfinished
from toolkit.apply.planning import beside, recognise
from toolkit.apply.runner import Task
from toolkit.apply.states import last, step_of
from toolkit.catalog import ABSENT, Absent, fingerprint
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.online import Run, Undivided
from toolkit.errors import ToolkitError
from toolkit.overlay import Overlay
from toolkit.plan import NO_LOCK, Expect, Mode, Observed, Plan, Request, Sql, Statement, Step, StepClass


def rollback(engine: Engine, client: Client, chain: Sequence[Definition], overlay: Overlay) -> Task:
    """The way back of the run that is open, or whose old data is kept. ToolkitError when there is none."""
    run = _open(client, "rollback")
    original = plan_of(run)
    known = begun(client, "rollback")
    if known and _whole(client):
        observed = client.observe()
        if _untouched(known, run, observed) and not _swapped(original, observed):
            raise _not_kept(run)
    plan = plan_of(known) if known else _planned(engine, client, run, original, chain, overlay)

    def check(after: Observed) -> tuple[str, ...]:
        if fingerprint(after.catalog) == original.base:
            return ()
        # What was put beside it meanwhile stays.
        newer = set(beside(engine, after, chain, overlay)) - set(original.foreign)
        if fingerprint(after.catalog.without(newer)) == original.base:
            return ()
        seen = recognise(engine, after, chain, overlay).versions
        labels = (engine.label(known) for known in chain if known.version in seen)
        # One that had drifted was no version, and what mended it on the way up need not be taken back.
        if {*seen, *labels} & {*original.found, plan.wanted}:
            return ()
        return (f"the schema is {', '.join(seen) or 'no published version'}, and was {plan.wanted}",)

    return Task("rollback", plan, check, run)


def _planned(
    engine: Engine, client: Client, run: Run, original: Plan, chain: Sequence[Definition], overlay: Overlay
) -> Plan:
    """The way back of `run`, whose plan was `original`, from what is observed now."""
    observed = client.observe()
    _no_records_lost(client, run, _making(engine, chain, original), observed)
    return replace(
        original,
        found=recognise(engine, observed, chain, overlay).versions,
        recorded=observed.recorded,
        wanted=original.found[-1] if original.found else original.recorded or "nothing",
        base=fingerprint(observed.catalog),
        goal=original.base,
        steps=_way_back(run, original, observed),
        rollback=(),
        abandon=(),
        finish=(),
    )


def finish(client: Client) -> Task:
    """Dropping what a run kept, also instead of a rollback that has changed nothing yet. ToolkitError when nothing is
    kept, or another run is open."""
    observed = client.observe()
    run, instead = _kept(client, observed)
    original = plan_of(run)
    now = fingerprint(observed.catalog)
    # An attempt of the rollback's swap may have left something behind.
    left = instead or _abandoned(client, run)
    swaps = [step for step in plan_of(left).steps if step.mode is Mode.SWAP] if left else []
    steps = (*(_reversed(step) for step in swaps if step.reverse), *original.finish)
    plan = replace(
        original,
        found=(original.wanted,),
        recorded=observed.recorded,
        base=now,
        goal=now,
        steps=steps,
        rollback=(),
        abandon=(),
        finish=(),
    )

    def check(after: Observed) -> tuple[str, ...]:
        return () if fingerprint(after.catalog) == now else ("the schema has changed meanwhile",)

    return Task("finish", plan, check, run, instead)


def _open(client: Client, kind: str) -> Run:
    run = in_the_way(client)
    if run is None:
        raise ToolkitError(
            "TV5109",
            "there is no run to take back: none is open, and no old data is kept",
            "`schema runs` lists all runs; `schema downgrade` goes to an earlier version.",
        )
    if run.kind == kind and run.of is not None:
        return next(r for r in client.journal().runs() if r.id == run.of)
    if run.kind == "finish":
        hint = "Go on with `schema finish`."
        raise ToolkitError("TV5109", "the old data is being dropped: there is no way back from there", hint)
    return run


def _kept(client: Client, observed: Observed) -> tuple[Run, Run | None]:
    """The run whose old data is kept, and a rollback of it that is open and has changed nothing."""
    run, old = unfinished(client), kept(client)
    if old is None and run is not None and run.of is not None:
        of = next(one for one in client.journal().runs() if one.id == run.of)
        old = of if run.kind == "finish" or _keeps(of, observed) else None
    given_up = run if run and old and _whole(client) and _untouched(run, old, observed) else None
    if run is not None and run.kind != "finish" and given_up is None:
        raise to_end_first(run)
    if old is None:
        raise ToolkitError("TV5109", "there is nothing to finish: no old data is kept", "`schema runs` lists all runs.")
    return old, given_up


def _keeps(run: Run, observed: Observed) -> bool:
    """Whether `run`, which was cut off, has swapped and had nothing more to do than to record the version."""
    plan = plan_of(run)
    rest = plan.steps[max((n for n, step in enumerate(plan.steps) if step.mode is Mode.SWAP), default=-1) + 1 :]
    return _swapped(plan, observed) and all(step.id.startswith("record.") for step in rest)


def _abandoned(client: Client, old: Run) -> Run | None:
    """The rollback of `old` that was given up last, where what gave it up died before it began."""
    latest = client.journal().runs()[-1]
    return latest if (latest.kind, latest.of, latest.status) == ("rollback", old.id, "abandoned") else None


def _whole(client: Client) -> bool:
    return isinstance(client, Undivided) and client.undivided()


def _untouched(run: Run, old: Run, observed: Observed) -> bool:
    """Whether `run` is a rollback of `old` that has changed nothing but what `old` has kept, and has not swapped: live
    tables are as `old` left them, or others in a store that was restored from a dump."""
    at = step_of(last(run.state)) if run.kind == "rollback" and run.of == old.id else None
    if at is None:
        return False
    plan = plan_of(run)
    dropped = [s.path for step in plan_of(old).finish for s in step.statements if isinstance(s, Request)]
    harmless = all(_about(step, dropped) for step in plan.steps[: at + 1])
    return harmless and not _swapped(plan, observed)


def _about(step: Step, dropped: Sequence[str]) -> bool:
    """Whether `step` of a rollback compares, refreshes old data, tries to swap, or is about an index in `dropped`."""
    if step.mode is not Mode.ONCE:
        return step.mode in (Mode.COMPARE, Mode.REPLAY, Mode.SWAP)
    paths = [s.path if isinstance(s, Request) else "" for s in step.statements]
    return all(any(path.startswith(f"{index}/") for index in dropped) for path in paths)


def _swapped(plan: Plan, observed: Observed) -> bool:
    view = observed.view()
    return any(step.mode is Mode.SWAP and step.is_done(view) for step in plan.steps)


def _way_back(run: Run, plan: Plan, observed: Observed) -> tuple[Step, ...]:
    """After the swap the plan's rollback, before it its abandon; without a rebuild the reverse of what was done."""
    if _swapped(plan, observed):
        return plan.rollback
    at, view = step_of(last(run.state)), observed.view()
    if any(step.mode is Mode.SWAP for step in (plan.steps if at is None else plan.steps[:at])):
        raise _not_kept(run)
    if plan.abandon:
        return plan.abandon
    done = plan.steps if at is None else plan.steps[: at + 1]
    for step in done:
        if not step.reverse and (step is not done[-1] or step.is_done(view)):
            hint = f"Go on with {going_on(run)}; where the store's overlay was changed since, with the former one."
            raise ToolkitError("TV5110", f"{step.title!r} was done already and has no way back", hint)
    return tuple(_reversed(step) for step in reversed(done) if step.reverse)


def _not_kept(run: Run) -> ToolkitError:
    """`run` has swapped, and the store does not show it. What takes back a run that has not would drop what records
    changes for the old data, and change nothing else."""
    ends = "`schema finish` drops what is left of it" if run.status == "kept" else f"Go on with {going_on(run)}"
    return ToolkitError(
        "TV5109",
        f"the old data of run {run.id} is not there as it was kept: it was dropped, or the store restored from a dump",
        f"{ends}; then `schema upgrade` or `schema downgrade` goes to another version.",
    )


def _no_records_lost(client: Client, run: Run, making: Sequence[Step], observed: Observed) -> None:
    """A run that began without the table of records, and made it in `making`, is not taken back when there are records
    by now: whoever wrote them would lose them."""
    view = observed.view()
    made = [step for step in making if not _reversed(step).is_done(view)]
    count = client.count() if made else 0
    if count:
        raise ToolkitError(
            "TV5117",
            f"run {run.id} began with an empty store, which has {count} records now: to take it back would drop them",
            f"Go on with it: {going_on(run)}.",
        )


def _making(engine: Engine, chain: Sequence[Definition], plan: Plan) -> Sequence[Step]:
    """The steps of `plan` that make what records are in. To take back a rebuild leaves the live table or index."""
    if plan.abandon:
        return ()
    tables = engine.catalog(chain[0]).children(("tables",))
    if not tables:  # a search engine: the catalog is one index
        return [step for step in plan.steps if _makes_a_table(step)] if plan.base == fingerprint(engine.empty()) else ()
    named = {s.id: {e.path[2] for e in s.done if e.path[:2] == ("catalog", "tables")} for s in plan.steps}
    return [step for step in plan.steps if _makes_a_table(step) and not named[step.id].isdisjoint(tables)]


def _makes_a_table(step: Step) -> bool:
    """Whether to take `step` back is to drop a table, or an index of a search engine."""
    return any(_drops(statement) for statement in step.reverse)


def _drops(statement: Statement) -> bool:
    match statement:
        case Sql(text):
            return text.startswith("DROP TABLE")
        case Request(method, path):
            return method == "DELETE" and path.count("/") == 1


def _reversed(step: Step) -> Step:
    """What takes `step` back; nothing, where nothing of what it makes is there."""
    made = tuple(Expect(e.path, ABSENT) for e in step.done if not isinstance(e.wanted, Absent))
    done = made if len(made) == len(step.done) else ()
    title = f"Take back: {step.title}"
    weight = StepClass.BREAKING if _makes_a_table(step) else StepClass.METADATA
    return Step(f"{step.id}.undo", title, "", weight, NO_LOCK, step.reverse, (), done)
