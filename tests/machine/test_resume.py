"""Killed after any action before its answer reaches the journal, and run again, a run ends as if nothing had happened.

No server: the store is a model (`tests.support.model_store`), what happens to it is made up by hypothesis.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.model_store import PLAN, Fate, Killed, ModelClient, Store
from toolkit.apply.limits import Limits
from toolkit.apply.ongoing import kept, unfinished
from toolkit.apply.runner import Options, Task, perform
from toolkit.catalog import fingerprint
from toolkit.errors import EngineError
from toolkit.plan import Observed, Step

LIMITS = Limits(backlog=2, attempts=50)
GENTLE = Options(limits=LIMITS, pause=lambda _: None, lease_seconds=1000.0)

writes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=3).map(tuple)
ends = st.sampled_from(["ok", "ok", "ok", "busy", "lost", "before", "after", "after"])
fates = st.lists(st.builds(Fate, ends, writes), max_size=60)
rows = st.dictionaries(st.integers(0, 30), st.integers(1, 9), max_size=14)


def store_with(live: dict[int, int], happens: list[Fate]) -> Store:
    return Store(iter(happens), dict(live), dict(live))


def task(store: Store, kind: str, steps: tuple[Step, ...], keeps: bool) -> Task:
    base = fingerprint(ModelClient(store).observe().catalog)
    of = kept(ModelClient(store)) or unfinished(ModelClient(store)) if kind != "upgrade" else None
    if of is not None and of.kind != "upgrade":
        of = store.runs[(of.of or 1) - 1]
    plan = replace(PLAN, base=base, steps=steps, finish=PLAN.finish if keeps else ())

    def check(after: Observed) -> tuple[str, ...]:
        return ()

    return Task(kind, plan, check, of)


def to_the_end(store: Store, kind: str, steps: tuple[Step, ...], keeps: bool = False) -> int:
    """Run, and run again until it ends; how often it had to be run."""
    for times in range(1, 500):
        try:
            perform(ModelClient(store), task(store, kind, steps, keeps), lambda *_: None, lambda: 0.0, GENTLE)
            return times
        except (Killed, EngineError):
            continue
    raise AssertionError("it never ends")


@settings(max_examples=150, deadline=None)
@given(rows, fates)
def test_any_interruption_ends_the_same(live: dict[int, int], happens: list[Fate]) -> None:
    store = store_with(live, happens)
    to_the_end(store, "upgrade", PLAN.steps, keeps=True)
    assert store.live == store.truth
    assert (store.shape, store.recorded, store.shadow) == ("new", "new", None)
    assert [(run.kind, run.status) for run in store.runs] == [("upgrade", "kept")]
    to_the_end(store, "finish", PLAN.finish)
    assert store.live == store.truth
    assert store.leftovers() == []
    assert [run.status for run in store.runs] == ["finished", "done"]


@settings(max_examples=150, deadline=None)
@given(rows, fates, fates)
def test_any_interruption_of_the_way_back_ends_the_same(
    live: dict[int, int], happens: list[Fate], later: list[Fate]
) -> None:
    store = store_with(live, happens)
    to_the_end(store, "upgrade", PLAN.steps, keeps=True)
    store.fates = iter(later)
    to_the_end(store, "rollback", PLAN.rollback)
    assert store.live == store.truth
    assert (store.shape, store.recorded) == ("old", "old")
    assert store.leftovers() == []
    assert [(run.kind, run.status) for run in store.runs] == [("upgrade", "rolled back"), ("rollback", "done")]


@settings(max_examples=100, deadline=None)
@given(rows, st.integers(0, 40), fates)
def test_a_run_can_be_taken_back_wherever_it_stopped(live: dict[int, int], stop: int, later: list[Fate]) -> None:
    """The process dies at its `stop`-th action; what the plan says for that place takes everything back."""
    store = store_with(live, [*(Fate(writes=((n, 5),)) for n in range(stop)), Fate("after")])
    try:
        perform(ModelClient(store), task(store, "upgrade", PLAN.steps, True), lambda *_: None, lambda: 0.0, GENTLE)
    except Killed:
        assert store.runs[-1].status == "running"
    store.fates = iter(later)
    swapped = store.kept is not None
    to_the_end(store, "rollback", PLAN.rollback if swapped else PLAN.abandon)
    assert store.live == store.truth
    assert (store.shape, store.recorded) == ("old", "old")
    assert store.leftovers() == []
    assert [run.status for run in store.runs] == ["rolled back", "done"]


@settings(max_examples=40, deadline=None)
@given(rows)
def test_every_single_point(live: dict[int, int]) -> None:
    """All points, one by one: before and after each action of an undisturbed run, once."""
    calm = store_with(live, [])
    to_the_end(calm, "upgrade", PLAN.steps, keeps=True)
    actions = sum(1 for line in calm.lines if line not in ("Look", "Verify"))
    for place in range(actions):
        for what in ("before", "after"):
            store = store_with(live, [*(Fate() for _ in range(place)), Fate(what)])
            assert to_the_end(store, "upgrade", PLAN.steps, keeps=True) == 2
            assert (store.live, store.shape, store.recorded) == (live, "new", "new")
