"""Running a plan on a live store: step by step, and a last look that decides whether it succeeded.

It asks the client for everything it does to the store; what to do was decided by the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.apply.planning import make_plan, recognise, unlike
from toolkit.catalog import fingerprint
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.errors import StoreChanged, Unverified
from toolkit.overlay import Overlay
from toolkit.plan import Plan, Step

# Called before a step (seconds None) and after it (seconds it took).
Report = Callable[[int, Step, float | None], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: the plan, seconds per step, and the fingerprint seen afterwards."""

    plan: Plan
    seconds: tuple[float, ...]
    fingerprint: str


def plan_store(
    engine: Engine, client: Client, wanted: Definition, chain: Sequence[Definition], overlay: Overlay
) -> Plan:
    """Observe the store and plan from what is seen."""
    return make_plan(engine, client.observe(), wanted, chain, overlay)


def run(
    engine: Engine, client: Client, plan: Plan, wanted: Definition, overlay: Overlay, report: Report, clock: Clock
) -> Result:
    """Do the steps of `plan`, then observe again.

    Raises StoreChanged when the store is not what the plan was made on, EngineError when a step fails, and Unverified
    when the store does not end as wanted. A failed run may be repeated: the next plan begins where this one stopped.
    """
    if fingerprint(client.observe().catalog) != plan.base:
        raise StoreChanged(
            "TV5001", "the store has changed since the plan was made", "Make a new plan and look at it again."
        )
    seconds = []
    for number, step in enumerate(plan.steps):
        report(number, step, None)
        began = clock()
        client.execute(step)
        seconds.append(clock() - began)
        report(number, step, seconds[-1])
    after = client.observe()
    left = unlike(after.catalog, engine.catalog(overlay.apply(wanted), overlay), plan.foreign)
    undone = [step.title for step in plan.steps if step.id.startswith("record.") and not step.is_done(after.view())]
    if left or undone:
        shown = "; ".join([*left[:5], *undone])
        raise Unverified(
            "TV5002", f"the store is not what was wanted: {shown}", "Run `schema plan` to see what is left."
        )
    return Result(plan, tuple(seconds), fingerprint(after.catalog))


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
