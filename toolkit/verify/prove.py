"""Walk one upgrade path on one throwaway store: make it, fill it, upgrade it beside a writer, compare, go back.

The store, the clock and the number of records are given; everything is done through the engine's own client and the
same runner that upgrades real stores.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from toolkit.apply import ways_back
from toolkit.apply.actions import Action, Outcome, RunStep, Swap
from toolkit.apply.limits import Limits
from toolkit.apply.ongoing import kept
from toolkit.apply.runner import Options, Result, Task, perform, plan_store, upgrade_task
from toolkit.catalog import Catalog, differences
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.engines.rebuilding import Swapped
from toolkit.errors import ToolkitError, Unsupported, UsageError
from toolkit.plan import Observed, Plan, Step, StepClass, foreign_objects
from toolkit.records import Deletion, Write
from toolkit.sample import generate
from toolkit.targets import Target
from toolkit.verify.evidence import Check, Disk, Evidence, Felt, Finding, StepTaken, UpgradePath
from toolkit.verify.load import NAMESPACE, Writer
from toolkit.verify.records import Content, answers, content, different, unlike

SEED = 11
_WRITES_BEFORE, _WRITES_AFTER = 20, 20
_PAUSE = 0.005
_NAMESPACES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path is walked: an empty store. `size`: bytes it takes now, None when the engine does not tell;
    `deviate`: makes what its version's definition does not tell (a published route); `made`: the store is
    there already, from a dump."""

    target: Target
    size: Callable[[], int | None] = lambda: None
    deviate: Callable[[], None] = lambda: None
    made: bool = False


@dataclass(slots=True)
class _Notes:
    """What is found and measured on the way."""

    findings: list[Finding]
    checks: list[Check]
    steps: list[StepTaken]
    lock: float | None = None
    back: str = ""

    def found(self, check: Check, code: str, *messages: str) -> None:
        self.checks.append(check)
        self.findings += [Finding(check, code, message) for message in messages]


def walk(engine: Engine, path: UpgradePath, place: Place, rows: int, chain: Sequence[Definition]) -> Evidence:
    """Walk `path` with `rows` records. An error of the store or the tool becomes a finding, and ends the walk."""
    notes = _Notes([], [], [])
    began, seconds = time.monotonic(), 0.0
    felt, disk, server = Felt(0, 0, 0.0, 0.0, 0), Disk(None, None, None), ""
    client = engine.connect(place.target)
    try:
        before = _made(engine, client, path, place, rows, chain, notes)
        server = client.observe().server
        asked = _biggest(before)
        said = answers(engine, client, path.definition, asked) if path.steady else {}
        load = Writer(lambda: engine.connect(place.target), path.definition, _PAUSE, SEED, path.bare)
        with _sizes(place) as size, load if path.steady else nullcontext():
            load.wait_for(_WRITES_BEFORE if path.steady else 0)
            began = time.monotonic()
            _upgrade(engine, client, path, chain, notes)
            seconds = time.monotonic() - began
            load.wait_for(_WRITES_AFTER if path.steady else 0)
            felt = load.felt()
            _way_back(engine, client, path, chain, notes)
            load.wait_for(_WRITES_AFTER if path.steady else 0)
        disk = size()
        _compare(engine, client, path, before, load, said, asked, notes)
    except ToolkitError as error:
        check = notes.checks[-1] if notes.checks else Check.START
        notes.found(check, error.code, place.target.redact(error.message))
    finally:
        client.close()
    return Evidence(path, server, rows, seconds or time.monotonic() - began, tuple(notes.steps), felt, disk, notes.lock,
                    tuple(dict.fromkeys(notes.checks)), tuple(notes.findings), notes.back)  # fmt: skip


def _made(
    engine: Engine, client: Client, path: UpgradePath, place: Place, rows: int, chain: Sequence[Definition],
    notes: _Notes,
) -> Content:  # fmt: skip
    """The store as the path finds it, with records in it."""
    notes.checks.append(Check.START)
    if not place.made:
        _run(engine, client, path.definition, chain, path, "upgrade", offline=True)
        _finish(client)
        place.deviate()
        if path.deviation and not _unlike(engine, client, path.definition, path):
            notes.found(Check.START, "TV8201", "the store is as its version says, not as the path finds it")
    have = client.count() if place.made else 0
    writes = generate(path.definition, rows, SEED)
    for _ in client.write(path.definition, map(_bare, writes) if path.bare else writes):
        pass
    found = content(client, path.definition, NAMESPACE, path.steady)
    if len(found.others) != rows + have:
        notes.found(Check.START, "TV8201", f"{len(found.others)} of {rows + have} records are in the store")
    return found


def _bare(write: Write) -> Write:
    return write if isinstance(write, Deletion) else replace(write, attributes={})


def _upgrade(engine: Engine, client: Client, path: UpgradePath, chain: Sequence[Definition], notes: _Notes) -> None:
    notes.checks.append(Check.UPGRADE)
    watch = _Watch(notes)
    result = _run(engine, client, path.goal, chain, path, "upgrade", watch=watch)
    if result is not None:
        notes.steps += [
            StepTaken(step.title, step.step_class, step.lock.name, step.lock.blocks, seconds)
            for step, seconds in zip(result.plan.steps, result.seconds, strict=False)
        ]
    notes.found(Check.SCHEMA, "TV8202", *_unlike(engine, client, path.goal, path))


