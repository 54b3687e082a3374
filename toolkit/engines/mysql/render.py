"""MySQL statements as text: the one place that quotes identifiers and literals for this engine.

Pure; it decides nothing, it only writes down what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

from toolkit.engines.physical import Column, Index, Table
from toolkit.plan import Sql

_PLAIN_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Strict, so that MySQL refuses what it would have to change; plain quotes and backslashes.
SQL_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
# As it is where writers are not strict: what is too long for a generated column is cut there, as in their own writes.
_RELAXED_MODE = "NO_ENGINE_SUBSTITUTION"
RELAXED_HINT = f"/*+ SET_VAR(sql_mode = '{_RELAXED_MODE}') */ "
S = TypeVar("S")
_BREAKS_TEXT = re.compile(r"[\\\0]|[^\x00-\x7f]")


class Algorithm(Enum):
    """How an ALTER is to be done, and whom it may keep waiting meanwhile; the server refuses when it cannot be so."""

    INSTANT = "ALGORITHM=INSTANT"
    INPLACE = "ALGORITHM=INPLACE, LOCK=NONE"
    INPLACE_SHARED = "ALGORITHM=INPLACE, LOCK=SHARED"
    COPY = "ALGORITHM=COPY, LOCK=SHARED"


def identifier(name: str) -> str:
    """`name` as a quoted identifier, whatever ANSI_QUOTES says. Whatever is inside, it stays inside."""
    return "`" + name.replace("`", "``") + "`"


def literal(value: str | int) -> str:
    """`value` as a literal, independent of NO_BACKSLASH_ESCAPES and of the connection's character set."""
    if isinstance(value, int):
        return str(value)
    if _BREAKS_TEXT.search(value):
        return f"CONVERT(X'{value.encode().hex()}' USING utf8mb4)"
    return "'" + value.replace("'", "''") + "'"


def member(name: str) -> str:
    """Where `name` stands in the JSON map, as a JSON path."""
    if _PLAIN_MEMBER.fullmatch(name):
        return f"$.{name}"
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def create_table(table: Table, primary_key: Sequence[str]) -> Sql:
    """The table with all its columns and indexes at once."""
    width = max(len(identifier(c.name)) for c in table.columns)
    lines = [f"{identifier(c.name):<{width}} {c.ddl}" for c in table.columns]
    lines.append(f"PRIMARY KEY ({', '.join(identifier(name) for name in primary_key)})")
    lines += [_index(i) for i in table.indexes]
    return Sql(f"CREATE TABLE IF NOT EXISTS {identifier(table.name)} (\n  " + ",\n  ".join(lines) + "\n) ENGINE=InnoDB")


def _index(index: Index) -> str:
    return f"{'FULLTEXT ' if index.kind == 'fulltext' else ''}INDEX {identifier(index.name)} {index.ddl}"


def drop_table(name: str) -> Sql:
    """The opposite of `create_table`."""
    return Sql(f"DROP TABLE IF EXISTS {identifier(name)}")


def add_column(column: Column) -> str:
    """A clause of `alter_table`."""
    return f"ADD COLUMN {identifier(column.name)} {column.ddl}"


def drop_column(name: str) -> str:
    """A clause of `alter_table`."""
    return f"DROP COLUMN {identifier(name)}"


def modify_column(column: Column) -> str:
    """A clause of `alter_table`: the column as it shall be, whatever it was."""
    return f"MODIFY COLUMN {identifier(column.name)} {column.ddl}"


def add_index(index: Index) -> str:
    """A clause of `alter_table`."""
    return f"ADD {_index(index)}"


def drop_index(name: str) -> str:
    """A clause of `alter_table`."""
    return f"DROP INDEX {identifier(name)}"


def alter_table(table: str, clauses: Sequence[str], algorithm: Algorithm) -> Sql:
    """All clauses in one statement, which takes effect as a whole or not at all."""
    return Sql(f"ALTER TABLE {identifier(table)}\n  " + ",\n  ".join([*clauses, algorithm.value]))


def relaxed(statements: Sequence[S]) -> tuple[S | Sql, ...]:
    """The statements in a session that is not strict meanwhile; only for those that convert no stored value."""
    before, after = (Sql(f"SET SESSION sql_mode = {literal(mode)}") for mode in (_RELAXED_MODE, SQL_MODE))
    return (before, *statements, after) if statements else ()


def fill_nulls(table: str, name: str, value: str | int) -> Sql:
    """Give rows without a value the default, before NOT NULL is asked for."""
    column = identifier(name)
    return Sql(f"UPDATE {identifier(table)} SET {column} = {literal(value)} WHERE {column} IS NULL")
