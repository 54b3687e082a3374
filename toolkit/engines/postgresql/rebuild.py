"""From the plain steps of a plan to the way that keeps no writer waiting: a shadow table instead of a rewrite.

Pure; `planner` says what has to change, `shadow` has the statements, this module gives their order and the ways back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalog import ABSENT, Catalog, Json
from toolkit.definition import Definition
from toolkit.engines.online import Route
from toolkit.engines.physical import Index, Table
from toolkit.engines.postgresql import (
    dressing,
    drift,
    layout,
    locking,
    planner,
    recording,
    render,
    shadow,
    traits,
    versions,
)
from toolkit.engines.postgresql.names import LOG, OLD, SHADOW
from toolkit.engines.postgresql.typemap import Profile
from toolkit.plan import NO_LOCK, Expect, Lock, Mode, Observed, Sql, Step, StepClass

SHORT = Lock("ACCESS EXCLUSIVE", "reads and writes, for milliseconds", brief=True)
WRITERS = Lock("SHARE ROW EXCLUSIVE", "writes, for milliseconds", brief=True)
READ = Lock("ACCESS SHARE", "nobody")
_UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything about one rebuild. `made`: the columns and indexes of the new table; `same`: what the copy has of the
    live table, which must be so until the swap."""

    table: Table
    live: traits.TableTraits
    same: tuple[Expect, ...]
    ddl: tuple[Sql, ...]
    forward: shadow.Pair
    back: shadow.Pair
    indexes: tuple[Index, ...]
    columns: tuple[str, ...]
    made: tuple[str, ...]


def route(plain: Sequence[Step], observed: Observed, wanted: Definition, rules: Profile) -> Route:
    """The way beside live writes. A table without a row is changed in place: nobody can be waiting for long."""
    table = layout.layout(wanted, rules).table(rules.table)
    if table is None or not _must_rebuild(plain, observed, table.name):
        return Route(tuple(_careful(step, rules.table) for step in plain))
    ours = [step for step in plain if _of_table(step, table.name)]
    first = plain.index(ours[0])
    before = [step for step in plain[:first] if step not in ours]
    after = [step for step in plain[first:] if step not in ours]
    work = _work(table, ours, observed)
    return Route(
        steps=(*before, *_steps(work), *after),
        rollback=(
            _swap_back(work, tuple(name for step in after for name in drift.constraints_dropped(step))),
            _drop(work.table.name, SHADOW, "Drop the newer table"),
            # What was made for the newer table only: the function and the extension of 1.2.
            *_reverses(before),
            *versions.restore_steps(observed, wanted),
        ),
        abandon=(_drop(work.table.name, SHADOW, "Drop the shadow table"), *_reverses(before)),
        finish=(_drop(work.table.name, OLD, "Drop the old table"),),
    )


def _must_rebuild(plain: Sequence[Step], observed: Observed, table: str) -> bool:
    """Where a change of columns is heavy. Not where the way down drops what an old table that is kept would still use:
    function and extension."""
    if any(step.id in planner.LEFTOVERS for step in plain):
        return False
    sizes = observed.traits.get("sizes")
    heavy = any(step.step_class is StepClass.REBUILD and _of_table(step, table) for step in plain)
    return heavy and isinstance(sizes, dict) and bool(sizes.get("heap"))


def _of_table(step: Step, table: str) -> bool:
    return step.id.startswith((f"columns.{table}.", "index."))


def _careful(step: Step, live: str) -> Step:
    """A concurrent build that was cut off leaves an invalid index, which IF NOT EXISTS would take for a good one. What
    locks the live table out for a moment lets an autovacuum step aside first."""
    match step.statements:
        case (Sql(text, True) as create,) if text.startswith("CREATE INDEX CONCURRENTLY"):
            return replace(step, statements=(*(s for s in step.reverse), create))
        case _ if step.lock == locking.EXCLUSIVE:
            first = locking.aside(live)
            back = (first, *step.reverse) if step.reverse else ()
            return replace(step, statements=(first, *step.statements), reverse=back)
        case _:
            return step