def _way_back(engine: Engine, client: Client, path: UpgradePath, chain: Sequence[Definition], notes: _Notes) -> None:
    """By rollback where the run kept the old data, else by downgrade; then up again, and the old data dropped."""
    notes.checks.append(Check.BACK)
    if kept(client) is not None:
        perform(client, ways_back.rollback(engine, client, chain, path.overlay), _quiet, time.monotonic, _options())
        notes.back = "rollback"
    else:
        try:
            _run(engine, client, path.definition, chain, path, "downgrade")
            notes.back = "downgrade"
        except (Unsupported, UsageError) as error:
            notes.back = f"none: {error.message}"
            return
    _finish(client)
    notes.found(Check.BACK, "TV8206", *_unlike(engine, client, path.definition, path, strict=False))
    _run(engine, client, path.goal, chain, path, "upgrade")
    _finish(client)
    notes.found(Check.SCHEMA, "TV8202", *_unlike(engine, client, path.goal, path))


def _compare(
    engine: Engine, client: Client, path: UpgradePath, before: Content, load: Writer, said: dict[str, object],
    asked: Sequence[str], notes: _Notes,
) -> None:  # fmt: skip
    after = content(client, path.definition if path.steady else path.goal, NAMESPACE, path.steady)
    notes.found(Check.RECORDS, "TV8203", *different(before.others, after.others))
    notes.found(Check.WRITES, "TV8204", *_written(load.truth, after.mine))
    if not path.steady:
        return
    wrong = unlike(said, answers(engine, client, path.definition, asked))
    notes.found(Check.QUERIES, "TV8205", *(f"another answer than before: {question}" for question in wrong))


def _written(truth: dict[str, tuple[int, str]], found: object) -> tuple[str, ...]:
    assert isinstance(found, dict)
    lost = sorted(truth.keys() - found.keys())
    back = sorted(found.keys() - truth.keys())
    stale = sorted(run for run in truth.keys() & found.keys() if truth[run] != found[run])
    said = (("lost", lost), ("deleted and there again", back), ("not as last written", stale))
    return tuple(f"{len(runs)} written records are {what}, the first is run {runs[0]}" for what, runs in said if runs)


def _run(
    engine: Engine, client: Client, wanted: Definition, chain: Sequence[Definition], path: UpgradePath, kind: str,
    offline: bool = False, watch: Callable[[Action, Outcome | None], None] | None = None,
) -> Result | None:  # fmt: skip
    plan = plan_store(engine, client, wanted, chain, path.overlay, offline)
    if not plan.steps:
        return None
    task = upgrade_task(engine, plan, wanted, path.overlay, kind)
    if watch is None:
        return perform(client, task, _quiet, time.monotonic, _options())
    assert isinstance(watch, _Watch)
    watch.plan = plan
    return perform(client, task, _quiet, time.monotonic, replace(_options(), watch=watch))


def _finish(client: Client) -> None:
    if kept(client) is not None:
        task: Task = ways_back.finish(client)
        perform(client, task, _quiet, time.monotonic, _options())


def _options() -> Options:
    return Options(limits=Limits(), owner=f"verify-paths:{os.getpid()}")


def _quiet(number: int, step: Step, seconds: float | None) -> None:
    """Nobody looks."""


def _unlike(
    engine: Engine, client: Client, wanted: Definition, path: UpgradePath, strict: bool = True
) -> tuple[str, ...]:
    """What the live catalog has otherwise. A route's own deviation is allowed where the way back leads to."""
    observed: Observed = client.observe()
    goal: Catalog = engine.catalog(path.overlay.apply(wanted), path.overlay)
    ours = observed.catalog.without(foreign_objects(observed.catalog, (goal, engine.empty())))
    left = tuple(str(difference) for difference in differences(ours, goal))
    return left[:20] if strict or path.start == engine.label(wanted) else ()


def _biggest(found: Content) -> tuple[str, ...]:
    many = Counter(namespace for namespace, _ in found.others)
    return tuple(namespace for namespace, _ in many.most_common(_NAMESPACES))


class _Watch:
    """Measures, action by action, how long the steps that keep writers waiting took."""

    def __init__(self, notes: _Notes) -> None:
        self._notes = notes
        self._began = 0.0
        self.plan: Plan | None = None

    def __call__(self, action: Action, outcome: Outcome | None) -> None:
        if outcome is None:
            self._began = time.monotonic()
            return
        match action, outcome:
            case Swap(), Swapped(seconds):
                self._held(seconds)
            case RunStep(number), _ if self.plan is not None and _blocks(self.plan.steps[number]):
                self._held(time.monotonic() - self._began)
            case _:
                pass

    def _held(self, seconds: float) -> None:
        self._notes.lock = max(seconds, self._notes.lock or 0.0)


def _blocks(step: Step) -> bool:
    return "writes" in step.lock.blocks and step.step_class is not StepClass.ONLINE


@contextmanager
def _sizes(place: Place) -> Iterator[Callable[[], Disk]]:
    """Look at the store's size all along; the result after leaving."""
    seen: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while True:
            size = place.size()
            if size is None:
                return
            seen.append(size)
            if stop.wait(0.25):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: Disk(seen[0], max(seen), place.size()) if seen else Disk(None, None, None)
    finally:
        stop.set()
        thread.join()
