"""The way past what no ALTER can change: another engine, key or partitioning, or a move from one server to a cluster.

Pure; `planner` says what differs, `shadow` has the statements, this module gives their order and the ways back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalog import Json, Path
from toolkit.definition import Definition
from toolkit.engines.clickhouse import carrying, planner, render, shadow, traits, versions
from toolkit.engines.clickhouse import layout as layouts
from toolkit.engines.clickhouse import ttl as ttls
from toolkit.engines.clickhouse.layout import Placed, Placement
from toolkit.engines.clickhouse.names import OTHER
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.engines.clickhouse.versions import Migration
from toolkit.engines.online import Route
from toolkit.errors import Unsupported
from toolkit.plan import NO_LOCK, Estimate, Expect, Lock, Mode, Observed, Sql, Step, StepClass

SHORT = Lock("names of both tables", "nobody: inserts under way go on into both", brief=True)
_OTHER = ("traits", "other")
_TABLE = ("traits", "table")


@dataclass(frozen=True, slots=True)
class _Work:
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


def route(
    observed: Observed,
    wanted: Definition,
    rules: Profile,
    placement: Placement,
    migrations: Sequence[Migration],
    before: Definition | None,
) -> Route:
    """The way beside live writes. Raises Unsupported when the live table lacks what tells versions of a run apart."""
    goal = layouts.layout(wanted, rules, placement)
    work = _work(goal, observed, wanted, rules, placement)
    if work is None:
        return Route(planner.steps(observed, wanted, rules, placement, migrations, before))
    catalog = observed.catalog.without([("tables", work.live)]) if work.moved else observed.catalog
    done = frozenset({work.placed.table.name, *([rules.table] if work.moved else [])})
    parts = planner.parts(
        Observed(catalog, observed.recorded, observed.server, observed.rows, observed.marks),
        wanted, rules, placement, migrations, before, done,
    )  # fmt: skip
    further = (work.placed.table.name,) if work.moved else ()
    entrance = _entrance(goal, work, placement) if work.moved else ()
    undone = (
        _same(work),
        *planner.reverses(parts.changes),
        *_back(work),
        _drop(work, "Drop the newer table", further, placement.cluster),
        *planner.reverses(parts.drops),
        *versions.restore_steps(observed, wanted, migrations, placement),
    )
    dropped = _drop(work, "Drop the shadow table", further, placement.cluster)
    return Route(
        steps=(*parts.drops, *_forward(work, placement), *parts.changes, *parts.records),
        rollback=undone,
        abandon=(dropped, *planner.reverses(parts.drops)),
        finish=(_drop(work, "Drop the old table"), *entrance),
        foreign=work.foreign,
    )


def _work(
    goal: Sequence[Placed], observed: Observed, wanted: Definition, rules: Profile, placement: Placement
) -> _Work | None:
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
    return _Work(
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
    return shadow.Pair(
        live=live,
        cluster=cluster,
        now=shadow.side(live, cluster, rules.cluster.sharding, final),
        beside=shadow.side(OTHER, cluster, rules.cluster.sharding, True),
        columns=types,
        changed=frozenset(name for name, type in types.items() if type != known.columns[name]),
        key=_cut(order, known.columns),
        ttl=tuple(sorted(ttl)),
        gone={name: " OR ".join(ttls.conditions(text)) for name, text in known.ttls.items()},
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


def _entrance(goal: Sequence[Placed], work: _Work, placement: Placement) -> tuple[Step, ...]:
    """The distributed table on the other servers; where it is, nothing happens."""
    front = goal[-1]
    create = render.create_table(front.table, front.clauses, placement.cluster)
    more = [render.alter(front.table.name, work.passing, placement.cluster)] if work.passing else []
    return (
        Step(
            f"table.{front.table.name}.everywhere", f"Create table {front.table.name} on the other servers",
            "until now this server was the only way in", StepClass.METADATA, NO_LOCK, (create, *more), (), (),
        ),
    )  # fmt: skip


def _forward(work: _Work, placement: Placement) -> tuple[Step, ...]:
    """Create, pass on, copy, compare, swap, and compare once more what the swap may have divided."""
    pair, name = work.pair, work.live
    estimate = Estimate(rows=work.rows, disk=work.bytes)
    return (
        Step(
            f"rebuild.{name}.shadow", f"Create a shadow of {name} as it shall be",
            f"{work.why}; no ALTER can change that",
            StepClass.METADATA, NO_LOCK, (*work.create, shadow.marks(work.engine, pair.cluster)),
            (), (), tuple(c.name for c in work.placed.table.columns),
            needs=(Expect(_TABLE, work.facts),),
        ),
        Step(
            f"rebuild.{name}.capture", f"Pass every new row of {name} on to the shadow",
            "a materialized view: each insert goes into both", StepClass.METADATA, NO_LOCK,
            (shadow.capture(pair), shadow.mark("captured"), *shadow.blocks(pair, name, "captured")), (), (),
        ),
        _settled(work, "captured", "Prove that new rows arrive there"),
        Step(
            f"rebuild.{name}.copy", f"Copy {name} into the shadow, chunk by chunk along its key",
            "all versions of every run: what arrives twice counts once", StepClass.REBUILD, NO_LOCK,
            (shadow.bound(pair), shadow.copy(pair), shadow.size(pair)), (), (), mode=Mode.COPY, estimate=estimate,
        ),
        Step(
            f"rebuild.{name}.compare", "Compare the newest version of every run on both sides",
            "a chunk that differs is copied again", StepClass.ONLINE, NO_LOCK,
            (shadow.bound(pair), shadow.compare(pair, tuple(pair.columns)), shadow.copy(pair, "repair"),
             shadow.size(pair)),
            (), (), mode=Mode.COMPARE, estimate=Estimate(rows=work.rows),
        ),
        Step(
            f"rebuild.{name}.swap", f"Swap: the shadow becomes {name}, which stays as {OTHER}",
            "one act; the view then keeps the old table current", StepClass.REBUILD, SHORT,
            (*shadow.pending(pair), *shadow.dropped(pair, "captured", "dropped"), *_swapping(pair, "swapping")), (),
            (Expect(_OTHER, work.uuid),), mode=Mode.SWAP,
            needs=(Expect(_TABLE, work.facts),),
        ),
        *_divided(work, "swapped", "swapping"),
    )  # fmt: skip


def _settled(work: _Work, what: str, title: str) -> Step:
    return Step(
        f"rebuild.{work.live}.{what}", title, "after the inserts that began before; the proof is one deleted row",
        StepClass.ONLINE, NO_LOCK, (shadow.wait(work.pair, what), *shadow.prove(work.pair)), (), (),
    )  # fmt: skip


def _divided(work: _Work, what: str, since: str) -> tuple[Step, ...]:
    """An insert that resolved one name before the swap and one after it has both its rows in one table. `since`: the
    mark of the moment before the swap."""
    pair = _turned(work.pair)
    return (
        Step(
            f"rebuild.{work.live}.{what}.mark", "Note the time of the swap", "", StepClass.METADATA, NO_LOCK,
            (shadow.mark(what),), (), (),
        ),
        _settled(work, what, "Prove that new rows arrive in both tables"),
        Step(
            f"rebuild.{work.live}.{what}.compare", "Give each table what only the other one has",
            "an insert may have met the swap half-way", StepClass.ONLINE, NO_LOCK,
            (shadow.bound(pair), shadow.compare(pair, work.light), shadow.meddled(pair, since),
             *shadow.dropped(pair, since, "meddled"), shadow.copy(pair, "repair"), shadow.copy_back(pair),
             shadow.size(pair)),
            (), (), mode=Mode.COMPARE, estimate=Estimate(rows=work.rows),
        ),
    )  # fmt: skip


def _swapping(pair: shadow.Pair, what: str) -> tuple[Sql, ...]:
    """What is beside is the live table right after it."""
    return (shadow.mark(what, "swap"), *shadow.blocks(pair, OTHER, what, "swap"), shadow.exchange(pair))


def _turned(pair: shadow.Pair) -> shadow.Pair:
    """After the swap either name may mean either table."""
    final = pair.now.final and pair.beside.final
    return replace(pair, now=replace(pair.now, final=final), beside=replace(pair.beside, final=final))


def _back(work: _Work) -> tuple[Step, ...]:
    table = work.placed.table
    made = (*(c.name for c in table.columns), *(i.name for i in table.indexes), *shadow.named(work.ttl))
    swap = Step(
        f"rebuild.{work.live}.back", f"Swap back: {OTHER} becomes {work.live} again", "the view kept it current",
        StepClass.REBUILD, SHORT,
        (*shadow.pending(work.pair), *_swapping(work.pair, "swapping back")), (),
        (Expect((*_TABLE, "uuid"), work.uuid),), made,
        mode=Mode.SWAP, needs=(Expect(_OTHER, work.uuid),),
    )  # fmt: skip
    return (swap, *_divided(work, "swapped.back", "swapping back"))


def _same(work: _Work) -> Step:
    """No view passes on what a mutation did: a change is copied, and a run that only the old table has stops the way
    back before anything is done."""
    pair = _turned(work.pair)
    return Step(
        f"rebuild.{work.live}.same", f"See that {OTHER} has what {work.live} has, and no more",
        "what somebody took away since the swap must not come back", StepClass.ONLINE, NO_LOCK,
        (shadow.bound(pair), shadow.compare(pair, tuple(pair.columns), "compare kept"), shadow.copy(pair, "repair"),
         shadow.size(pair)),
        (), (), mode=Mode.COMPARE, estimate=Estimate(rows=work.rows),
    )  # fmt: skip


def _drop(work: _Work, title: str, further: Sequence[str] = (), cluster: str | None = None) -> Step:
    drops = shadow.drop(work.pair.cluster)
    return Step(
        f"rebuild.{work.live}.drop", f"{title}, and stop passing rows on", "", StepClass.METADATA, NO_LOCK,
        (*drops, *(shadow.drop_table(name, cluster) for name in further)), (), (),
    )  # fmt: skip
