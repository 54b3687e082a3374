"""Which upgrade paths there are: from every published schema and route of an engine to a version.

Pure; what a route differs in is told as statements, made from the planner's own steps where that is possible.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.attributes import Family
from toolkit.catalog import Catalog, Json, objects
from toolkit.definition import Definition, version_key
from toolkit.engines import Engine
from toolkit.errors import UsageError
from toolkit.lineage import Known, members
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.routes import PublishedRoute
from toolkit.verify.evidence import UpgradePath

_MEMBERS = (("columns",), ("properties",))


def paths(
    engine: Engine, chain: Sequence[Definition], routes: Sequence[PublishedRoute], goal: Definition,
    overlay: Overlay = NO_OVERLAY,
) -> tuple[UpgradePath, ...]:  # fmt: skip
    """From every schema of `engine` that comes before `goal` to it, oldest first, each schema once."""
    found: list[UpgradePath] = []
    known = members(engine, chain, routes, overlay)
    others = {route.name: route.change for route in routes if route.engine == engine.NAME}
    for one in known:
        definition = definition_of(engine, chain, one, known)
        if version_key(definition.version) < version_key(goal.version):
            wanted = engine.catalog(overlay.apply(goal), overlay)
            steady = not retyped(one.catalog, wanted)
            change = others.get(one.name)
            found.append(
                UpgradePath(engine.NAME, one.name, definition, one.records, goal, overlay, steady,
                            change.statements if change else (), one.defect)
            )  # fmt: skip
    return tuple(found)


def retyped(old: Catalog, new: Catalog) -> tuple[str, ...]:
    """Columns or fields that both have, with another type: a writer must know which of the two it writes to."""
    before, after = objects(old), objects(new)
    both = (path for path in before.keys() & after.keys() if path[-2:-1] in _MEMBERS)
    return tuple(sorted(path[-1] for path in both if _type(before[path]) != _type(after[path])))


def _type(facts: Json) -> Json:
    return facts.get("type") if isinstance(facts, dict) else facts


def chosen(
    engine: str, found: Sequence[UpgradePath], starts: Sequence[str], chain: Sequence[Definition]
) -> tuple[UpgradePath, ...]:
    """Those on `engine` that begin at one of `starts`; all when there are none. A version stands for its labels where
    an engine has only those, and the other way round. UsageError for a start that no path has."""
    if not starts:
        return tuple(found)
    names = [path.start for path in found]
    wanted: set[str] = set()
    for start in starts:
        called = {start} if start in names else _also_called(start, chain).intersection(names)
        if not called:
            hint = f"Paths begin there at {', '.join(names)}."
            raise UsageError("TV2080", f"no path on {engine} begins at {start[:60]!r}", hint)
        wanted |= called
    return tuple(path for path in found if path.start in wanted)


def _also_called(start: str, chain: Sequence[Definition]) -> set[str]:
    groups = ({definition.version, *definition.labels.elasticsearch} for definition in chain)
    return {name for group in groups if start in group for name in group}


def definition_of(engine: Engine, chain: Sequence[Definition], one: Known, known: Sequence[Known]) -> Definition:
    """The definition whose records a store of the schema `one` holds."""
    like = next((other for other in known if not other.route and other.catalog == one.catalog), one)
    definition = next(d for d in chain if d.version == like.version)
    if engine.FAMILY is Family.ELASTICSEARCH and like.name in definition.labels.elasticsearch:
        return definition.at_label(like.name)
    return definition
