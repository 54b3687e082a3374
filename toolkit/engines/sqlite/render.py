"""SQLite statements as text: the one place that quotes identifiers and literals for this engine.

Pure; it decides nothing, it only writes down what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.physical import Column, Index, Table
from toolkit.engines.sqlite.search import SearchTable
from toolkit.plan import Sql

# Never seen by anybody: it is made and renamed within one transaction.
SHADOW = "temporal_visibility_shadow"
_CHECK = "temporal_visibility_check"
# strftime()'s words for a time as Temporal's server writes it.
TIME_FORM = "%Y-%m-%d %H:%M:%f+00:00"
NOW = f"strftime('{TIME_FORM}', 'now')"


def identifier(name: str) -> str:
    """`name` as a quoted identifier. Whatever is inside, it stays inside."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int) -> str:
    """`value` as a literal; text in single quotes only, which every build of SQLite takes for text."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def path(attribute: str) -> str:
    """The JSON path of a search attribute, as a literal."""
    return literal(f"$.{attribute}")


def listed(names: Sequence[str]) -> str:
    """Identifiers with commas between."""
    return ", ".join(identifier(name) for name in names)


def check(problem: str, condition: str) -> tuple[Sql, ...]:
    """Statements that fail with `problem` in the message unless `condition` holds; they leave nothing behind.

    SQLite has no way to raise an error outside a trigger, but it names the constraint that a row violates.
    """
    return (
        Sql(f"CREATE TEMP TABLE {_CHECK} (ok INT CONSTRAINT {identifier(problem)} CHECK (ok))"),
        Sql(f"INSERT INTO {_CHECK} SELECT {condition}"),
        Sql(f"DROP TABLE {_CHECK}"),
    )


def create_table(table: Table, primary_key: Sequence[str], name: str | None = None) -> Sql:
    """The table with all its columns and its primary key, without other indexes; `name` when not its own."""
    width = max(len(identifier(c.name)) for c in table.columns)
    lines = [f"  {identifier(c.name):<{width}} {c.ddl}" for c in table.columns]
    lines.append(f"  PRIMARY KEY ({listed(primary_key)})")
    exists = "IF NOT EXISTS " if name is None else ""
    return Sql(f"CREATE TABLE {exists}{identifier(name or table.name)} (\n" + ",\n".join(lines) + "\n)")


def drop_table(name: str) -> Sql:
    """The opposite of `create_table`; its indexes and triggers go with it."""
    return Sql(f"DROP TABLE IF EXISTS {identifier(name)}")


def rename_table(name: str, new: str) -> Sql:
    """Give a table another name."""
    return Sql(f"ALTER TABLE {identifier(name)} RENAME TO {identifier(new)}")


def copy_rows(source: str, target: str, columns: Sequence[str], values: Sequence[str]) -> Sql:
    """All rows with their row ids, by which full-text tables know them; `values` are expressions over `source`."""
    return Sql(
        f"INSERT INTO {identifier(target)} (rowid, {listed(columns)})\n"
        f"SELECT rowid, {', '.join(values)}\nFROM {identifier(source)}"
    )


def add_column(table: str, column: Column) -> Sql:
    """One column; SQLite takes one per statement, and no stored one when there are rows."""
    return Sql(f"ALTER TABLE {identifier(table)} ADD COLUMN {identifier(column.name)} {column.ddl}")


def drop_column(table: str, name: str) -> Sql:
    """The opposite of `add_column`; refused while an index uses the column."""
    return Sql(f"ALTER TABLE {identifier(table)} DROP COLUMN {identifier(name)}")


def create_index(table: str, index: Index) -> Sql:
    """An index."""
    return Sql(f"CREATE INDEX IF NOT EXISTS {identifier(index.name)} ON {identifier(table)} {index.ddl}")


def drop_index(name: str) -> Sql:
    """The opposite of `create_index`."""
    return Sql(f"DROP INDEX IF EXISTS {identifier(name)}")


def create_search_table(search: SearchTable) -> tuple[Sql, Sql]:
    """A full-text table over the columns of `search.content`, and the command that fills it from the rows there are."""
    name = identifier(search.name)
    arguments = [
        *(identifier(column) for column in search.columns),
        f"content={literal(search.content)}",
        f"tokenize={literal(search.tokenizer)}",
    ]
    return (
        Sql(f"CREATE VIRTUAL TABLE IF NOT EXISTS {name} USING fts5 (\n  " + ",\n  ".join(arguments) + "\n)"),
        Sql(f"INSERT INTO {name} ({name}) VALUES ('rebuild')"),
    )


def refill_search_table(search: SearchTable) -> Sql:
    """Fill a full-text table anew from the rows there are."""
    name = identifier(search.name)
    return Sql(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")


def rename_column(table: str, old: str, new: str) -> Sql:
    """Another name for a column; indexes and triggers follow."""
    return Sql(f"ALTER TABLE {identifier(table)} RENAME COLUMN {identifier(old)} TO {identifier(new)}")


def create_triggers(table: str, names: tuple[str, str, str], searches: Sequence[SearchTable]) -> tuple[Sql, ...]:
    """The triggers (insert, update, delete) that keep full-text tables in step with `table`, row by row."""
    removed = [_unindex(search) for search in searches]
    added = [_index(search) for search in searches]
    bodies = (("INSERT", added), ("UPDATE", [*removed, *added]), ("DELETE", removed))
    return tuple(
        Sql(
            f"CREATE TRIGGER IF NOT EXISTS {identifier(name)} AFTER {event} ON {identifier(table)}\nBEGIN\n"
            + "\n".join(f"  {line};" for line in body)
            + "\nEND"
        )
        for name, (event, body) in zip(names, bodies, strict=True)
    )


def drop_trigger(name: str) -> Sql:
    """The opposite of one of `create_triggers`."""
    return Sql(f"DROP TRIGGER IF EXISTS {identifier(name)}")


def _index(search: SearchTable) -> str:
    values = ", ".join(f"NEW.{identifier(column)}" for column in search.columns)
    return f"INSERT INTO {identifier(search.name)} (rowid, {listed(search.columns)}) VALUES (NEW.rowid, {values})"


def _unindex(search: SearchTable) -> str:
    """FTS5 forgets a row of an outside table only when it is told the values that were indexed."""
    name, values = identifier(search.name), ", ".join(f"OLD.{identifier(column)}" for column in search.columns)
    return f"INSERT INTO {name} ({name}, rowid, {listed(search.columns)})\n    VALUES ('delete', OLD.rowid, {values})"
