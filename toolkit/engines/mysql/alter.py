"""What one existing table needs, and how MySQL can do it: in place where it can, else all of it in a single copy.

Pure. Which way is open was tried on 8.0.31 and 9.7.4 (`tests/live/test_mysql.py` keeps it true): a table with a
functional index takes no further virtual column and no further functional index in place, a table with full text
takes no column at all; each statement of that kind copies the table and blocks writes, so they are put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from toolkit.catalog import ABSENT, Catalog, Json
from toolkit.engines.mysql import render
from toolkit.engines.mysql.layout import is_expression
from toolkit.engines.mysql.render import Algorithm, identifier
from toolkit.engines.physical import Column, Index, Table
from toolkit.plan import Expect, Lock, Sql, Step, StepClass

# ALTER holds the table's metadata lock for a moment when it begins and when it ends, whatever LOCK says.
MOMENT = Lock("METADATA", "reads and writes, for a moment", brief=True)
NOBODY = Lock("NONE", "nobody")
SHARED = Lock("SHARED", "writes")


@dataclass(frozen=True, slots=True)
class Alteration:
    """All that an existing table needs. `remade`: columns dropped and added again with another expression;
    `filled`: columns that become NOT NULL and have a default; `functional`, `fulltext`: the table has such indexes,
    functional ones counted without those to be dropped; `in_place`: nothing else forbids it; `converts`: stored values
    may become others."""

    table: Table
    dropped_indexes: tuple[str, ...]
    dropped_columns: tuple[str, ...]
    dropped_generated: tuple[str, ...]
    remade: tuple[Column, ...]
    added: tuple[Column, ...]
    altered: tuple[Column, ...]
    filled: tuple[Column, ...]
    built: tuple[Index, ...]
    functional: bool
    fulltext: bool
    in_place: bool
    converts: bool

    def must_copy(self) -> bool:
        """Whether MySQL does a part of it only by copying the table."""
        new_columns = (*self.remade, *self.added)
        hidden = any(c.generated for c in new_columns) or any(i.kind == "functional" for i in self.built)
        columns = (*new_columns, *self.altered, *self.dropped_columns)
        return (
            not self.in_place
            or any(c.stored for c in new_columns)
            or (self.functional and hidden)
            or (self.fulltext and bool(columns))
            or any(i.kind == "fulltext" for i in self.built)
        )


def alteration(table: Table, observed: Catalog, fulltext: bool = False) -> Alteration:
    """What makes the observed table into `table`. `fulltext`: whether it has full text beside what `observed` tells."""
    have = observed.children(("tables", table.name, "columns"))
    indexes = observed.children(("tables", table.name, "indexes"))
    wanted = {c.name: c for c in table.columns}
    built_as = {i.name: i.catalog for i in table.indexes}
    differing = [c for c in table.columns if c.name in have and have[c.name] != c.catalog]
    remade = tuple(c for c in differing if c.generated or _generated(have[c.name]))
    altered = tuple(c for c in differing if c not in remade)
    gone = [name for name in have if name not in wanted]
    lost = {name for name, facts in indexes.items() if built_as.get(name) != facts}
    # MySQL takes a dropped column out of its indexes and leaves the rest of them standing, or refuses.
    lost |= {name for name, facts in indexes.items() if _uses(facts, [*gone, *(c.name for c in remade)])}
    left = [facts for name, facts in indexes.items() if name not in lost]
    filled = tuple(c for c in altered if _fact(c.catalog, "not_null") and not _fact(have[c.name], "not_null"))
    return Alteration(
        table=table,
        dropped_indexes=tuple(sorted(lost)),
        dropped_columns=tuple(sorted(name for name in gone if not _generated(have[name]))),
        dropped_generated=tuple(sorted(name for name in gone if _generated(have[name]))),
        remade=remade,
        added=tuple(c for c in table.columns if c.name not in have),
        altered=altered,
        filled=filled,
        built=tuple(i for i in table.indexes if i.name not in indexes or i.name in lost),
        functional=any(is_expression(key) for facts in left for key in _keys(facts)),
        fulltext=fulltext or any(_fact(facts, "type") == "FULLTEXT" for facts in indexes.values()),
        in_place=all(_fact(have[c.name], n) == _fact(c.catalog, n) for c in altered for n in ("type", "collation"))
        and not any(_fact(have[n], "generated") == "stored" for n in [*gone, *(c.name for c in remade)]),
        converts=any(_fact(have[c.name], "type") != _fact(c.catalog, "type") for c in differing)
        or any(preset(c.catalog) is None for c in filled),
    )


def _fact(facts: Json, name: str) -> Json:
    return facts.get(name) if isinstance(facts, dict) else None


def _generated(column: Json) -> bool:
    return _fact(column, "generated") is not None


def _keys(index: Json) -> list[str]:
    keys = _fact(index, "keys")
    return [str(key) for key in keys] if isinstance(keys, list) else []


def _uses(index: Json, columns: list[str]) -> bool:
    return any(identifier(column) in key for column in columns for key in _keys(index))


def steps(change: Alteration, strict: bool = True) -> Iterator[Step]:
    """The steps, each one ALTER: a single copy when there is no other way. `strict`: whether writers' sessions are."""
    made = [_copy(change)] if change.must_copy() else _in_place(change)
    if strict or change.converts:
        yield from made
    else:
        yield from (
            replace(step, statements=render.relaxed(step.statements), reverse=render.relaxed(step.reverse))
            for step in made
        )


