"""The SQL scripts shipped for MySQL under `schema/sql/mysql/`.

Pure; they are the planner's steps written down. MySQL knows no ALTER … IF NOT EXISTS and commits after each one, so
a script asks the catalog before each; a script that was interrupted may then be run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.catalog import Absent
from toolkit.definition import Definition
from toolkit.engines import sql_scripts
from toolkit.engines.mysql import layout, planner, render, versions
from toolkit.engines.mysql.typemap import Profile
from toolkit.plan import Observed, Sql, Statement, Step

_BOOKS = {"columns": ("COLUMNS", "COLUMN_NAME"), "indexes": ("STATISTICS", "INDEX_NAME")}


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content."""

    def steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
        return tuple(repeatable(step) for step in planner.steps(observed, wanted, rules))

    dialect = sql_scripts.Dialect(
        name="mysql",
        catalog=lambda definition: layout.catalog(definition, rules),
        empty=layout.EMPTY,
        steps=steps,
        guard=versions.guard,
        uninstall=(render.drop_table(rules.table), versions.forget()),
    )
    return sql_scripts.files(chain, dialect)


def repeatable(step: Step) -> Step:
    """`step` such that it does nothing when it was done before; an ALTER is done as a whole, so one look is enough."""
    statements: list[Statement] = []
    for statement in step.statements:
        if isinstance(statement, Sql) and statement.text.startswith("ALTER") and (done := _look(step)):
            statements += unless(done, statement)
        else:
            statements.append(statement)
    return replace(step, statements=tuple(statements))


def _look(step: Step) -> str | None:
    """A condition that holds when the step was done; None when it may simply be done again."""
    if step.id.endswith(".alter"):
        return None
    match step.done[0].path:
        case ("catalog", "tables", table, what, name):
            book, column = _BOOKS[what]
            there = (
                f"EXISTS (SELECT 1 FROM information_schema.{book} WHERE TABLE_SCHEMA = DATABASE()\n"
                f"    AND TABLE_NAME = {render.literal(table)} AND {column} = {render.literal(name)})"
            )
            return f"NOT {there}" if isinstance(step.done[0].wanted, Absent) else there
        case _:
            return None


def unless(done: str, statement: Sql) -> tuple[Sql, ...]:
    """`statement`, made to do nothing when the condition `done` holds."""
    return (
        Sql(f"SET @change = IF(\n  {done},\n  'DO 0',\n  {render.literal(statement.text)})"),
        Sql("PREPARE change_table FROM @change"),
        Sql("EXECUTE change_table"),
        Sql("DEALLOCATE PREPARE change_table"),
    )
