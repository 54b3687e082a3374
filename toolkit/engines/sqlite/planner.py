"""From what a SQLite file is to what it shall be: Steps, and how to see that they are done.

Pure; it reads catalogs and layouts and never a connection. Every step is one transaction, so a file is never half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.catalog import ABSENT, Catalog, Json, Path
from toolkit.definition import Definition
from toolkit.engines.physical import Column, Index, Table
from toolkit.engines.sqlite import layout as layouts
from toolkit.engines.sqlite import render, traits
from toolkit.engines.sqlite.layout import SqliteLayout
from toolkit.engines.sqlite.rebuild import rebuild, search_changes
from toolkit.engines.sqlite.typemap import Profile
from toolkit.engines.sqlite.versions import record_steps
from toolkit.plan import NO_LOCK, Expect, Lock, Observed, Step, StepClass

WRITE = Lock("RESERVED", "writes")


@dataclass(frozen=True, slots=True)
class _Columns:
    """How the columns of a table differ from the wanted ones, by name."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    dropped: tuple[str, ...]


def steps(observed: Observed, wanted: Definition, rules: Profile) -> tuple[Step, ...]:
    """The steps to `wanted`; foreign objects must have been taken out of `observed` before."""
    goal, plan = layouts.layout(wanted, rules), layouts.catalog(wanted, rules)
    work = [step for table in goal.tables for step in _table(table, goal, observed, plan)]
    return (*work, *record_steps(observed, wanted))


def _table(table: Table, goal: SqliteLayout, seen: Observed, plan: Catalog) -> Iterator[Step]:
    observed = seen.catalog
    indexes = observed.children(("tables", table.name, "indexes"))
    if observed.at(("tables", table.name)) is ABSENT:
        yield _create_table(table)
        yield from (_create_index(table.name, index, False) for index in table.indexes)
        yield from _search(table, goal, seen, plan)
        return
    columns = _columns(table, observed)
    if _must_rebuild(table, columns, observed):
        yield _rebuild(table, columns, goal, seen, plan)
        return
    if columns.added:
        yield _add_columns(table, columns.added)
    want = {index.name: index for index in table.indexes}
    lost = {name for name, facts in indexes.items() if name not in want or facts != want[name].catalog}
    yield from (_drop_index(table.name, name) for name in sorted(lost))
    yield from (_create_index(table.name, i, True) for i in table.indexes if i.name not in indexes or i.name in lost)
    yield from _search(table, goal, seen, plan)


def refills(table: str, goal: SqliteLayout, seen: Observed) -> Iterator[Step]:
    """What brings each full-text table that is not in step with `table`, but as it should be otherwise, into step."""
    astray = traits.astray(seen)
    for search in goal.searches:
        if search.name in astray:
            yield Step(
                f"search.{search.name}.refill",
                f"Fill {search.name} anew",
                f"it does not know the rows of {table}",
                StepClass.REBUILD,
                WRITE,
                (render.refill_search_table(search),),
                (),
                (Expect(traits.in_step(search.name), ABSENT),),
                (search.name,),
            )


def _columns(table: Table, observed: Catalog) -> _Columns:
    have = observed.children(("tables", table.name, "columns"))
    want = {column.name: column.catalog for column in table.columns}
    return _Columns(
        added=tuple(name for name in want if name not in have),
        changed=tuple(name for name in want if name in have and have[name] != want[name]),
        dropped=tuple(sorted(set(have) - set(want))),
    )


def _must_rebuild(table: Table, columns: _Columns, observed: Catalog) -> bool:
    """SQLite only adds columns to a table that has rows, and of those only what needs no value on disk."""
    facts = observed.children(("tables", table.name))
    others = {name: value for name, value in facts.items() if name not in ("columns", "indexes")}
    costly = any(_needs_rows(table.column(name)) for name in columns.added)
    return bool(columns.changed or columns.dropped or costly or others != table.catalog)


def _needs_rows(column: Column) -> bool:
    facts = column.catalog if isinstance(column.catalog, dict) else {}
    return column.stored or ("not_null" in facts and "default" not in facts)


