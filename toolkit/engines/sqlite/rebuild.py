"""The statements of the heavy steps: a table made anew with all its rows, and the full-text tables brought into step.

Pure; when these are needed is the planner's business. The order is that of SQLite's own recipe for changes that ALTER
TABLE cannot make (sqlite.org/lang_altertable.html), with row ids kept, since full-text tables know rows by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines.physical import Table
from toolkit.engines.sqlite import render, traits, triggers
from toolkit.engines.sqlite.layout import PRIMARY_KEY, SqliteLayout
from toolkit.engines.sqlite.render import identifier, literal
from toolkit.engines.sqlite.search import SearchTable
from toolkit.engines.sqlite.tokens import tokens
from toolkit.plan import Observed, Sql

_STRANGERS = (
    "the table has columns, indexes or triggers that a rebuild would lose; "
    "drop them first and make them again afterwards"
)
_LACKING = "columns, triggers or full-text tables of the version are missing; see temporal-visibility schema drift"


def rebuild(table: Table, goal: SqliteLayout, seen: Observed, plan: Catalog) -> tuple[Sql, ...]:
    """A new table beside the old one, all rows, the old one dropped, the new one in its place, indexes, searches.

    An operator's own indexes and triggers are made again from their texts; a column of theirs stops the rebuild.
    """
    observed = seen.catalog
    known = _known(table, goal, observed)
    texts = seen.traits.get("texts")
    own = {name: str(text) for name, text in texts.items() if name not in known} if isinstance(texts, dict) else {}
    have = observed.children(("tables", table.name, "columns"))
    want = {column.name: column.catalog for column in table.columns}
    altered = frozenset(name for name in have.keys() | want.keys() if have.get(name) != want.get(name))
    return (
        *render.check(_STRANGERS, _no_strangers(table, observed, sorted({*known, *own}))),
        *render.check(_LACKING, _all_there(table, observed)),
        render.create_table(table, PRIMARY_KEY, render.SHADOW),
        _copy(table, have),
        render.drop_table(table.name),
        render.rename_table(render.SHADOW, table.name),
        *(render.create_index(table.name, index) for index in table.indexes),
        *search_changes(table, goal, seen, plan, altered),
        *(Sql(_closed(text)) for text in own.values()),
        *(_nothing_written(table) if any(tokens(text)[1].is_word("TRIGGER") for text in own.values()) else ()),
    )


def _nothing_written(table: Table) -> Iterator[Sql]:
    """A write of each kind that finds no row. SQLite makes a trigger that reads what is not there, and refuses writes
    that would fire it."""
    name, columns = identifier(table.name), [identifier(c.name) for c in table.columns if not c.generated]
    listed = ", ".join(columns)
    yield Sql(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {name} WHERE false")
    yield Sql(f"UPDATE {name} SET {', '.join(f'{column} = {column}' for column in columns)} WHERE false")
    yield Sql(f"DELETE FROM {name} WHERE false")


def _closed(text: str) -> str:
    """SQLite keeps a comment behind the last word, too; in a script the semicolon would be a part of it."""
    return f"{text}\n" if "--" in text.rpartition("\n")[2] else text


def _known(table: Table, goal: SqliteLayout, observed: Catalog) -> set[str]:
    """Names of the indexes and triggers that the plan deals with."""
    indexes = {*observed.children(("tables", table.name, "indexes")), *(index.name for index in table.indexes)}
    return {*indexes, *observed.children(("triggers",)), *goal.triggers}


def _copy(table: Table, have: dict[str, Json]) -> Sql:
    columns = [column for column in table.columns if column.name in have and not column.generated]
    values = []
    for column in columns:
        facts = column.catalog if isinstance(column.catalog, dict) else {}
        name, default = identifier(column.name), facts.get("default")
        filled = default is not None and "not_null" in facts
        values.append(f"coalesce({name}, {default})" if filled else name)
    return render.copy_rows(table.name, render.SHADOW, [column.name for column in columns], values)


def _no_strangers(table: Table, observed: Catalog, others: Sequence[str]) -> str:
    """A plan is made without an operator's own objects in view, so that the file itself must be asked for them."""
    columns = sorted({*observed.children(("tables", table.name, "columns")), *(c.name for c in table.columns)})
    return (
        "NOT EXISTS (\n"
        f"  SELECT 1 FROM pragma_table_xinfo({literal(table.name)}) WHERE name NOT IN ({_texts(columns)})\n"
        ") AND NOT EXISTS (\n"
        f"  SELECT 1 FROM sqlite_master WHERE tbl_name = {literal(table.name)} COLLATE NOCASE\n"
        f"    AND type IN ('index', 'trigger') AND sql IS NOT NULL AND name NOT IN ({_texts(others)})\n)"
    )


def _all_there(table: Table, observed: Catalog) -> str:
    """What the statements take for granted: a full-text table that has other columns, or was not kept in step, would
    stay so, and refuse what is written to its records. A recorded version alone, which scripts go by, does not tell."""
    columns = sorted(observed.children(("tables", table.name, "columns")))
    others = sorted({*observed.children(("triggers",)), *observed.children(("virtual_tables",))})
    found = (
        f"SELECT count(*) FROM pragma_table_xinfo({literal(table.name)}) WHERE name IN ({_texts(columns)})",
        f"SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'trigger') AND name IN ({_texts(others)})",
    )
    return f"({found[0]}) = {len(columns)}\n  AND ({found[1]}) = {len(others)}"


def _texts(names: Sequence[str]) -> str:
    return ", ".join(literal(name) for name in names)


def search_changes(
    table: Table, goal: SqliteLayout, seen: Observed, plan: Catalog, altered: frozenset[str]
) -> tuple[Sql, ...]:
    """Full-text tables made anew where they or a column in `altered` differ, and all triggers. One that was not kept in
    step is filled anew: no search finds what it lacks, and a change of such a row is refused, as of a damaged file."""
    observed = seen.catalog
    have, want = observed.children(("virtual_tables",)), plan.children(("virtual_tables",))
    stale = {name for name in have if have[name] != want.get(name)}
    stale |= {s.name for s in goal.searches if s.name not in have or altered.intersection(s.columns)}
    ours = dict.fromkeys((*observed.children(("triggers",)), *goal.triggers))
    return (
        *(render.drop_trigger(name) for name in ours),
        *(render.drop_table(name) for name in sorted(stale & have.keys())),
        *(sql for search in goal.searches if search.name in stale for sql in render.create_search_table(search)),
        *(render.refill_search_table(s) for s in _unkept(table, goal, seen, plan) if s.name not in stale),
        *_triggers(table, goal),
    )


def _unkept(table: Table, goal: SqliteLayout, seen: Observed, plan: Catalog) -> list[SearchTable]:
    if not goal.searches:
        return []
    insert, update, delete = goal.triggers
    wanted = plan.children(("triggers",))
    names = triggers.unkept(seen, wanted, (insert, update, delete), table.name, goal.searches) | traits.astray(seen)
    return [search for search in goal.searches if search.name in names]


def _triggers(table: Table, goal: SqliteLayout) -> Iterator[Sql]:
    if goal.searches:
        insert, update, delete = goal.triggers
        yield from render.create_triggers(table.name, (insert, update, delete), goal.searches)