def _work(table: Table, ours: Sequence[Step], observed: Observed) -> _Work:
    live = traits.decode(observed.traits["table"])
    have = observed.catalog.children(("tables", table.name))
    pretended = Catalog(observed.catalog.engine, {"tables": {SHADOW: {**have, "indexes": {}}}})
    changes = [*planner.table_steps(replace(table, name=SHADOW, indexes=()), pretended)]
    dropped = {name for step in changes if step.id == f"columns.{SHADOW}.drop" for name in step.objects}
    copied = [name for name in live.plain_columns if name not in dropped]
    key = {name: live.columns[name] for name in layout.PRIMARY_KEY}
    forward = shadow.plain(table.name, SHADOW, key, copied)
    columns = dict.fromkeys((*(n for n in live.columns if n not in dropped), *(c.name for c in table.columns)))
    indexes = (*table.indexes, *_own_indexes(table, ours, live))
    primary = [name for name, tail in live.indexes.items() if tail is None]
    # One that is called otherwise is renamed after the swap.
    constraints = table.catalog["constraints"]
    assert isinstance(constraints, dict)
    return _Work(
        table=table,
        live=live,
        same=tuple(Expect(("traits", name), observed.traits[name]) for name in ("table", "details")),
        ddl=tuple(s for step in changes for s in step.statements if isinstance(s, Sql) and _is_ddl(s)),
        forward=replace(
            forward,
            values=_filled(forward.values, table, have),
            foreign=frozenset(copied) - {column.name for column in table.columns},
        ),
        back=shadow.plain(table.name, OLD, key, copied),
        indexes=indexes,
        columns=tuple(name for step in changes for name in step.objects),
        made=(*columns, *primary, *constraints, *(index.name for index in indexes)),
    )


def _own_indexes(table: Table, ours: Sequence[Step], live: traits.TableTraits) -> Iterator[Index]:
    """The operator's: no version has them, and no step drops them."""
    known = {index.name for index in table.indexes}
    known |= {step.id.removeprefix("index.").removesuffix(".drop") for step in ours if step.id.endswith(".drop")}
    for name, tail in live.indexes.items():
        if tail is not None and name not in known:
            yield Index(name, tail, None, _UNIQUE if name in live.unique else "own", name)


def _is_ddl(statement: Sql) -> bool:
    """Rows are filled while they are copied; the shadow has none when its columns are made."""
    return not statement.text.startswith("UPDATE ")


def _filled(values: Mapping[str, str], table: Table, have: Mapping[str, Json]) -> dict[str, str]:
    """Values of another type are converted; where a column becomes NOT NULL, rows without a value get the default."""
    columns = have.get("columns")
    found = dict(values)
    for column in table.columns:
        new, old = column.catalog, columns.get(column.name) if isinstance(columns, dict) else None
        if not isinstance(new, dict) or not isinstance(old, dict) or column.name not in found:
            continue
        if new.get("type") != old.get("type"):
            found[column.name] = render.converted(column, found[column.name])
        if "not_null" in new and "default" in new and "not_null" not in old:
            found[column.name] = f"coalesce({found[column.name]}, {new['default']})"
    return found


def _steps(work: _Work) -> tuple[Step, ...]:
    """Create, record, copy, follow, index, follow, compare, swap."""
    name = work.table.name
    return (
        Step(
            f"rebuild.{name}.shadow", f"Create a shadow of {name} with the wanted columns",
            "stored generated columns would rewrite the live table under an exclusive lock",
            StepClass.METADATA, READ, _shadow(work), (Sql(f"DROP TABLE IF EXISTS {SHADOW}"),), (),
            work.columns, needs=(*work.same, Expect(traits.KEPT, None)),
        ),
        Step(
            f"rebuild.{name}.capture", f"Record the keys of changed rows of {name}",
            "a trigger writes them into a log; values are read later from the live row",
            StepClass.METADATA, WRITERS,
            (*recording.log(work.live.schema, work.forward.key, work.live.owner), recording.start_once(name)),
            (recording.stop(name),), (),
        ),
        Step(
            f"rebuild.{name}.copy", f"Copy {name} into the shadow, chunk by chunk along the primary key", "",
            StepClass.REBUILD, READ, (*shadow.CHUNK, shadow.bound(work.forward), shadow.copy(work.forward)), (), (),
            mode=Mode.COPY,
        ),
        _replay(work, "follow", "Refresh what changed meanwhile"),
        Step(
            f"rebuild.{name}.indexes", f"Build {len(work.indexes)} indexes on the shadow",
            "plainly and several at a time, as nobody waits for the shadow",
            StepClass.REBUILD, NO_LOCK,
            (dressing.PLACE, *(_build(index, n) for n, index in enumerate(work.indexes, 1)), Sql(f"ANALYZE {SHADOW}")),
            (), (), tuple(i.name for i in work.indexes if i.name not in work.live.indexes), mode=Mode.PARALLEL,
        ),
        _replay(work, "catchup", "Refresh what changed meanwhile, again"),
        Step(
            f"rebuild.{name}.compare", "Compare every row of the shadow with the live table",
            "rows whose change is recorded and not yet followed are left out",
            StepClass.ONLINE, READ, (*shadow.CHUNK, shadow.bound(work.forward), shadow.compare(work.forward)), (), (),
            mode=Mode.COMPARE,
        ),
        _swap(work),
    )  # fmt: skip


