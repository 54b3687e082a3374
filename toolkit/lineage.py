"""The known schemas of every published version and route, and which of them an unknown store is, or is nearest to.

Pure: catalogs are compared object by object; the same list makes `schema/lineage.json`. It never touches a store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from toolkit.attributes import Family
from toolkit.catalog import ABSENT, Absent, Catalog, Difference, Json, Path, fingerprint, objects, same
from toolkit.definition import Definition
from toolkit.engines import Engine
from toolkit.engines import engine as engine_called
from toolkit.errors import DefinitionError, UsageError
from toolkit.overlay import NO_OVERLAY, Overlay
from toolkit.plan import foreign_objects
from toolkit.routes import PublishedRoute

FORMAT = "temporal-visibility-lineage/1"
# A match at least this good may be worked with; below it a store is rather something else.
LIKELY = 0.9


@dataclass(frozen=True, slots=True)
class Known:
    """One published schema: its name, the version whose definition it follows, the label such a store records, who
    makes it. `defect`: it should not be as it is; `route`: another way to a version that has a schema of its own."""

    name: str
    version: str
    records: str | None
    by: str
    catalog: Catalog
    note: str = ""
    defect: bool = False
    route: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How many objects of one kind a half-applied version has, of those it brings (`removed`: takes away)."""

    kind: str
    done: int
    total: int
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Partial:
    """A version applied in part: everything of `base`, some of what `goal` brings. `unfinished`: index builds that
    were begun and not ended."""

    base: Known
    goal: Known
    progress: tuple[Progress, ...]
    unfinished: tuple[str, ...]

    @property
    def unfinished_parts(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.unfinished) or any(part.done < part.total for part in self.progress)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a store is. `exact`: the published schemas it equals; else `partial`, or `nearest` with `differences`.
    `confidence`: the share of objects that fit, 1.0 for an exact match; `foreign`: what no published schema has."""

    recorded: str | None
    exact: tuple[Known, ...]
    partial: Partial | None
    nearest: Known | None
    differences: tuple[Difference, ...]
    confidence: float
    foreign: tuple[Path, ...]
    fingerprint: str
    is_empty: bool

    @property
    def best(self) -> Known | None:
        """The schema that describes the store best: as recorded, if that fits."""
        return self.exact[0] if self.exact else self.partial.base if self.partial else self.nearest


def members(
    engine: Engine, chain: Sequence[Definition], routes: Sequence[PublishedRoute], overlay: Overlay = NO_OVERLAY
) -> tuple[Known, ...]:
    """All known schemas of `engine`, in the order of upgrades; versions the overlay does not fit are left out."""
    found = [_of_version(engine, part, label, overlay) for part, label in _parts(engine, chain)]
    known = [one for one in found if one is not None]
    names = {one.name for one in known}
    fitting = [route for route in routes if route.engine == engine.NAME and route.like in names]
    return tuple(known + [_of_route(route, known) for route in fitting])


def _parts(engine: Engine, chain: Sequence[Definition]) -> Iterator[tuple[Definition, str]]:
    """Definition and label; a search engine had several labels within some versions, and some for several."""
    if engine.FAMILY is not Family.ELASTICSEARCH:
        yield from ((d, engine.label(d)) for d in chain if engine.supports(d))
        return
    last = {label: definition for definition in chain for label in definition.labels.elasticsearch}
    yield from ((definition.at_label(label), label) for label, definition in last.items())


def catalog_of(engine: Engine, definition: Definition, overlay: Overlay = NO_OVERLAY) -> Catalog:
    """The catalog of a version with the overlay on top of it; what is released is worked out once a process.

    UsageError when the overlay does not fit the version.
    """
    return (
        _plain(engine.NAME, definition) if overlay == NO_OVERLAY else engine.catalog(overlay.apply(definition), overlay)
    )


@cache
def _plain(name: str, definition: Definition) -> Catalog:
    return engine_called(name).catalog(definition)


def _of_version(engine: Engine, definition: Definition, label: str, overlay: Overlay) -> Known | None:
    try:
        catalog = catalog_of(engine, definition, overlay)
    except (UsageError, DefinitionError):
        return None
    return Known(label, definition.version, label, f"releases: {definition.servers}", catalog)


def _of_route(route: PublishedRoute, known: Sequence[Known]) -> Known:
    like = next(one for one in known if one.name == route.like)
    catalog = like.catalog.having(route.change.path, route.change.value) if route.change else like.catalog
    return Known(route.name, like.version, route.records, route.by, catalog, route.note, route.defect, True)


def content(families: Sequence[tuple[Engine, Sequence[Known]]]) -> str:
    """The text of `schema/lineage.json`."""
    engines: dict[str, Json] = {engine.NAME: [_line(one) for one in known] for engine, known in families}
    return json.dumps({"format": FORMAT, "engines": engines}, indent=2, ensure_ascii=False) + "\n"


def _line(one: Known) -> Json:
    facts: dict[str, Json] = {"name": one.name, "version": one.version, "records": one.records,
                              "fingerprint": fingerprint(one.catalog), "by": one.by}  # fmt: skip
    return facts | ({"note": one.note} if one.note else {}) | ({"defect": True} if one.defect else {})


def identify(
    recorded: str | None, observed: Catalog, known: Sequence[Known], empty: Catalog, released: Sequence[Known] = ()
) -> Identity:
    """Which of `known` the observed catalog is. What stands beside the known objects does not count; `released`: the
    schemas without the overlay, whose objects are no strangers even where the overlay leaves them out."""
    both = known if released is known else (*known, *released)
    foreign = foreign_objects(observed, (*(one.catalog for one in both), empty))
    ours = observed.without(foreign)
    mark = fingerprint(ours)
    blank = Identity(recorded, (), None, None, (), 0.0, foreign, mark, mark == fingerprint(empty))
    if blank.is_empty or not known:
        return blank
    exact = [one for one in known if same(one.catalog, ours)]
    if exact:
        ordered = sorted(exact, key=lambda one: (one.records != recorded, one.defect, one.route))
        if recorded is not None and ordered[0].records != recorded:
            # Half-way up, a version may look like an older one: 1.6 drops what 1.5 brought before it makes it anew.
            half = _nearest(blank, objects(ours), known)
            if half.partial is not None and half.partial.unfinished_parts:
                return half
        return replace(blank, exact=tuple(ordered), nearest=ordered[0], confidence=1.0)
    return _nearest(blank, objects(ours), known)


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a store fits between two schemas: `wrong` are the objects that neither explains."""

    base: Known
    goal: Known
    wrong: tuple[Path, ...]
    wanted: int

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The better, the less: few wrong objects, one schema rather than two, the closest two."""
        return len(self.wrong), self.base is not self.goal, self.wanted


def _nearest(blank: Identity, have: Mapping[Path, Json], known: Sequence[Known]) -> Identity:
    every = {one.name: objects(one.catalog) for one in known}
    fits = [_fit(have, base, goal, every) for base, goal in _pairs(blank.recorded, known)]
    fits = [fit for fit in fits if fit.base is fit.goal or _begun(fit, have, every)]
    best = min(fits, key=lambda fit: (fit.rank[0], fit.base.records != blank.recorded, *fit.rank[1:]))
    total = len(have.keys() | every[best.base.name].keys())
    confidence = round(max(0.0, 1 - len(best.wrong) / max(1, total)), 3)
    if best.base is not best.goal and not best.wrong:
        partial = _partial(best, have, every)
        return replace(blank, partial=partial, nearest=best.base, confidence=confidence)
    near = _closest(best, have, every)
    wanted = every[near.name]
    left = sorted(p for p in have.keys() | wanted.keys() if have.get(p, ABSENT) != wanted.get(p, ABSENT))
    different = tuple(Difference(p, have.get(p, ABSENT), wanted.get(p, ABSENT)) for p in left)
    return replace(blank, nearest=near, differences=different, confidence=confidence)


def _pairs(recorded: str | None, known: Sequence[Known]) -> Iterator[tuple[Known, Known]]:
    """Each schema by itself, and with the one that an upgrade leads to next. A store that claims the later one was
    not stopped on the way to it."""
    plain = [one for one in known if not one.route]
    after = {one.name: following for one, following in pairwise(plain)}
    for one in known:
        yield one, one
        following = after.get(one.records if one.route and one.records else one.name)
        if following is not None and recorded in (None, one.records):
            yield one, following


def _fit(have: Mapping[Path, Json], base: Known, goal: Known, every: Mapping[str, Mapping[Path, Json]]) -> _Fit:
    old, new = every[base.name], every[goal.name]
    changed = {p[-1] for p in old.keys() & new.keys() if old[p] != new[p]}
    changed |= {p[-1] for p in old.keys() - new.keys()}
    wrong = [p for p in have.keys() | old.keys() | new.keys() if not _explained(have, old, new, p, changed)]
    steps = sum(1 for p in old.keys() | new.keys() if old.get(p) != new.get(p))
    return _Fit(base, goal, tuple(wrong), steps)


def _begun(fit: _Fit, have: Mapping[Path, Json], every: Mapping[str, Mapping[Path, Json]]) -> bool:
    """Whether the store is no longer as before the upgrade."""
    old, new = every[fit.base.name], every[fit.goal.name]
    return any(have.get(p, ABSENT) != old.get(p, ABSENT) for p in old.keys() | new.keys())


def _explained(
    have: Mapping[Path, Json], old: Mapping[Path, Json], new: Mapping[Path, Json], path: Path, changed: set[str]
) -> bool:
    """Whether the object is as before the upgrade, as after it, or on the way: gone to be made anew."""
    found = have.get(path, ABSENT)
    before, after = old.get(path, ABSENT), new.get(path, ABSENT)
    if found in (before, after):
        return True
    if old is new:
        return False
    if isinstance(found, Absent):
        # Nothing is dropped on the way but what is changed, and the indexes on it.
        return before != after or (path[-2:-1] == ("indexes",) and any(word in json.dumps(after) for word in changed))
    return _finished(found) == after


def _finished(facts: Json) -> Json:
    """An index as it will be once its build has ended."""
    if not isinstance(facts, dict) or "valid" not in facts:
        return facts
    return {name: value for name, value in facts.items() if name != "ready"} | {"valid": True}


def _partial(fit: _Fit, have: Mapping[Path, Json], every: Mapping[str, Mapping[Path, Json]]) -> Partial:
    old, new = every[fit.base.name], every[fit.goal.name]
    counts: dict[tuple[str, bool], list[int]] = {}
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path, ABSENT), new.get(path, ABSENT)
        if before != after:
            done = counts.setdefault((_kind(path), isinstance(after, Absent)), [0, 0])
            done[0] += have.get(path, ABSENT) == after
            done[1] += 1
    unfinished = [p[-1] for p, facts in have.items() if _finished(facts) != facts]
    progress = tuple(Progress(kind, done, total, removed) for (kind, removed), (done, total) in counts.items())
    return Partial(fit.base, fit.goal, progress, tuple(sorted(unfinished)))


def _kind(path: Path) -> str:
    """The word for objects at such a path: columns, indexes, properties, functions."""
    return path[2] if path[0] == "tables" and len(path) > 3 else "tables" if path[0] == "tables" else path[0]


def _closest(fit: _Fit, have: Mapping[Path, Json], every: Mapping[str, Mapping[Path, Json]]) -> Known:
    """Of the two schemas of a fit the one with fewer differences."""

    def distance(one: Known) -> int:
        wanted = every[one.name]
        return sum(1 for p in have.keys() | wanted.keys() if have.get(p, ABSENT) != wanted.get(p, ABSENT))

    return min((fit.base, fit.goal), key=distance)
