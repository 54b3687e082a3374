"""From an observed store and a wanted definition to a Plan: recognise, set foreign objects aside, ask the engine.

Pure: the observation comes as a value, and the chain of known versions as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

from toolkit.attributes import Family
from toolkit.catalog import Catalog, Path, fingerprint, same
from toolkit.definition import Definition, version_key
from toolkit.engines import Engine
from toolkit.engines.online import OnlineEngine, Route
from toolkit.errors import DefinitionError, UsageError, VersionError
from toolkit.lineage import catalog_of
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import Observed, Plan, Step, foreign_objects

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What an observed store is: `versions` whose schema it equals, foreign objects left out; () when none."""

    versions: tuple[str, ...]
    foreign: tuple[Path, ...]
    fingerprint: str
    is_empty: bool


def recognise(engine: Engine, observed: Observed, chain: Sequence[Definition], overlay: Overlay) -> Recognised:
    """Which published versions the observed schema equals, whatever version the store claims to be."""
    known = dict(_fitting(engine, chain, overlay))
    # What an overlay leaves out is ours all the same: it is to go, not to be left alone.
    plain = [catalog_of(engine, d) for d in chain if d.version in known] if overlay != NO_OVERLAY else []
    foreign = foreign_objects(observed.catalog, (*known.values(), *plain, engine.empty()))
    ours = observed.catalog.without(foreign)
    versions = tuple(version for version, catalog in known.items() if same(catalog, ours))
    return Recognised(versions, foreign, fingerprint(ours), same(ours, engine.empty()))


def beside(engine: Engine, observed: Observed, chain: Sequence[Definition], overlay: Overlay) -> tuple[Path, ...]:
    """What somebody has put beside our objects: no version has it, and it changes none of them."""
    from toolkit.engines.drifting import DRIFTING, drifting

    if engine.NAME not in DRIFTING:
        return ()
    foreign = recognise(engine, observed, chain, overlay).foreign
    return tuple(path for path in foreign if not drifting(engine.NAME).is_extra(path, observed))


def meant(engine: Engine, plan: Plan, wanted: Definition, overlay: Overlay) -> Catalog:
    """The catalog that `plan` leads to: that of `wanted`, or of one of the labels that search engines had within it.
    UsageError when it leads elsewhere: a run that was cut off, or a plan in a file, may be of another overlay."""
    labels = wanted.labels.elasticsearch if engine.FAMILY is Family.ELASTICSEARCH else ()
    for definition in (wanted, *map(wanted.at_label, labels)):
        catalog = catalog_of(engine, definition, overlay)
        if fingerprint(catalog) == plan.goal:
            return catalog
    message = f"this plan was made with another overlay: it does not lead to {wanted.version} with the one here"
    hint = "Give the store that overlay again; or make a new plan, after `schema rollback` of a run that was begun."
    raise UsageError("TV5118", message, hint)


def make_plan(
    engine: Engine,
    observed: Observed,
    wanted: Definition,
    chain: Sequence[Definition],
    overlay: Overlay = NO_OVERLAY,
    offline: bool = False,
) -> Plan:
    """The plan from `observed` to `wanted`: beside live writes where the engine knows a way, unless `offline`.

    Raises VersionError when the engine has no such version.
    """
    if not engine.supports(wanted):
        first = next((d.version for d in chain if engine.supports(d)), "none")
        raise VersionError(
            "TV2005",
            f"{engine.NAME} has no version {wanted.version}",
            f"The first version on {engine.NAME} is {first}.",
        )
    goal = overlay.apply(wanted)
    known = (*chain, wanted) if wanted not in chain else tuple(chain)
    seen = recognise(engine, observed, known, overlay)
    ours = replace(observed, catalog=observed.catalog.without(seen.foreign))
    if isinstance(engine, OnlineEngine) and not offline:
        route = engine.online(ours, goal, overlay)
    else:
        route = Route(engine.steps(ours, goal, overlay))
    return Plan(
        engine=engine.NAME,
        found=seen.versions,
        recorded=observed.recorded,
        wanted=wanted.version,
        base=fingerprint(observed.catalog),
        goal=fingerprint(catalog_of(engine, wanted, overlay)),
        steps=_with_reasons(engine, route.steps, _between(known, seen.versions, wanted)),
        foreign=(*seen.foreign, *route.foreign),
        rollback=route.rollback,
        abandon=route.abandon,
        finish=route.finish,
    )


def _fitting(engine: Engine, chain: Sequence[Definition], overlay: Overlay) -> Iterator[tuple[str, Catalog]]:
    """The versions that the overlay can be laid over, and their catalogs: what it names may be younger than others."""
    for definition in chain:
        if engine.supports(definition):
            with suppress(UsageError, DefinitionError):
                yield definition.version, catalog_of(engine, definition, overlay)


def unlike(observed: Catalog, goal: Catalog, foreign: Sequence[Path]) -> tuple[str, ...]:
    """What still differs after a run, in words; () when the store is what was wanted."""
    from toolkit.catalog import differences

    return tuple(str(d) for d in differences(observed.without(foreign), goal))


def _between(
    chain: Sequence[Definition], found: Sequence[str], wanted: Definition
) -> list[tuple[Definition, Definition]]:
    """Neighbouring versions on the way up to `wanted`, from the newest version the store equals."""
    start = max((version_key(v) for v in found), default=())
    goal = version_key(wanted.version)
    return [(a, b) for a, b in pairwise(chain) if start < version_key(b.version) <= goal]


def _with_reasons(
    engine: Engine, steps: Sequence[Step], way: Sequence[tuple[Definition, Definition]]
) -> tuple[Step, ...]:
    """Each step with the versions whose changes ask for it."""
    if not steps:
        return ()
    from toolkit.diff import diff

    touched: dict[str, list[str]] = {}
    for before, after in way:
        for change in diff(before.on(engine.FAMILY), after.on(engine.FAMILY)):
            for name in engine.objects(change):
                touched.setdefault(name, []).append(after.version)
    return tuple(_because(step, touched) for step in steps)


def _because(step: Step, touched: Mapping[str, Sequence[str]]) -> Step:
    words = {*step.objects, *_WORD.findall(f"{step.id} {step.title}")}
    versions = sorted({v for word in words for v in touched.get(word, ())}, key=version_key)
    if not versions:
        return step
    needed = f"version {versions[0]}" if len(versions) == 1 else f"versions {versions[0]} to {versions[-1]}"
    return replace(step, reason=f"{needed}: {step.reason}" if step.reason else needed)
