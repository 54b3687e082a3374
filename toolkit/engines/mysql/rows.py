"""Records as rows of MySQL's tables, with the statements that carry them.

Pure. The main table decides whether a write is newer; the other tables then take over what the main table holds, so
that all three have the same search attributes, as Temporal's server keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.definition import Definition
from toolkit.engines.mysql.layout import PRIMARY_KEY, column_name, layout
from toolkit.engines.mysql.render import identifier
from toolkit.engines.mysql.typemap import Profile
from toolkit.engines.sql_rows import Columns
from toolkit.records import Record

_VERSION = "_version"
# Keys in one IN list, which 8.0 prepares in quadratic time: 5 ms for 100, 120 ms for 1000, 4 s for 5000.
KEYS_AT_ONCE = 200

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """The statements and conversions for one definition; `{keys}` stands for as many placeholder pairs as there are
    keys."""

    columns: Columns
    insert: str
    follow: tuple[str, ...]
    delete: tuple[str, ...]
    first_page: str
    next_page: str

    @staticmethod
    def of(definition: Definition, rules: Profile) -> Form:
        """The form of `definition`."""
        columns = Columns.of(definition, lambda name: column_name(name, rules))
        main, *others = (table.name for table in layout(definition, rules))
        table, listed = identifier(main), _listed(columns.names)
        updates = ", ".join(f"{c} = {_newer(table, c, columns.names)}" for c in map(identifier, _updated(columns)))
        page = f"ORDER BY {_listed(PRIMARY_KEY)} LIMIT %s"
        namespace, run = (identifier(key) for key in PRIMARY_KEY)
        return Form(
            columns=columns,
            insert=f"INSERT INTO {table} ({listed}) VALUES ({', '.join('%s' for _ in columns.names)}) AS new "
            f"ON DUPLICATE KEY UPDATE {updates}",
            follow=tuple(_follow(table, identifier(other), columns.names) for other in others),
            delete=tuple(
                f"DELETE FROM {identifier(t)} WHERE ({_listed(PRIMARY_KEY)}) IN ({{keys}})" for t in (main, *others)
            ),
            first_page=f"SELECT {listed} FROM {table} {page}",
            next_page=f"SELECT {listed} FROM {table} "
            f"WHERE {namespace} > %s OR ({namespace} = %s AND {run} > %s) {page}",
        )

    def values(self, record: Record) -> list[object]:
        """The row of `record`, as `insert` takes it."""
        return self.columns.values(record)

    def record(self, row: Mapping[str, Any]) -> Record:
        """The record in `row`."""
        return self.columns.record(row)


def _listed(names: Sequence[str], table: str = "") -> str:
    return ", ".join(f"{table}.{identifier(name)}" if table else identifier(name) for name in names)


def _updated(columns: Columns) -> list[str]:
    """What an update sets, the version last: assignments are made from left to right and see what was set before."""
    return sorted((c for c in columns.names if c not in PRIMARY_KEY), key=lambda name: name == _VERSION)


def _newer(table: str, column: str, names: Sequence[str]) -> str:
    """The new value where the write is newer; versions before 1.9 know no order and take every write."""
    if _VERSION not in names:
        return f"new.{column}"
    version = identifier(_VERSION)
    return f"IF({table}.{version} < new.{version}, new.{column}, {table}.{column})"


def _follow(main: str, other: str, names: Sequence[str]) -> str:
    """Rows of `other` made equal to the main table's."""
    taken = [*PRIMARY_KEY, *(n for n in (_VERSION, "search_attributes") if n in names)]
    updates = ", ".join(f"{identifier(n)} = {main}.{identifier(n)}" for n in taken if n not in PRIMARY_KEY)
    return (
        f"INSERT INTO {other} ({_listed(taken)}) SELECT {_listed(taken, main)} FROM {main} "
        f"WHERE ({_listed(PRIMARY_KEY, main)}) IN ({{keys}}) ON DUPLICATE KEY UPDATE {updates}"
    )


def chunks(statement: str, keys: Sequence[Key]) -> list[tuple[str, list[str]]]:
    """`statement` with its placeholders and their values, as often as the number of keys needs."""
    found = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        marks = ", ".join("(%s, %s)" for _ in part)
        found.append((statement.replace("{keys}", marks), [text for key in part for text in key]))
    return found
