"""A version applied statement by statement, as Temporal's SQL tool does it: no transaction, each for ever.

The statements come from our layouts in the order of Temporal's scripts: drops, columns one by one, indexes one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.catalog import Json, at
from toolkit.definition import Definition
from toolkit.engines.mysql import layout as mysql_layout
from toolkit.engines.mysql import render as mysql_render
from toolkit.engines.mysql.typemap import profile as mysql_profile
from toolkit.engines.physical import Table
from toolkit.engines.postgresql import layout as postgresql_layout
from toolkit.engines.postgresql import render as postgresql_render
from toolkit.engines.postgresql.typemap import profile as postgresql_profile


def postgresql(before: Definition, after: Definition, concurrently: bool = False) -> Iterator[str]:
    """Temporal's statements from one version to the next. The combined script of 1.13 adds all its columns at once."""
    old = postgresql_layout.catalog(before, postgresql_profile())
    new = postgresql_layout.catalog(after, postgresql_profile())
    if old.body["extensions"] != new.body["extensions"]:
        yield postgresql_render.create_extension().text
    if old.body["functions"] != new.body["functions"]:
        yield postgresql_render.create_function().text
    for table in postgresql_layout.layout(after, postgresql_profile()):
        have = old.children(("tables", table.name))
        lost, gone = _lost(have, table)
        yield from (f'DROP INDEX "{name}"' for name in lost)
        yield from (f'ALTER TABLE {table.name} DROP COLUMN "{name}"' for name in gone)
        new_ones = [c for c in table.columns if c.name in gone or not _has(have, "columns", c.name)]
        added = [f'ADD COLUMN "{c.name}" {c.ddl}' for c in new_ones]
        yield from (
            [f"ALTER TABLE {table.name} {', '.join(added)}"]
            if concurrently
            else (f"ALTER TABLE {table.name} {one}" for one in added)
        )
        how = "CONCURRENTLY " if concurrently else ""
        for index in table.indexes:
            if index.name in lost or not _has(have, "indexes", index.name):
                yield f'CREATE INDEX {how}"{index.name}" ON {table.name} {index.ddl}'


def mysql(before: Definition, after: Definition) -> Iterator[str]:
    """As `postgresql`, with the tables that a version brings made with all their columns, and indexed afterwards."""
    old = mysql_layout.catalog(before, mysql_profile())
    for table in mysql_layout.layout(after, mysql_profile()):
        have = old.children(("tables", table.name))
        if not have:
            bare = Table(table.name, table.columns, (), table.catalog)
            yield mysql_render.create_table(bare, mysql_layout.PRIMARY_KEY).text
        lost, gone = _lost(have, table) if have else ([], [])
        yield from (f"ALTER TABLE {table.name} {mysql_render.drop_index(name)}" for name in lost)
        yield from (f"ALTER TABLE {table.name} {mysql_render.drop_column(name)}" for name in gone)
        for column in table.columns if have else ():
            if column.name in gone or not _has(have, "columns", column.name):
                yield f"ALTER TABLE {table.name} {mysql_render.add_column(column)}"
        for index in table.indexes:
            if index.name in lost or not _has(have, "indexes", index.name):
                yield f"ALTER TABLE {table.name} {mysql_render.add_index(index)}"


def _has(have: dict[str, Json], part: str, name: str) -> bool:
    members = have.get(part)
    return isinstance(members, dict) and name in members


def _lost(have: dict[str, Json], table: Table) -> tuple[list[str], list[str]]:
    """Indexes and columns to be dropped: those that go, those that are made anew, and the indexes on these."""
    columns, indexes = have["columns"], have["indexes"]
    assert isinstance(columns, dict)
    assert isinstance(indexes, dict)
    wanted = {c.name: c.catalog for c in table.columns}
    built = {i.name: i.catalog for i in table.indexes}
    gone = [name for name, facts in columns.items() if wanted.get(name) != facts]
    used = {name for name, facts in indexes.items() if any(g in str(at(facts, ("keys",))) for g in gone)}
    return [name for name, facts in indexes.items() if built.get(name) != facts or name in used], gone