def _shadow(work: _Work) -> tuple[Sql, ...]:
    live = work.live
    grants = [grant for grant in live.grants if grant[0] is None or grant[0] in work.made]
    dressed = dressing.dress(live.owner, live.options, live.replica, live.comment, grants)
    again = [name for name in dict.fromkeys(work.columns) if name in live.columns and name in work.made]
    told = (dressing.comments(work.table.name, again),) if again else ()
    made = (*shadow.create(work.table.name), *work.ddl, *told, shadow.primary_key(work.forward.key))
    return (*made, dressing.private(SHADOW), *dressed)


def _replay(work: _Work, id: str, title: str) -> Step:
    return Step(
        f"rebuild.{work.table.name}.{id}", title, "", StepClass.ONLINE, READ,
        (*shadow.NARROW, shadow.replay(work.forward), recording.left()), (), (), mode=Mode.REPLAY,
    )  # fmt: skip


def _build(index: Index, number: int) -> Sql:
    statement = render.create_index(SHADOW, replace(index, name=_shadow_name(number)), concurrently=False)
    unique = statement.text.replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)
    return Sql(unique) if index.kind == _UNIQUE else statement


def _shadow_name(number: int) -> str:
    return f"{SHADOW}_{number}"


def _moves(work: _Work) -> tuple[dict[str, str], dict[str, str]]:
    """Index names that give way, and those that come."""
    # Without one the plan can be looked at, and `preflight` refuses it.
    primary = next((name for name, tail in work.live.indexes.items() if tail is None), f"{work.table.name}_pkey")
    going = {name: f"{OLD}_{n}" for n, name in enumerate(work.live.indexes, 1)}
    coming = {_shadow_name(n): index.name for n, index in enumerate(work.indexes, 1)}
    return going, {f"{SHADOW}_pkey": primary, **coming}


def _swap(work: _Work) -> Step:
    name = work.table.name
    going, coming = _moves(work)
    return Step(
        f"rebuild.{name}.swap", f"Swap: the shadow becomes {name}, which stays as {OLD}",
        "one transaction; given up and tried again when the lock is not granted at once",
        StepClass.REBUILD, SHORT,
        (*shadow.NARROW, *locking.locks(name, SHADOW), shadow.replay(work.forward), recording.left(),
         *shadow.swap(name, OLD, SHADOW, going, coming)),
        (), _aside(OLD, SHADOW),
        mode=Mode.SWAP, needs=work.same,
    )  # fmt: skip


def _aside(there: str, gone: str) -> tuple[Expect, ...]:
    """How to see that a swap is done, also in a store that was restored from a dump of that moment: by names."""
    return Expect(("traits", "own", there), True), Expect(("traits", "own", gone), ABSENT)


def _swap_back(work: _Work, dropped: Sequence[str]) -> Step:
    """`dropped`: constraints that the run takes away itself, and that come back."""
    name = work.table.name
    going, coming = _moves(work)
    return Step(
        f"rebuild.{name}.back", f"Swap back: {OLD} becomes {name} again",
        "it was kept current by the recorded keys",
        StepClass.REBUILD, SHORT,
        (*shadow.NARROW, *locking.locks(name, OLD), shadow.replay(work.back), recording.left(),
         *shadow.swap(name, SHADOW, OLD, {new: old for old, new in coming.items()},
                      {new: old for old, new in going.items()})),
        (), _aside(SHADOW, OLD), (*work.made, *dropped),
        mode=Mode.SWAP, needs=(Expect(traits.KEPT, work.live.oid), Expect(("traits", "table", "obstacles"), [])),
    )  # fmt: skip


def _drop(live: str, table: str, title: str) -> Step:
    return Step(
        f"rebuild.{live}.drop.{table}", f"{title} and stop recording changes", "",
        StepClass.METADATA, SHORT, (locking.calm(table, LOG), recording.stop(live), *shadow.drop(table)), (), (),
    )  # fmt: skip


def _reverses(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(
        Step(f"{s.id}.undo", f"Take back: {s.title}", "", StepClass.METADATA, NO_LOCK, s.reverse, (), ())
        for s in reversed(steps)
        if s.reverse
    )
