"""What of others stands in the way of columns that go: the server refuses to drop a column that something uses, and
lets tables change places that a view can no longer read.

It asks for the tables' own statements and reads them; what follows from it is the check's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from toolkit.catalog import Absent
from toolkit.engines.clickhouse import clauses, traits
from toolkit.engines.clickhouse.names import CAPTURE
from toolkit.engines.clickhouse.render import literal
from toolkit.engines.clickhouse.traits import WORDS
from toolkit.plan import Plan, Sql

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

_TABLE = re.compile(r"^ALTER TABLE `((?:[^`\\]|\\.)*)`")
_DROP = re.compile(r"DROP (COLUMN|INDEX|PROJECTION) (?:IF EXISTS )?`((?:[^`\\]|\\.)*)`")
_TABLES = """
SELECT name, create_table_query, engine_full FROM system.tables WHERE database = currentDatabase() AND name = {}
"""
_HIDDEN = "{database}.{name} (or so it may be: this account lacks SHOW TABLES ON {database}.*)"
_VIEWS = """
SELECT d.1 AS database, d.2 AS name, t.as_select AS as_select FROM (
  SELECT arrayJoin(arrayZip(dependencies_database, dependencies_table)) AS d FROM system.tables
  WHERE database = currentDatabase() AND name = {}) AS v
LEFT JOIN (SELECT database, name, as_select FROM system.tables WHERE engine = 'MaterializedView') AS t
ON (t.database, t.name) = v.d
"""


def users(ask: Ask, plan: Plan) -> tuple[list[str], list[str]]:
    """What uses columns that `plan` drops, or leaves out of a copy, and goes by no step of it: parts of the table
    itself, and materialized views that name such a column."""
    parts: list[str] = []
    readers: list[str] = []
    for table, (columns, gone) in {**_dropped(plan), **_left_out(plan)}.items():
        for row in ask(_TABLES.format(literal(table))):
            parts += [name for name, text in _elements(row) if name not in gone and clauses.words(text) & columns]
        readers += views(ask, table, columns)
    return sorted(parts), sorted(readers)


def views(ask: Ask, table: str, columns: Collection[str]) -> list[str]:
    """Materialized views of others over `table` that name one of `columns`, and those whose words the server keeps from
    this account, which may."""
    found = ask(_VIEWS.format(literal(table))) if columns else ()
    others = [row for row in found if row["name"] != CAPTURE]
    named = [row["name"] for row in others if clauses.words(row["as_select"]) & set(columns)]
    return named + [_HIDDEN.format(**row) for row in others if not row["as_select"]]


def left_out(plan: Plan) -> set[str]:
    """Columns of the live table that the copy of a rebuild is made without."""
    return {name for columns, _ in _left_out(plan).values() for name in columns}


def _left_out(plan: Plan) -> dict[str, tuple[set[str], set[str]]]:
    """As `_dropped`, where no statement names what goes."""
    own = {path[-1] for path in plan.foreign}
    found: dict[str, tuple[set[str], set[str]]] = {}
    for step in plan.steps:
        if step.id.startswith("rebuild.") and step.id.endswith(".shadow"):
            [needed] = step.needs
            assert not isinstance(needed.wanted, Absent)
            live = traits.decode(needed.wanted)
            columns = live.extras.keys() - own - set(step.objects)
            gone = columns | (live.indexes.keys() - own)
            found[step.id.removeprefix("rebuild.").removesuffix(".shadow")] = (columns, gone)
    return {table: both for table, both in found.items() if both[0]}


def _dropped(plan: Plan) -> dict[str, tuple[set[str], set[str]]]:
    """By table: the columns that go, and all that goes."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for text in (s.text for step in plan.steps for s in step.statements if isinstance(s, Sql)):
        table = "".join(_TABLE.findall(text)[:1])
        for what, name in _DROP.findall(text) if table else ():
            columns, gone = found.setdefault(table, (set(), set()))
            gone.add(name)
            columns.update((name,) if what == "COLUMN" else ())
    return {table: both for table, both in found.items() if both[0]}


def _elements(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a table consists of, by name, and in which words: columns, indexes and the like, and its time to live."""
    for element in clauses.elements(row["create_table_query"]):
        parts = clauses.parts(element, ("TYPE",) if element.startswith("INDEX ") else WORDS)
        told = [text for word, text in parts.items() if word or not element.startswith("`")]
        yield clauses.name(element), " ".join(told[:1] if element.startswith("INDEX ") else told)
    yield "its TTL", clauses.clauses(row["engine_full"]).get("TTL", "")
