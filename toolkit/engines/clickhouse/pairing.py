"""Which table is to be rebuilt, and why: how it is paired with its copy, along which key, and how the copy is made.

Pure. `planner` says what differs, `carrying` what the copy keeps; the steps follow in `rebuild`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.engines.clickhouse import carrying, planner, render, shadow, traits, versions
from toolkit.engines.clickhouse import layout as layouts
from toolkit.engines.clickhouse import ttl as ttls
from toolkit.engines.clickhouse.layout import Placed, Placement
from toolkit.engines.clickhouse.names import OTHER
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.errors import Unsupported
from toolkit.plan import Observed, Sql


@dataclass(frozen=True, slots=True)
class Work:
    """One rebuild. `moved`: the table stands on one server and goes to a cluster; `passing`: what the distributed table
    gets there of columns that others have added, `foreign`: where these will be; `why`: what differs, in words;
    `ttl`: the time to live that the copy gets, where that is another one."""

    placed: Placed
    live: str
    moved: bool
    facts: Json
    uuid: str
    rows: int
    bytes: int
    create: tuple[Sql, ...]
    pair: shadow.Pair
    light: tuple[str, ...]
    passing: tuple[str, ...]
    foreign: tuple[Path, ...]
    engine: str
    why: str
    ttl: str


def work(
    goal: Sequence[Placed], observed: Observed, wanted: Definition, rules: Profile, placement: Placement
) -> Work | None:
    """What is to be rebuilt; None: nothing."""
    placed = goal[0]
    have = observed.catalog.children(("tables", placed.table.name))
    plain = observed.catalog.children(("tables", rules.table))
    moved = placement.cluster is not None and not have and "MergeTree" in str(plain.get("engine", ""))
    live = rules.table if moved else placed.table.name
    why = "it moves to the cluster" if moved else _why(placed, have, observed)
    if not why:
        return None
    facts = observed.traits.get("table")
    if facts is None or not observed.catalog.children(("tables", live)):
        raise Unsupported("TV4201", f"table {live} has {why}; no ALTER can change that", planner.NO_WAY)
    known = traits.decode(facts)
    carrying.refuse(known, live, why, moved, placement)
    sizes = observed.traits["sizes"]
    assert isinstance(sizes, dict)
    pair = _pair(placed, live, moved, known, plain if moved else have, rules, placement)
    mine = observed.catalog.children(("tables", live))
    shadowed = layouts.layout(wanted, rules, carrying.kept(known, placement))[0]
    added = carrying.columns(known, placed.table, mine) if moved else []
    indexes = carrying.indexes(known, placed.table, mine) if moved else []
    passing = tuple(render.add_plain_column(x.name, x.passing) for x in added)
    there: Path = ("tables", placed.table.name)
    ttl = str(shadowed.table.catalog.get("ttl", ""))
    return Work(
        placed=placed, live=live, moved=moved, facts=facts, uuid=known.uuid,
        rows=_number(sizes["rows"]), bytes=_number(sizes["bytes"]),
        create=_create(shadowed, goal, known, mine, moved, passing, placement), pair=pair,
        passing=passing,
        foreign=(*((*there, "columns", x.name) for x in added), *((*there, "indexes", n) for n in indexes)),
        light=shadow.NEEDED[:-1], engine="ENGINE = MergeTree" if moved else versions.everywhere(placement), why=why,
        ttl="" if ttl == known.ttl else ttl,
    )  # fmt: skip


def _why(placed: Placed, have: Mapping[str, Json], observed: Observed) -> str:
    if not have:
        return ""
    return planner.fixed_difference(placed, observed.catalog) or _policy(placed, have, observed.traits)


def _policy(placed: Placed, have: Mapping[str, Json], seen: Mapping[str, Json]) -> str:
    """A storage policy can take another's place only if it has all its disks."""
    old, new = (_setting(facts) for facts in (have, placed.table.catalog))
    policies = seen.get("policies")
    if old == new or not isinstance(policies, dict):
        return ""
    disks = [policies.get(name.strip("'")) for name in (old, new)]
    if not all(isinstance(d, list) for d in disks) or set(_texts(disks[0])) <= set(_texts(disks[1])):
        return ""
    return f"storage policy {old}, whose disks {new} does not have"


