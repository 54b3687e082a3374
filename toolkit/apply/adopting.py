"""Taking over a store that other tools or hands made: what it is goes into our books, and nothing else is touched.

It decides which records are written; writing them is an ordinary run, under the lock, with a line in the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from toolkit.apply.checking import labelled, wait_for_run
from toolkit.apply.recognising import identify_store, is_beyond, only_we_record, too_new
from toolkit.apply.runner import Task
from toolkit.catalog import fingerprint
from toolkit.definition import Definition
from toolkit.engines import Client, Engine
from toolkit.errors import Unsupported, UsageError
from toolkit.lineage import LIKELY, Identity
from toolkit.lineage_reports import lines
from toolkit.overlay import Overlay
from toolkit.plan import Observed, Plan, Step
from toolkit.versions import find

# The template of a search engine is no record of ours: it changes what the next index will be.
_NO_RECORD = "record.template"
_RECORDED = ("recorded",)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a store was seen to be, the version it is taken over as, and the task that writes that down."""

    identity: Identity
    version: str
    task: Task


def adoption(
    engine: Engine, client: Client, overlay: Overlay, version: str | None, begun: Plan | None = None
) -> Adoption:
    """How the store is taken over, as `version` if that is said; `begun`: the plan of a run that was cut off, to go on
    with. LockHeld when somebody works on it, UsageError when there is nothing to take over or nothing tells what it
    is."""
    wait_for_run(client, 0.0)
    observed = client.observe()
    identity = identify_store(engine, observed, overlay)
    if begun is not None:
        return Adoption(identity, version or begun.wanted, _task(begun))
    if identity.is_empty:
        raise UsageError("TV6105", "there is nothing to take over: the store is empty", "`schema upgrade` makes it.")
    if version is None and is_beyond(engine, observed.recorded):
        raise too_new(observed.recorded, "; or say with --as VERSION what to record")
    definition, name = _definition(identity, version)
    plan = Plan(
        engine=engine.NAME,
        found=tuple(dict.fromkeys(one.version for one in identity.exact)),
        recorded=observed.recorded,
        wanted=definition.version,
        base=fingerprint(observed.catalog),
        goal=fingerprint(observed.catalog),
        steps=_records(engine, observed, identity, definition, overlay, said=version is not None),
        foreign=identity.foreign,
    )
    return Adoption(identity, name, _task(plan))


def _task(plan: Plan) -> Task:
    def check(after: Observed) -> tuple[str, ...]:
        view = after.view()
        undone = tuple(step.title for step in plan.steps if not step.is_done(view))
        return undone if fingerprint(after.catalog) == plan.base else (*undone, "the schema has changed meanwhile")

    return Task("adopt", plan, check)


def _definition(identity: Identity, version: str | None) -> tuple[Definition, str]:
    if version is not None:
        return labelled(find(version), version), version
    best = identity.best
    if best is None or (not identity.exact and identity.partial is None and identity.confidence < LIKELY):
        shown = next(iter(lines(identity)), "")
        raise UsageError("TV6102", f"nothing tells what this store is: {shown}", "Say it with --as VERSION.")
    label = best.records or best.name
    definition = find(best.version)
    # A route's label may belong to another version than the one whose schema it has.
    return (labelled(definition, label), label) if not best.route else (labelled(definition, best.version), best.name)


def _records(
    engine: Engine, observed: Observed, identity: Identity, definition: Definition, overlay: Overlay, said: bool
) -> tuple[Step, ...]:
    """The steps that write down what the store is. Temporal's own record stays, unless a version was said."""
    ours = replace(observed, catalog=observed.catalog.without(identity.foreign))
    try:
        steps = engine.steps(ours, overlay.apply(definition), overlay)
    except Unsupported:
        # It cannot become that version in place; its books can be kept all the same.
        goal = overlay.apply(definition)
        steps = engine.steps(replace(ours, catalog=engine.catalog(goal, overlay)), goal, overlay)
    records = (step for step in steps if step.id.startswith("record.") and step.id != _NO_RECORD)
    # A record that only we keep is behind when Temporal's tool has upgraded the index.
    behind = only_we_record(engine) and bool(identity.exact)
    keep = observed.recorded is not None and not said and not behind
    return tuple(s for s in records if not (keep and any(expect.path == _RECORDED for expect in s.done)))
