"""What stands in the way of a plan on SQLite, found before it begins; see `toolkit.engines.online.Checking`.

It asks questions and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.catalog import ABSENT
from toolkit.engines.online import Problem, listed
from toolkit.engines.sqlite.ddl import trigger
from toolkit.engines.sqlite.tokens import tokens
from toolkit.plan import Plan, Step

Ask = Callable[[str, Sequence[object]], Sequence[Mapping[str, Any]]]

_COLUMNS = "SELECT name FROM pragma_table_xinfo(?)"
_OTHERS = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND tbl_name <> ? COLLATE NOCASE"
# CREATE … IF NOT EXISTS passes over them, whichever they are.
_KINDS = """
SELECT name, CASE WHEN type = 'table' AND sql LIKE 'CREATE VIRTUAL%' THEN 'virtual table' ELSE type END AS kind
FROM sqlite_master WHERE type IN ('table', 'view')
"""
_TEXTS = """
SELECT type, name, sql FROM sqlite_master
WHERE tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL
"""
_SHOWN = 3


def check(ask: Ask, plan: Plan, table: str) -> tuple[Problem, ...]:
    """What would end the plan's run, or be passed over by it."""
    return (
        *_kinds(ask, plan.steps, table),
        *_names(ask, plan.steps, table),
        *_columns(ask, plan.steps, table),
        *_users(ask, plan, table),
    )


def _kinds(ask: Ask, steps: Sequence[Step], table: str) -> Iterator[Problem]:
    """Tables that are to be made, and are there as something else."""
    wanted = {e.path[-1]: "virtual table" for step in steps for e in step.done
              if e.path[:-1] == ("catalog", "virtual_tables") and e.wanted is not ABSENT}  # fmt: skip
    if any(step.id == f"table.{table}" for step in steps):
        wanted[table] = "table"
    for row in ask(_KINDS, ()) if wanted else ():
        kind = wanted.get(row["name"].lower(), row["kind"])
        if row["kind"] != kind:
            text = f"{row['name']} is a {row['kind']}, where a {kind} of the schema has to be made"
            yield Problem("TV5209", text, "Rename or drop it.")


def _names(ask: Ask, steps: Sequence[Step], table: str) -> Iterator[Problem]:
    """Names of indexes are those of the whole file, and a table that was renamed keeps its own."""
    wanted = {name.lower() for name in _told(steps, table, "indexes", made=True)}
    taken = [row for row in ask(_OTHERS, (table,)) if row["name"].lower() in wanted]
    if taken:
        names = [f"{row['name']} (of {row['tbl_name']})" for row in taken]
        yield Problem("TV4407", f"names that indexes of {table} shall have are taken: {listed(names, _SHOWN)}",
                      "Drop these, with DROP INDEX, or their table.")  # fmt: skip


def _columns(ask: Ask, steps: Sequence[Step], table: str) -> Iterator[Problem]:
    """A rebuild makes an operator's own indexes and triggers again, but no columns."""
    if not any(step.id == f"rebuild.{table}" for step in steps):
        return
    known = _told(steps, table, "columns", made=False)
    own = [row["name"] for row in ask(_COLUMNS, (table,)) if row["name"] not in known]
    if own:
        yield Problem("TV4408", f"{table} has columns that a rebuild would lose: {', '.join(own[:_SHOWN])}",
                      "Those of a former overlay `schema drift --repair` takes away; drop your own with ALTER TABLE, "
                      "and add them again afterwards.")  # fmt: skip


def _users(ask: Ask, plan: Plan, table: str) -> Iterator[Problem]:
    """An operator's own index or trigger that uses a column which goes. SQLite makes such a trigger without a word, and
    refuses every write from then on."""
    gone = _told(plan.steps, table, "columns", made=False) - _told(plan.steps, table, "columns", made=True)
    own = {path[-1] for path in plan.foreign if path[0] == "triggers" or path[2:3] == ("indexes",)}
    for row in ask(_TEXTS, (table,)) if gone and own else ():
        named = _named(row["type"], row["sql"], table) if row["name"] in own else frozenset()
        if used := sorted(name for name in gone if name.lower() in named):
            text = f"{row['type']} {row['name']} uses {listed(used, _SHOWN)}, which the wanted version has not"
            yield Problem("TV4410", text, "Drop it before: nothing could be there of it afterwards.")


def _named(kind: str, sql: str, table: str) -> frozenset[str]:
    """The names in lower case that may be columns of `table`: in a trigger that reads it nowhere those of its row."""
    found = [token.value.lower() for token in tokens(sql)]
    if kind == "index" or found.count(table.lower()) > 1:
        return frozenset(found)
    row = (name for before, dot, name in zip(found, found[1:], found[2:], strict=False)
           if dot == "." and before in ("new", "old"))  # fmt: skip
    return frozenset([*row, *(name.lower() for name in trigger(sql).columns)])


def _told(steps: Sequence[Step], table: str, part: str, made: bool) -> set[str]:
    """Names of the table's parts whose state the steps tell; `made`: only of those that are there afterwards."""
    within = ("catalog", "tables", table, part)
    return {
        expect.path[-1]
        for step in steps
        for expect in step.done
        if expect.path[:-1] == within and not (made and expect.wanted is ABSENT)
    }
