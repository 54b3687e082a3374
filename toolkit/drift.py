"""Where a live store differs from its version plus overlay: findings with codes, and the plan that repairs them.

Pure: the observation comes as a value, the judgement goes out as one. It never touches a store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from toolkit.catalog import ABSENT, Absent, Catalog, Json, Path, fingerprint, objects
from toolkit.definition import Definition
from toolkit.engines import Engine
from toolkit.engines.drifting import Drifting, Fault
from toolkit.engines.online import OnlineEngine, Route
from toolkit.errors import Unsupported
from toolkit.lineage import catalog_of
from toolkit.overlay import Overlay
from toolkit.plan import Expect, Observed, Plan, Step, foreign_objects

MISSING, EXTRA, DIFFERENT, UNFINISHED, RENAMED = "TV6111", "TV6112", "TV6113", "TV6114", "TV6115"
# The template of a search engine is written by a step of this name; all other records are none of the schema.
_TEMPLATE_STEP = "record.template"
_WORD = re.compile(r"\w+")
# Of long values so many signs are shown, and of these so many before the place where they differ.
_SHOWN, _BEFORE = 120, 40


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: `code` and `title` say what kind of thing, `message` what exactly.
    `steps` are the ids of those in the plan that repair it; () when it cannot be repaired in place."""

    code: str
    path: Path
    message: str
    steps: tuple[str, ...] = ()
    hint: str = ""

    @property
    def name(self) -> str:
        """The object's place, as it is shown."""
        return "/".join(self.path)


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of one store. `version`: what it was judged against; `plan`: the repair; `beside`: objects that
    are none of ours and stay as they are; `again`: after the plan there is more to repair."""

    version: str
    findings: tuple[Finding, ...]
    plan: Plan
    beside: tuple[Path, ...]
    again: bool = False


def judge(
    engine: Engine,
    own: Drifting,
    observed: Observed,
    wanted: Definition,
    overlay: Overlay,
    known: Sequence[Catalog],
    keep_extra: bool = False,
    offline: bool = False,
) -> Report:
    """What differs between the observed store and `wanted` with `overlay`. `known`: the catalogs of all published
    schemas, by which an operator's objects are told from ours; `keep_extra`: theirs inside of ours may stay, too."""
    goal = overlay.apply(wanted)
    plan_of = catalog_of(engine, wanted, overlay)
    foreign = foreign_objects(observed.catalog, (*known, plan_of, catalog_of(engine, wanted), engine.empty()))
    beside = tuple(p for p in foreign if keep_extra or not own.is_extra(p, observed))
    ours = replace(observed, catalog=observed.catalog.without(beside))
    renamed = dict(_renamed(own, ours.catalog, plan_of, overlay))
    faults = own.faults(ours, goal, overlay)
    if renamed:
        route, problem = Route(tuple(renamed.values())), ""
    else:
        route, problem = _route(engine, ours, goal, overlay, faults, offline)
    findings = [*_findings(ours.catalog, plan_of, renamed, route, problem), *_of_faults(faults, route)]
    plan = Plan(
        engine=engine.NAME,
        found=(),
        recorded=observed.recorded,
        wanted=wanted.version,
        base=fingerprint(observed.catalog),
        goal=fingerprint(plan_of),
        steps=route.steps,
        foreign=beside,
        rollback=route.rollback,
        abandon=route.abandon,
        finish=route.finish,
    )
    return Report(wanted.version, tuple(findings), plan, beside, again=bool(renamed))


def _route(
    engine: Engine, ours: Observed, goal: Definition, overlay: Overlay, faults: Sequence[Fault], offline: bool
) -> tuple[Route, str]:
    """The repair, and why there is none."""
    try:
        if isinstance(engine, OnlineEngine) and not offline:
            route = engine.online(ours, goal, overlay)
        else:
            route = Route(engine.steps(ours, goal, overlay))
    except Unsupported as error:
        return Route(tuple(step for fault in faults for step in fault.steps)), f"{error.message}. {error.hint}"
    steps = tuple(step for step in route.steps if not step.id.startswith("record.") or step.id == _TEMPLATE_STEP)
    there = {step.id for step in steps}
    more = {step.id: (step, fault.first) for fault in faults for step in fault.steps if step.id not in there}
    before = (step for step, first in more.values() if first)
    after = (step for step, first in more.values() if not first)
    return replace(route, steps=(*before, *steps, *after)), ""


def _renamed(own: Drifting, have: Catalog, want: Catalog, overlay: Overlay) -> Iterator[tuple[Path, Step]]:
    """Objects that are there under another name: path of the wanted one → the step that renames."""
    found, wanted = objects(have), objects(want)
    extra = {path: facts for path, facts in found.items() if path not in wanted}
    for path, facts in wanted.items():
        if path in found or len(path) < 2:
            continue
        twins = [p for p, f in extra.items() if p[:-1] == path[:-1] and f == facts]
        rivals = [p for p, f in wanted.items() if p not in found and p[:-1] == path[:-1] and f == facts]
        if len(twins) == len(rivals) == 1:
            step = own.rename(twins[0], facts, path[-1], overlay)
            if step is not None:
                yield path, replace(step, done=(*step.done, Expect(("catalog", *path), facts)))