def _rebuild(table: Table, columns: _Columns, goal: SqliteLayout, seen: Observed, plan: Catalog) -> Step:
    names = (*columns.added, *columns.changed, *columns.dropped)
    lost = "; values of dropped columns are gone from the table, search attributes stay in search_attributes"
    keys: list[Path] = [("tables", table.name, "columns", c.name) for c in table.columns]
    keys += [("tables", table.name, "indexes", i.name) for i in table.indexes]
    keys += [("tables", table.name, "columns", name) for name in columns.dropped]
    facts = seen.catalog.children(("tables", table.name)).keys() | table.catalog.keys()
    keys += [("tables", table.name, name) for name in sorted(facts - {"columns", "indexes"})]
    keys += [(kind, name) for kind in ("virtual_tables", "triggers") for name in plan.children((kind,))]
    return Step(
        f"rebuild.{table.name}",
        f"Rebuild {table.name}: {_counted(columns)}",
        "SQLite changes nothing but the end of a table in place" + (lost if columns.dropped else ""),
        StepClass.BREAKING if columns.dropped else StepClass.REBUILD,
        WRITE,
        rebuild(table, goal, seen, plan),
        (),
        tuple(Expect(("catalog", *key), plan.at(key)) for key in keys),
        (*names, *(index.name for index in table.indexes if index.source in names)),
    )


def _counted(columns: _Columns) -> str:
    counts = ((columns.added, "new"), (columns.changed, "changed"), (columns.dropped, "dropped"))
    parts = [f"{len(names)} {word}" for names, word in counts if names]
    return f"{', '.join(parts)} column{'s' * (sum(len(n) for n, _ in counts) > 1)}" if parts else "its constraints"


def _create_table(table: Table) -> Step:
    return Step(
        f"table.{table.name}",
        f"Create table {table.name}",
        "",
        StepClass.METADATA,
        NO_LOCK,
        (render.create_table(table, layouts.PRIMARY_KEY),),
        (render.drop_table(table.name),),
        tuple(Expect(("catalog", "tables", table.name, "columns", c.name), c.catalog) for c in table.columns),
    )


def _add_columns(table: Table, names: Sequence[str]) -> Step:
    columns = [table.column(name) for name in names]
    return Step(
        f"columns.{table.name}.add",
        f"Add {len(columns)} column{'s' * (len(columns) > 1)} to {table.name}",
        "no row is touched",
        StepClass.METADATA,
        WRITE,
        tuple(render.add_column(table.name, column) for column in columns),
        tuple(render.drop_column(table.name, column.name) for column in reversed(columns)),
        tuple(Expect(("catalog", "tables", table.name, "columns", c.name), c.catalog) for c in columns),
        tuple(names),
    )


def _create_index(table: str, index: Index, exists: bool) -> Step:
    return Step(
        f"index.{index.name}",
        f"Build index {index.name}",
        "",
        StepClass.REBUILD if exists else StepClass.METADATA,
        WRITE if exists else NO_LOCK,
        (render.create_index(table, index),),
        (render.drop_index(index.name),),
        (Expect(("catalog", "tables", table, "indexes", index.name), index.catalog),),
    )


def _drop_index(table: str, name: str) -> Step:
    return Step(
        f"index.{name}.drop",
        f"Drop index {name}",
        "it is not part of the wanted version, or is defined otherwise there",
        StepClass.METADATA,
        WRITE,
        (render.drop_index(name),),
        (),
        (Expect(("catalog", "tables", table, "indexes", name), ABSENT),),
    )


def _search(table: Table, goal: SqliteLayout, seen: Observed, plan: Catalog) -> Iterator[Step]:
    """Full-text tables and triggers together: between the two, a written row would be lost to searches."""
    observed = seen.catalog
    kinds = ("virtual_tables", "triggers")
    have: dict[str, Json] = {kind: dict(observed.children((kind,))) for kind in kinds}
    want: dict[str, Json] = {kind: dict(plan.children((kind,))) for kind in kinds}
    if have == want:
        yield from refills(table.name, goal, seen)
        return
    names = [(kind, name) for kind in kinds for name in observed.children((kind,)) | plan.children((kind,))]
    yield Step(
        f"search.{table.name}",
        f"Build the full-text tables of {table.name}"
        if goal.searches
        else f"Drop the full-text tables of {table.name}",
        "searches in texts and lists go through them",
        StepClass.REBUILD,
        WRITE,
        search_changes(table, goal, seen, plan, frozenset()),
        (),
        tuple(Expect(("catalog", *name), plan.at(name)) for name in names),
        tuple(name for _, name in names),
    )