def _in_place(change: Alteration) -> Iterator[Step]:
    """Drops first, then columns, then index builds; functional indexes all at once, because the first one closes the
    door behind it."""
    name = change.table.name
    drops = [*change.dropped_generated, *(c.name for c in change.remade)]
    added = [*change.remade, *change.added]
    plain = [i for i in change.built if i.kind == "btree"]
    functional = [i for i in change.built if i.kind == "functional"]
    if change.dropped_indexes:
        yield _drop_indexes(name, change.dropped_indexes)
    if drops:
        losing = StepClass.BREAKING if change.dropped_generated else StepClass.METADATA
        yield _drop_columns(f"columns.{name}.drop-generated", name, drops, losing, Algorithm.INPLACE)
    if change.dropped_columns:
        yield _drop_columns(f"columns.{name}.drop", name, change.dropped_columns, StepClass.BREAKING, Algorithm.INSTANT)
    if added:
        yield _add_columns(name, added)
    if change.altered:
        yield _alter_columns(change)
    if plain:
        yield _build(f"indexes.{name}.build", name, plain, StepClass.ONLINE, NOBODY, Algorithm.INPLACE)
    if functional:
        step = f"indexes.{name}.build-functional"
        yield _build(step, name, functional, StepClass.REBUILD, SHARED, Algorithm.INPLACE_SHARED)


def _drop_indexes(table: str, names: tuple[str, ...]) -> Step:
    return Step(
        f"indexes.{table}.drop",
        f"Drop {_count(len(names), 'index')} of {table}",
        "they are not part of the wanted version, or are defined otherwise there",
        StepClass.METADATA,
        MOMENT,
        (render.alter_table(table, [render.drop_index(n) for n in names], Algorithm.INPLACE),),
        (),
        tuple(_expect(table, "indexes", n) for n in names),
        names,
    )


def _drop_columns(id: str, table: str, names: list[str] | tuple[str, ...], losing: StepClass, how: Algorithm) -> Step:
    return Step(
        id,
        f"Drop {_count(len(names), 'column')} of {table}",
        "values of dropped columns are gone from the table; search attributes stay in search_attributes",
        losing,
        MOMENT,
        (render.alter_table(table, [render.drop_column(n) for n in names], how),),
        (),
        tuple(_expect(table, "columns", n) for n in names),
        tuple(names),
    )


def _add_columns(table: str, columns: list[Column]) -> Step:
    names = [c.name for c in columns]
    undo = Algorithm.INPLACE if all(c.generated for c in columns) else Algorithm.INSTANT
    return Step(
        f"columns.{table}.add",
        f"Add {_count(len(columns), 'column')} to {table}",
        "no row is touched",
        StepClass.METADATA,
        MOMENT,
        (render.alter_table(table, [render.add_column(c) for c in columns], Algorithm.INSTANT),),
        (render.alter_table(table, [render.drop_column(n) for n in names], undo),),
        tuple(_expect(table, "columns", c.name, c.catalog) for c in columns),
        tuple(names),
    )


def _alter_columns(change: Alteration) -> Step:
    table = change.table.name
    return Step(
        f"columns.{table}.alter",
        f"Alter {_count(len(change.altered), 'column')} of {table}",
        "rows without a value get the default first; reads and writes go on" if change.filled else "",
        StepClass.ONLINE,
        NOBODY,
        (
            *_fills(change),
            render.alter_table(table, [render.modify_column(c) for c in change.altered], Algorithm.INPLACE),
        ),
        (),
        tuple(_expect(table, "columns", c.name, c.catalog) for c in change.altered),
        tuple(c.name for c in change.altered),
    )


