"""From what a ClickHouse database is to what it shall be: Steps, what they wait for, and how to see that they are done.

Pure; it reads catalogs and layouts and never a connection. Engine and keys of a table cannot change in place: such a
difference is refused here, and `rebuild` knows the longer way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalog import ABSENT, Absent, Catalog, Json
from toolkit.definition import Definition
from toolkit.engines.clickhouse import drift, render
from toolkit.engines.clickhouse import layout as layouts
from toolkit.engines.clickhouse.layout import ALONE, Placed, Placement
from toolkit.engines.clickhouse.typemap import Profile
from toolkit.engines.clickhouse.versions import Migration, record_steps
from toolkit.engines.physical import Column, Index
from toolkit.errors import Unsupported
from toolkit.plan import NO_LOCK, Expect, Lock, Observed, Step, StepClass

# An ALTER waits for other ALTERs of its table; reads and writes go on.
ALTER = Lock("alter", "other ALTERs", brief=True)
NO_WAY = "Leave out --offline, and the table is rebuilt beside the live one. Else make a new store and move the data."


def steps(
    observed: Observed,
    wanted: Definition,
    rules: Profile,
    placement: Placement = ALONE,
    migrations: Sequence[Migration] = (),
    before: Definition | None = None,
) -> tuple[Step, ...]:
    """The steps to `wanted`; foreign objects must have been taken out of `observed` before. `before`: the version the
    store records; indexes it does not have may have been added, but not built, by a run that was cut off.

    Raises Unsupported when a table's engine or keys would have to change.
    """
    goal = layouts.layout(wanted, rules, placement)
    for placed in goal:
        if placed.stores and (why := fixed_difference(placed, observed.catalog)):
            raise Unsupported("TV4201", f"table {placed.table.name} has {why}; no ALTER can change that", NO_WAY)
    found = parts(observed, wanted, rules, placement, migrations, before)
    return (*found.drops, *found.changes, *found.records)


@dataclass(frozen=True, slots=True)
class Parts:
    """The steps in place: what goes first, what is changed and made, and what is written down at the end."""

    drops: tuple[Step, ...]
    changes: tuple[Step, ...]
    records: tuple[Step, ...]


def parts(
    observed: Observed,
    wanted: Definition,
    rules: Profile,
    placement: Placement,
    migrations: Sequence[Migration],
    before: Definition | None,
    without: Collection[str] = (),
) -> Parts:
    """The steps of `steps`, tables in `without` left out."""
    goal = layouts.layout(wanted, rules, placement)
    fresh = _fresh_indexes(goal, before, rules, placement) if before is not None else set()
    ours = [placed for placed in goal if placed.table.name not in without]
    drops: list[Step] = []
    changes: list[Step] = []
    # Columns leave the distributed table before, and come to it after, the tables that hold them.
    for placed in reversed(ours):
        drops += _drops(placed, observed.catalog, placement)
    for placed in ours:
        have = observed.catalog.children(("tables", placed.table.name))
        if not have:
            changes.append(_create(placed, placement))
        elif not placed.stores and fixed_difference(placed, observed.catalog):
            changes.append(_replace(placed, placement))
        else:
            drops += drift.mend(placed, observed.catalog, placement)
            changes += _changes(placed, observed.catalog, placement, fresh)
    return Parts(tuple(drops), tuple(changes), record_steps(observed, wanted, migrations, placement))


def _fresh_indexes(goal: Sequence[Placed], before: Definition, rules: Profile, placement: Placement) -> set[str]:
    old = {index.name for placed in layouts.layout(before, rules, placement) for index in placed.table.indexes}
    return {index.name for placed in goal for index in placed.table.indexes} - old


def fixed_difference(placed: Placed, observed: Catalog) -> str:
    """What the live table has that no ALTER changes, in words; '' when there is nothing of that kind."""
    have = observed.children(("tables", placed.table.name))
    for name in layouts.FIXED if have else ():
        old, new = have.get(name), placed.table.catalog.get(name)
        if old != new:
            return f"{name} {_word(old)}, not {_word(new)}"
    for column in _retyped(placed, observed) if have else ():
        if placed.stores and any(column.name in key for key in _keys(placed)):
            old_type = type_of(observed.children(("tables", placed.table.name, "columns"))[column.name])
            return f"{old_type} as the type of {column.name}, not {type_of(column.catalog)}, in its key"
    return ""


def _keys(placed: Placed) -> list[str]:
    return [*_texts(placed.table.catalog.get("order_by")), str(placed.table.catalog["engine"])]


def _word(value: Json) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _create(placed: Placed, placement: Placement) -> Step:
    table = placed.table
    facts = table.to_json()
    return Step(
        f"table.{table.name}",
        f"Create table {table.name}",
        "",
        StepClass.METADATA,
        NO_LOCK,
        (render.create_table(table, placed.clauses, placement.cluster),),
        (render.drop_table(table.name, placement.cluster),),
        (Expect(("catalog", "tables", table.name), facts),),
        tuple(column.name for column in table.columns),
    )


def _replace(placed: Placed, placement: Placement) -> Step:
    """A distributed table keeps no rows: another one can take its place at once."""
    table = placed.table
    return Step(
        f"table.{table.name}.replace",
        f"Replace table {table.name}",
        "it only passes rows on",
        StepClass.METADATA,
        NO_LOCK,
        (render.replace_table(table, placed.clauses, placement.cluster),),
        (),
        (Expect(("catalog", "tables", table.name), table.to_json()),),
        tuple(column.name for column in table.columns),
    )


def reverses(steps: Sequence[Step]) -> tuple[Step, ...]:
    """What takes `steps` back, last one first; those that cannot be are left out."""
    return tuple(
        Step(f"{s.id}.undo", f"Take back: {s.title}", "", StepClass.METADATA, NO_LOCK, s.reverse, (), ())
        for s in reversed(steps)
        if s.reverse
    )


def _drops(placed: Placed, observed: Catalog, placement: Placement) -> Iterator[Step]:
    table = placed.table
    have = observed.children(("tables", table.name, "columns"))
    columns = sorted(set(have) - {column.name for column in table.columns}) if have else []
    indexes = _lost(placed, observed)
    if not columns and not indexes:
        return
    actions = [*map(render.drop_index, indexes), *map(render.drop_column, columns)]
    what = [_count(len(indexes), "index", "indexes"), _count(len(columns), "column", "columns")]
    yield Step(
        f"columns.{table.name}.drop" if columns else f"indexes.{table.name}.drop",
        f"Drop {' and '.join(w for w in what if w)} of {table.name}",
        "values of dropped columns are gone" if columns else "they are not part of the wanted version, or other there",
        StepClass.BREAKING if columns and placed.stores else StepClass.ONLINE,
        ALTER,
        (render.alter(table.name, actions, placement.cluster),),
        () if placed.stores else (render.alter(table.name, _again(columns, have), placement.cluster),),
        (
            *(Expect(("catalog", "tables", table.name, "indexes", name), ABSENT) for name in indexes),
            *(Expect(("catalog", "tables", table.name, "columns", name), ABSENT) for name in columns),
        ),
        (*indexes, *columns),
    )


def _again(columns: Sequence[str], have: Mapping[str, Json]) -> list[str]:
    """Columns of a table that only passes rows on: they come back as they were."""
    facts = {name: value if isinstance(value := have[name], dict) else {} for name in columns}
    return [render.add_plain_column(name, render.column_ddl(facts[name])) for name in columns]


def _lost(placed: Placed, observed: Catalog) -> list[str]:
    """Indexes that are not wanted, are defined otherwise, or stand on a column whose type changes."""
    have = observed.children(("tables", placed.table.name, "indexes"))
    want = {index.name: index for index in placed.table.indexes}
    retyped = {column.source for column in _retyped(placed, observed)}
    kept = {n for n, facts in have.items() if n in want and facts == want[n].catalog and want[n].source not in retyped}
    return sorted(set(have) - kept)


def _retyped(placed: Placed, observed: Catalog) -> list[Column]:
    have = observed.children(("tables", placed.table.name, "columns"))
    return [c for c in placed.table.columns if c.name in have and type_of(have[c.name]) != type_of(c.catalog)]


def type_of(facts: Json) -> str:
    """The type in a column's part of a catalog."""
    return str(facts.get("type")) if isinstance(facts, dict) else ""


