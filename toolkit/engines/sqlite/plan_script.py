"""A plan as a script for the sqlite3 shell: guard, statements, check, all one transaction. Pure; the statements are the
plan's own.

Guard and check compare what the file says with what it shall say: columns with type and kind, the names of indexes,
full-text tables and triggers, and the recorded version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines import scripting
from toolkit.engines.sqlite import rounding
from toolkit.engines.sqlite.render import check, literal
from toolkit.engines.sqlite.versions import RECORDED
from toolkit.engines.version_tables import create_tables
from toolkit.plan import Observed, Plan, Sql

HOW = "sqlite3 DATABASE.db < FILE"
BUSY_MILLISECONDS = 10_000

_LINES = """
SELECT 'column ' || m.name || '.' || x.name || ': ' || upper(replace(x.type, ' ', ''))
       || CASE WHEN x."notnull" THEN ' not null' ELSE '' END
       || CASE x.hidden WHEN 2 THEN ' virtual' WHEN 3 THEN ' stored' ELSE '' END AS line
FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x WHERE m.type = 'table' AND m.name IN ({tables})
UNION ALL
SELECT m.type || ' ' || t.name || '.' || m.name FROM sqlite_master AS m, sqlite_master AS t
WHERE m.type IN ('index', 'trigger') AND m.sql IS NOT NULL AND t.type = 'table'
  AND t.name = m.tbl_name COLLATE NOCASE AND t.name IN ({tables})
UNION ALL
SELECT 'search ' || name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'
""".strip()


def script(plan: Plan, observed: Observed, goal: Catalog) -> str:
    """The plan for the sqlite3 shell. `observed`: what it was made on; `goal`: the wanted catalog."""
    reached = scripting.with_foreign(goal, observed.catalog, plan.foreign)
    tables, label = scripting.tables(observed.catalog, reached), scripting.recorded(plan, observed)
    before = (
        Sql(f".bail on\n.timeout {BUSY_MILLISECONDS}\nPRAGMA foreign_keys = OFF"),
        Sql("PRAGMA legacy_alter_table = ON"),
        # The write lock at once: nobody writes between the guard and the last statement.
        Sql("BEGIN IMMEDIATE"),
        *create_tables("TIMESTAMP"),
        *_assert(scripting.STALE, observed.catalog, tables, observed.recorded),
        *(check for table in observed.catalog.children(("tables",)) for check in rounding.guard(plan.steps, table)),
    )
    after = (*_assert(scripting.UNREACHED, reached, tables, label), Sql("COMMIT"))
    return scripting.sql_script(plan, HOW, before, after, scripting.plain)


def _assert(problem: str, catalog: Catalog, tables: Sequence[str], recorded: str | None) -> tuple[Sql, ...]:
    wanted = lines(catalog)
    query = _LINES.replace("{tables}", ", ".join(literal(table) for table in tables) or "NULL")
    listed = ",\n    ".join(literal(text) for text in wanted) or "NULL"
    fits = (
        f"coalesce(({RECORDED}), 'nothing') = {literal(recorded or 'nothing')}\n"
        f"  AND (SELECT count(*) FROM (\n{query}\n  )) = {len(wanted)}\n"
        f"  AND (SELECT count(*) FROM (\n{query}\n  ) WHERE line IN (\n    {listed}\n  )) = {len(wanted)}"
    )
    return check(problem, fits)


def lines(catalog: Catalog) -> list[str]:
    """What the file says of `catalog`, as `_LINES` writes it."""
    found: list[str] = []
    for table, facts in sorted(catalog.children(("tables",)).items()):
        found += [f"column {table}.{name}: {_column(value)}" for name, value in scripting.members(facts, "columns")]
        found += [f"index {table}.{name}" for name, _ in scripting.members(facts, "indexes")]
    found += [
        f"trigger {facts['table']}.{name}"
        for name, facts in scripting.members(dict(catalog.body), "triggers")
        if facts["table"] in catalog.children(("tables",))
    ]
    return [*found, *(f"search {name}" for name in sorted(catalog.children(("virtual_tables",))))]


def _column(facts: Mapping[str, Json]) -> str:
    kind = f" {facts['generated']}" if "generated" in facts else ""
    return f"{str(facts['type']).replace(' ', '').upper()}{' not null' if facts.get('not_null') else ''}{kind}"
