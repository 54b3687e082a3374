"""The way past what no ALTER can change: another engine, key or partitioning, or a move from one server to a cluster.

Pure; `pairing` says what is rebuilt, `shadow` has the statements, this module gives their order and the ways back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toolkit.definition import Definition
from toolkit.engines.clickhouse import arriving, pairing, planner, render, shadow, versions
from toolkit.engines.clickhouse import layout as layouts
from toolkit.engines.clickhouse.layout import Placed, Placement
from toolkit.engines.clickhouse.names import OTHER
from toolkit.engines.clickhouse.pairing import Work
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.engines.clickhouse.versions import Migration
from toolkit.engines.online import Route
from toolkit.plan import NO_LOCK, Estimate, Expect, Lock, Mode, Observed, Sql, Step, StepClass

SHORT = Lock("names of both tables", "nobody: inserts under way go on into both", brief=True)
_OTHER = ("traits", "other")
_TABLE = ("traits", "table")


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
    work = pairing.work(goal, observed, wanted, rules, placement)
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


def _entrance(goal: Sequence[Placed], work: Work, placement: Placement) -> tuple[Step, ...]:
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


def _forward(work: Work, placement: Placement) -> tuple[Step, ...]:
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


def _settled(work: Work, what: str, title: str) -> Step:
    pair = work.pair
    return Step(
        f"rebuild.{work.live}.{what}", title, "after the inserts that began before; the proof is one deleted row",
        StepClass.ONLINE, NO_LOCK,
        (arriving.wait(pair, what), *arriving.arrived(pair, what), *shadow.prove(pair)), (), (),
    )  # fmt: skip


def _divided(work: Work, what: str, since: str) -> tuple[Step, ...]:
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
    """What is beside is the live table right after it. Without the view, which somebody may have dropped, nothing could
    prove from then on that new rows reach both."""
    capture = replace(shadow.capture(pair), part="swap")
    return (shadow.mark(what, "swap"), *shadow.blocks(pair, OTHER, what, "swap"), capture, shadow.exchange(pair))


def _turned(pair: shadow.Pair) -> shadow.Pair:
    """After the swap either name may mean either table."""
    final = pair.now.final and pair.beside.final
    return replace(pair, now=replace(pair.now, final=final), beside=replace(pair.beside, final=final))


def _back(work: Work) -> tuple[Step, ...]:
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


def _same(work: Work) -> Step:
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


def _drop(work: Work, title: str, further: Sequence[str] = (), cluster: str | None = None) -> Step:
    drops = shadow.drop(work.pair.cluster)
    return Step(
        f"rebuild.{work.live}.drop", f"{title}, and stop passing rows on", "", StepClass.METADATA, NO_LOCK,
        (*drops, *(shadow.drop_table(name, cluster) for name in further)), (), (),
    )  # fmt: skip