def _changes(placed: Placed, observed: Catalog, placement: Placement, fresh: Collection[str]) -> Iterator[Step]:
    """Columns and indexes come in one statement, which is done whole or not; one walk over the rows builds them."""
    table = placed.table
    columns = observed.children(("tables", table.name, "columns"))
    for column in table.columns:
        if column.name in columns and columns[column.name] != column.catalog:
            yield _alter_column(placed, column, columns[column.name], placement)
    yield from _storage(placed, observed, placement)
    there = set(observed.children(("tables", table.name, "indexes"))) - set(_lost(placed, observed))
    added = [column for column in table.columns if column.name not in columns]
    indexes = [index for index in table.indexes if index.name not in there]
    if added or indexes:
        yield _add(table.name, added, indexes, placement)
    unbuilt = [index.name for index in table.indexes if index.name not in there or index.name in fresh]
    if unbuilt:
        yield _build(table.name, unbuilt, placement)


def _add(table: str, columns: Sequence[Column], indexes: Sequence[Index], placement: Placement) -> Step:
    actions = [*map(render.add_column, columns), *map(render.add_index, indexes)]
    undo = [*(render.drop_index(i.name) for i in indexes), *(render.drop_column(c.name) for c in columns)]
    what = [_count(len(columns), "column", "columns"), _count(len(indexes), "index", "indexes")]
    return Step(
        f"columns.{table}.add" if columns else f"indexes.{table}.add",
        f"Add {' and '.join(w for w in what if w)} to {table}",
        "no row is touched",
        StepClass.METADATA,
        ALTER,
        (render.alter(table, actions, placement.cluster),),
        (render.alter(table, undo, placement.cluster),),
        (
            *(Expect(("catalog", "tables", table, "columns", c.name), c.catalog) for c in columns),
            *(Expect(("catalog", "tables", table, "indexes", i.name), i.catalog) for i in indexes),
        ),
        (*(c.name for c in columns), *(i.name for i in indexes)),
    )