def _setting(facts: Mapping[str, Json]) -> str:
    settings = facts.get("settings")
    return str(settings.get("storage_policy", "'default'")) if isinstance(settings, dict) else "'default'"


def _texts(value: Json) -> list[str]:
    return [str(element) for element in value] if isinstance(value, list) else []


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _pair(
    placed: Placed, live: str, moved: bool, known: traits.TableTraits, have: Mapping[str, Json], rules: Profile,
    placement: Placement,
) -> shadow.Pair:  # fmt: skip
    wanted = {column.name: column for column in placed.table.columns}
    types = {name: planner.type_of(wanted[name].catalog) if name in wanted else type
             for name, type in known.columns.items() if name in wanted or name not in _ours(have)}  # fmt: skip
    order = _texts(have.get("order_by"))
    # A move reads the old table by its own name, and the new ones by the name of the distributed table beside it.
    cluster = None if moved else placement.cluster
    final = have.get("engine") == rules.engine
    ttl = {c for text in (known.ttl, str(placed.table.catalog.get("ttl", ""))) for c in ttls.conditions(text)}
    changed = {name for name, type in types.items() if type != known.columns[name]}
    return shadow.Pair(
        live=live,
        cluster=cluster,
        now=shadow.side(live, cluster, rules.cluster.sharding, final),
        beside=shadow.side(OTHER, cluster, rules.cluster.sharding, True),
        columns=types,
        changed=frozenset(changed),
        key=_cut(order, known.columns),
        ttl=tuple(sorted(ttl)),
        gone={name: " OR ".join(ttls.conditions(text)) for name, text in known.ttls.items()},
        filled=frozenset(n for n in changed if "Nullable(" in known.columns[n] and "Nullable(" not in types[n]),
    )


def _ours(have: Mapping[str, Json]) -> set[str]:
    """Columns of the live table that some version of ours has; the others are somebody's own and are kept."""
    columns = have.get("columns")
    return set(columns) if isinstance(columns, dict) else set()


def _cut(order: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """The beginning of the sorting key whose columns never change and are never missing."""
    found: dict[str, str] = {}
    for name in order:
        if name not in shadow.CONSTANT or "Nullable(" in columns.get(name, "Nullable("):
            break
        type = columns[name]
        found[name] = type.removeprefix("LowCardinality(").removesuffix(")") if "LowCard" in type else _universal(type)
    return found


def _universal(type: str) -> str:
    """A time in UTC: elsewhere two moments, an hour apart, have one text when clocks go back."""
    found = re.match(r"DateTime(?:64\((\d))?", type)
    if found is None:
        return type
    return f"DateTime64({found[1]}, 'UTC')" if found[1] else "DateTime('UTC')"


def _create(
    placed: Placed, goal: Sequence[Placed], known: traits.TableTraits, mine: Mapping[str, Json], moved: bool,
    passing: Sequence[str],
    placement: Placement,
) -> tuple[Sql, ...]:  # fmt: skip
    """The shadow as the wanted version has it, with the columns, indexes and settings that others have added. `placed`:
    with the live table's own time to live, settings and storage policy, where the operator wishes no other."""
    wanted, cluster = placed.table, placement.cluster
    name = wanted.name if moved else OTHER
    made = render.create_table_as(wanted, name, placed.clauses, cluster)
    extra = carrying.actions(known, wanted, mine)
    found = [made, *([render.alter(name, extra, cluster)] if extra else [])]
    if moved:
        front = goal[-1]
        found.append(render.create_table_as(front.table, OTHER, front.clauses, None))
        if passing:
            found.append(render.alter(OTHER, passing, None))
    return tuple(found)