def _build(id: str, table: str, indexes: list[Index], weight: StepClass, lock: Lock, how: Algorithm) -> Step:
    names = [i.name for i in indexes]
    return Step(
        id,
        f"Build {_count(len(indexes), 'index')} on {table}",
        "the first indexes on expressions can only be built while nobody writes" if lock is SHARED else "",
        weight,
        lock,
        (render.alter_table(table, [render.add_index(i) for i in indexes], how),),
        (render.alter_table(table, [render.drop_index(n) for n in names], Algorithm.INPLACE),),
        tuple(_expect(table, "indexes", i.name, i.catalog) for i in indexes),
        tuple(names),
    )


def _copy(change: Alteration) -> Step:
    """Everything in one ALTER, so that the table is copied once."""
    table = change.table.name
    added = [*change.remade, *change.added]
    dropped = [*change.dropped_generated, *change.dropped_columns]
    clauses = [
        *(render.drop_index(n) for n in change.dropped_indexes),
        *column_clauses(change),
        *(render.add_index(i) for i in change.built),
    ]
    rebuilt, lost = [i.name for i in change.built], change.dropped_indexes
    return Step(
        f"table.{table}.copy",
        f"Copy {table} once: {_summary(change)}",
        "MySQL has no other way on a table with indexes on expressions or full text; reads go on, writes wait",
        StepClass.BREAKING if dropped else StepClass.REBUILD,
        SHARED,
        (*_fills(change), render.alter_table(table, clauses, Algorithm.COPY)),
        _undo(change),
        (
            *(_expect(table, "columns", c.name, c.catalog) for c in [*added, *change.altered]),
            *(_expect(table, "indexes", i.name, i.catalog) for i in change.built),
            *(_expect(table, "columns", n) for n in dropped),
            *(_expect(table, "indexes", n) for n in lost if n not in rebuilt),
        ),
        tuple(
            dict.fromkeys([*(c.name for c in (*added, *change.altered)), *rebuilt, *dropped, *change.dropped_indexes])
        ),
    )


def column_clauses(change: Alteration) -> list[str]:
    """What the columns need, as clauses of one ALTER."""
    dropped = [*change.dropped_generated, *change.dropped_columns, *(c.name for c in change.remade)]
    return [
        *(render.drop_column(n) for n in dropped),
        *(render.add_column(c) for c in [*change.remade, *change.added]),
        *(render.modify_column(c) for c in change.altered),
    ]


def preset(column: Json) -> str | None:
    """The default of a column by its facts, as the catalog has it."""
    value = _fact(column, "default")
    return None if value is None else str(value)


def _undo(change: Alteration) -> tuple[Sql, ...]:
    """The reverse of a copy that only adds; nothing when it also takes away."""
    if change.dropped_indexes or change.dropped_columns or change.dropped_generated or change.altered or change.remade:
        return ()
    clauses = [render.drop_index(i.name) for i in change.built] + [render.drop_column(c.name) for c in change.added]
    return (render.alter_table(change.table.name, clauses, Algorithm.COPY),)


def _fills(change: Alteration) -> tuple[Sql, ...]:
    defaults = [(c, preset(c.catalog)) for c in change.filled]
    return tuple(render.fill_nulls(change.table.name, c.name, v) for c, v in defaults if v is not None)


def _expect(table: str, what: str, name: str, wanted: Json | None = None) -> Expect:
    return Expect(("catalog", "tables", table, what, name), ABSENT if wanted is None else wanted)


def _count(number: int, what: str) -> str:
    plurals: Mapping[str, str] = {"index": "indexes", "column": "columns"}
    return f"{number} {plurals[what] if number != 1 else what}"


def _summary(change: Alteration) -> str:
    parts = (
        ("drop", len(change.dropped_generated) + len(change.dropped_columns), "column"),
        ("remake", len(change.remade), "column"),
        ("add", len(change.added), "column"),
        ("alter", len(change.altered), "column"),
        ("drop", len(set(change.dropped_indexes) - {i.name for i in change.built}), "index"),
        ("build", len(change.built), "index"),
    )
    return ", ".join(f"{verb} {_count(number, what)}" for verb, number, what in parts if number)