def _build(table: str, names: Sequence[str], placement: Placement) -> Step:
    """No catalog tells whether an index is built for every part, so nothing is expected: the step may be repeated, and
    parts that have the index are only linked anew."""
    return Step(
        f"indexes.{table}.build",
        f"Build {_count(len(names), 'index', 'indexes')} for the rows that {table} has",
        "in the background, one walk over the indexed columns; until it is done these rows are found without them",
        StepClass.ONLINE,
        NO_LOCK,
        (render.alter(table, [render.materialize_index(name) for name in names], placement.cluster),),
        (render.alter(table, [render.clear_index(name) for name in names], placement.cluster),),
        (),
        tuple(names),
    )


def _alter_column(placed: Placed, column: Column, have: Json, placement: Placement) -> Step:
    table = placed.table.name
    old, new = (facts if isinstance(facts, dict) else {} for facts in (have, column.catalog))
    retyped = old.get("type") != new.get("type")
    actions = [*_filled(column, old, new), render.modify_column(column)]
    words = {"default": "DEFAULT", "materialized": "MATERIALIZED", "alias": "ALIAS", "codec": "CODEC"}
    actions += [render.remove_from_column(column.name, words[n]) for n in old if n in words and n not in new]
    return Step(
        f"column.{table}.{column.name}.alter",
        f"Alter column {column.name} of {table} to {column.ddl}",
        "values are rewritten in the background" if retyped else "old rows keep what they have",
        StepClass.REBUILD if retyped and placed.stores else StepClass.METADATA,
        ALTER,
        tuple(render.alter(table, [action], placement.cluster) for action in actions),
        (render.alter(table, [render.restore_column(column.name, old)], placement.cluster),),
        (Expect(("catalog", "tables", table, "columns", column.name), column.catalog),),
        (column.name,),
    )


def _filled(column: Column, old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    """What must come first where a column is no longer nullable: a value for the rows that have none."""
    have, wanted = str(old.get("type")), str(new.get("type"))
    if "Nullable(" not in have or "Nullable(" in wanted or "default" in new:
        return []
    value = f"{wanted} DEFAULT defaultValueOfTypeName({render.literal(wanted)})"
    filling = replace(column, ddl=column.ddl.replace(wanted, value, 1))
    return [render.modify_column(filling), render.remove_from_column(column.name, "DEFAULT")]


def _texts(value: Json) -> list[str]:
    return [str(element) for element in value] if isinstance(value, list) else []


def _storage(placed: Placed, observed: Catalog, placement: Placement) -> Iterator[Step]:
    """Time to live and settings; rows that are there are not looked at now."""
    table, wanted = placed.table.name, placed.table.catalog
    have = observed.children(("tables", table))
    actions = []
    if have.get("ttl") != wanted.get("ttl"):
        ttl = wanted.get("ttl")
        actions.append(render.modify_ttl(str(ttl) if ttl else None))
    old, new = _settings(have), _settings(wanted)
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    actions += [render.modify_setting(name, str(new[name]) if name in new else None) for name in changed]
    if not actions:
        return
    expected: dict[str, Json | Absent] = {"ttl": ABSENT, "settings": ABSENT, **wanted}
    yield Step(
        f"table.{table}.storage",
        f"Change {', '.join(a.partition(' ')[2].partition(' = ')[0] for a in actions)} of {table}",
        "merges follow it from now on; rows that are there are not rewritten",
        StepClass.METADATA,
        ALTER,
        tuple(render.alter(table, [action], placement.cluster) for action in actions),
        (),
        tuple(Expect(("catalog", "tables", table, name), expected[name]) for name in ("ttl", "settings")),
    )


def _settings(facts: Mapping[str, Json]) -> dict[str, Json]:
    found = facts.get("settings")
    return found if isinstance(found, dict) else {}


def _count(number: int, one: str, many: str) -> str:
    return "" if number == 0 else f"{number} {one if number == 1 else many}"