def _findings(
    have: Catalog, want: Catalog, renamed: Mapping[Path, Step], route: Route, problem: str
) -> Iterator[Finding]:
    found, wanted = _whole_tables(have, want)
    old_names = {(*path[:-1], step.objects[0]) for path, step in renamed.items()}
    for path in sorted(found.keys() | wanted.keys()):
        observed, asked = found.get(path, ABSENT), wanted.get(path, ABSENT)
        if observed == asked or path in old_names:
            continue
        if path in renamed:
            old = renamed[path].objects[0]
            yield Finding(RENAMED, path, f"{_what(path)} is called {old}", (renamed[path].id,), _own(path, asked, old))
            continue
        steps = _repairing(path, route)
        hint = "" if steps or renamed else problem or "This cannot be repaired in place."
        yield Finding(_code(observed, asked), path, _message(path, observed, asked), steps, hint)


def _own(path: Path, facts: Json | Absent, old: str) -> str:
    """A hint for columns whose values somebody has written: of one that is computed, they are the same anyhow."""
    if path[2:3] != ("columns",) or not isinstance(facts, dict) or "generated" in facts:
        return ""
    return f"Where {old} is a column of your own, --keep-extra leaves it so, and {path[-1]} is made anew."


def _whole_tables(have: Catalog, want: Catalog) -> tuple[dict[Path, Json], dict[Path, Json]]:
    """All objects; a table that is only on one side is one object."""
    tables = have.children(("tables",)).keys() ^ want.children(("tables",)).keys()
    return _with_tables(have, tables), _with_tables(want, tables)


def _with_tables(catalog: Catalog, tables: Set[str]) -> dict[Path, Json]:
    found = {p: facts for p, facts in objects(catalog).items() if not (p[0] == "tables" and p[1] in tables)}
    return found | {("tables", name): True for name in tables & catalog.children(("tables",)).keys()}


def _of_faults(faults: Sequence[Fault], route: Route) -> Iterator[Finding]:
    there = {step.id for step in route.steps}
    for fault in faults:
        steps = tuple(step.id for step in fault.steps if step.id in there)
        yield Finding(fault.code, fault.path, fault.message, steps, fault.hint)


def _code(observed: Json | Absent, asked: Json | Absent) -> str:
    if isinstance(observed, Absent):
        return MISSING
    if isinstance(asked, Absent):
        return EXTRA
    return UNFINISHED if _unfinished(observed, asked) else DIFFERENT


def _unfinished(observed: Json, asked: Json) -> bool:
    """An index that is right but for the end of its build."""
    if not isinstance(observed, dict) or observed.get("valid") is not False:
        return False
    return {k: v for k, v in observed.items() if k != "ready"} | {"valid": True} == asked


_WORDS = {
    "columns": "column", "indexes": "index", "constraints": "constraint", "triggers": "trigger", "tables": "table",
    "projections": "projection", "functions": "function", "virtual_tables": "full-text table", "properties": "field",
    "settings": "setting", "dynamic": "dynamic mapping", "extensions": "extensions", "primary_key": "primary key",
}  # fmt: skip


def _what(path: Path) -> str:
    """`index by_status`, `column int01`, `primary key of executions_visibility`."""
    match path:
        case ("tables", table):
            return f"table {table}"
        case ("tables", table, fact):
            return f"{_WORDS.get(fact, fact)} of {table}"
        case ("tables", _, kind, name):
            return f"{_WORDS.get(kind, kind)} {name}"
        case (kind, *_, name):
            return f"{_WORDS.get(kind, kind)} {name}"
        case _:
            return _WORDS.get(path[0], path[0])


def _message(path: Path, observed: Json | Absent, asked: Json | Absent) -> str:
    what = _what(path)
    if isinstance(observed, Absent):
        return f"{what} is missing"
    if isinstance(asked, Absent):
        return f"{what} is not part of the version or the overlay"
    if _unfinished(observed, asked):
        return f"{what} is INVALID: its build was not finished"
    if isinstance(observed, dict) and isinstance(asked, dict):
        names = sorted(n for n in observed.keys() | asked.keys() if observed.get(n) != asked.get(n))
        return f"{what}: " + ", ".join(f"{n} {_other(observed.get(n), asked.get(n))}" for n in names)
    return f"{what} {_other(observed, asked)}"


def _other(observed: Json, asked: Json) -> str:
    """The one and the other; of what is long, the part where they differ."""
    texts = _text(observed), _text(asked)
    alike = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, alike - _BEFORE) if max(map(len, texts)) > _SHOWN else 0
    one, other = (f"{'…' if start else ''}{t[start : start + _SHOWN]}{'…' * (len(t) > start + _SHOWN)}" for t in texts)
    return f"is {one}, not {other}"


def _text(value: Json) -> str:
    return "absent" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _repairing(path: Path, route: Route) -> tuple[str, ...]:
    """The steps that have to do with the object, by what they expect or by its name."""
    table = path[1] if path[0] == "tables" and len(path) > 1 else ""
    named = {path[-1]} if len(path) != 3 or path[0] != "tables" else set()
    swapped = any(step.id.startswith(f"rebuild.{table}") for step in route.steps) if table else False
    found = []
    for step in route.steps:
        expected = any(_about(e.path, path) for e in step.done)
        words = {*step.objects, *_WORD.findall(f"{step.id} {step.title}")}
        names = {step.id.removeprefix("index.").removesuffix(".drop"), *step.objects}
        if expected or named & names or named & words or (swapped and step.id.startswith(f"rebuild.{table}")):
            found.append(step.id)
    return tuple(found)


def _about(expected: Path, path: Path) -> bool:
    inside = expected[1:] if expected[:1] == ("catalog",) else expected
    return inside[: len(path)] == path or path[: len(inside)] == inside
