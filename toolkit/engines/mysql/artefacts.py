"""The SQL scripts shipped for MySQL under `schema/sql/mysql/`.

Pure; they are the planner's steps written down. MySQL knows no ALTER … IF NOT EXISTS and commits after each one, so
a script asks the catalog before each; a script that was interrupted may then be run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.catalog import Absent, Path
from toolkit.definition import Definition
from toolkit.engines import sql_scripts
from toolkit.engines.mysql import fill, layout, planner, render, versions
from toolkit.engines.mysql.typemap import Profile
from toolkit.plan import Observed, Sql, Statement, Step

# An INSERT … SELECT then keeps nobody from writing to the rows it reads.
_UNLOCKED = Sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
_BOOKS = {"columns": ("COLUMNS", "COLUMN_NAME"), "indexes": ("STATISTICS", "INDEX_NAME")}


def files(chain: Sequence[Definition], rules: Profile) -> Mapping[str, str]:
    """Path below `schema/` → content."""

    def steps(observed: Observed, wanted: Definition) -> tuple[Step, ...]:
        # There may be records.
        return tuple(repeatable(step) for step in planner.steps(replace(observed, rows=1), wanted, rules))

    dialect = sql_scripts.Dialect(
        name="mysql",
        catalog=lambda definition: layout.catalog(definition, rules),
        empty=layout.EMPTY,
        steps=steps,
        guard=versions.guard,
        uninstall=(render.drop_table(rules.table), versions.forget()),
        # Where clients do not commit by themselves, the version would be forgotten with the session.
        finish=(Sql("COMMIT"),),
    )
    return sql_scripts.files(chain, dialect)


def repeatable(step: Step) -> Step:
    """`step` such that it does nothing when it was done before; an ALTER is done as a whole, so one look is enough.
    The version tables are left out, because the guard of an install made them."""
    statements: list[Statement] = [_UNLOCKED] if step.id.startswith(fill.FILL) else []
    for statement in step.statements:
        if statement in versions.CREATE:
            continue
        if isinstance(statement, Sql) and statement.text.startswith("ALTER") and (done := _look(step)):
            statements += unless(done, statement)
        else:
            statements.append(statement)
    return replace(step, statements=tuple(statements))


def _look(step: Step) -> str | None:
    """A condition that holds when the step was done; None when it may simply be done again. It asks for everything
    that the step makes (or, when it makes nothing, removes): what another tool did by half is an error, not passed
    over."""
    if step.id.endswith(".alter"):
        return None
    made = [e.path for e in step.done if not isinstance(e.wanted, Absent)]
    paths = made or [e.path for e in step.done]
    counts = [_count(book, [p for p in paths if p[3] == book]) for book in _BOOKS if any(p[3] == book for p in paths)]
    return f"{' + '.join(counts)} = {len(made)}"


def _count(book: str, paths: Sequence[Path]) -> str:
    """How many of the columns or indexes at `paths`, all of one table, there are."""
    view, column = _BOOKS[book]
    names = ", ".join(render.literal(path[4]) for path in paths)
    return (
        f"(SELECT COUNT(DISTINCT {column}) FROM information_schema.{view} WHERE TABLE_SCHEMA = DATABASE()\n"
        f"    AND TABLE_NAME = {render.literal(paths[0][2])} AND {column} IN ({names}))"
    )


def unless(done: str, statement: Sql) -> tuple[Sql, ...]:
    """`statement`, made to do nothing when the condition `done` holds."""
    return (
        Sql(f"SET @change = IF(\n  {done},\n  'DO 0',\n  {render.literal(statement.text)})"),
        Sql("PREPARE change_table FROM @change"),
        Sql("EXECUTE change_table"),
        Sql("DEALLOCATE PREPARE change_table"),
    )
