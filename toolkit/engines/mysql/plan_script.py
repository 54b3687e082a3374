"""A plan as a script for the mysql client: guard, statements, check. Pure; the statements are the plan's own.

Guard and check count what information_schema says against what it shall say: columns with type and kind, indexes with
their number of keys, and the recorded version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines import scripting
from toolkit.engines.mysql.render import SQL_MODE, literal
from toolkit.engines.mysql.versions import LOCK_SECONDS, RECORDED, TABLES
from toolkit.engines.version_tables import create_tables
from toolkit.plan import Observed, Plan, Sql

HOW = "mysql --default-character-set=utf8mb4 DATABASE < FILE"

_LINES = """
SELECT CONCAT('column ', TABLE_NAME, '.', COLUMN_NAME, ': ', COLUMN_TYPE, IF(IS_NULLABLE = 'NO', ' not null', ''),
         CASE WHEN EXTRA LIKE '%STORED GENERATED%' THEN ' stored' WHEN EXTRA LIKE '%VIRTUAL GENERATED%' THEN ' virtual'
              ELSE '' END) AS line
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({tables})
UNION ALL
SELECT CONCAT('index ', TABLE_NAME, '.', INDEX_NAME, ': ', MIN(INDEX_TYPE), ', keys ', COUNT(*))
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({tables})
GROUP BY TABLE_NAME, INDEX_NAME
""".strip()


def script(plan: Plan, observed: Observed, goal: Catalog) -> str:
    """The plan for the mysql client. `observed`: what it was made on; `goal`: the wanted catalog."""
    reached = scripting.with_foreign(goal, observed.catalog, plan.foreign)
    tables, label = scripting.tables(observed.catalog, reached), scripting.recorded(plan, observed)
    before = (
        Sql(f"SET SESSION sql_mode = {literal(SQL_MODE)}, time_zone = '+00:00', lock_wait_timeout = {LOCK_SECONDS}"),
        Sql("SET SESSION information_schema_stats_expiry = 0, sql_safe_updates = 0, autocommit = 1, NAMES utf8mb4"),
        Sql("SET SESSION default_storage_engine = InnoDB"),
        # Asking for the recorded version needs a table to ask; both are Temporal's own.
        *create_tables("DATETIME(6)"),
        _assert(scripting.STALE, observed.catalog, tables, observed.recorded),
    )
    return scripting.sql_script(
        plan, HOW, before, (_assert(scripting.UNREACHED, reached, tables, label),), scripting.plain
    )


def _assert(problem: str, catalog: Catalog, tables: Sequence[str], recorded: str | None) -> Sql:
    """A statement that fails with `problem` in the message: a function that quotes the text it refuses."""
    wanted = lines(catalog)
    query = _LINES.replace("{tables}", ", ".join(literal(t) for t in tables) or "NULL")
    listed = ",\n    ".join(literal(text) for text in wanted) or "NULL"
    # Counted, not filtered: 8.0.29 and later move a condition into the UNION by parsing its columns anew, and refuse
    # to read the functions inside information_schema then (error 3566; 9 does not).
    fits = (
        f"COALESCE(({RECORDED}), 'nothing') = {literal(recorded or 'nothing')}\n"
        f"  AND (SELECT COUNT(*) = {len(wanted)} AND COUNT(IF(line IN (\n    {listed}\n  ), 1, NULL)) = {len(wanted)}\n"
        f"  FROM (\n{query}\n  ) AS seen)"
    )
    return Sql(f"DO IF({fits},\n  0,\n  UUID_TO_BIN({literal(problem)}))")


def lines(catalog: Catalog) -> list[str]:
    """What information_schema says of `catalog`, as `_LINES` writes it."""
    found: list[str] = []
    for table, facts in sorted(catalog.children(("tables",)).items()):
        if table in TABLES or not isinstance(facts, dict):
            continue
        found += [f"column {table}.{name}: {_column(value)}" for name, value in scripting.members(facts, "columns")]
        found += [f"index {table}.{name}: {_index(value)}" for name, value in scripting.members(facts, "indexes")]
        keys = facts.get("primary_key")
        if isinstance(keys, list):
            found.append(f"index {table}.PRIMARY: BTREE, keys {len(keys)}")
    return found


def _column(facts: Mapping[str, Json]) -> str:
    kind = f" {facts['generated']}" if "generated" in facts else ""
    return f"{facts['type']}{' not null' if facts.get('not_null') else ''}{kind}"


def _index(facts: Mapping[str, Json]) -> str:
    keys = facts["keys"]
    return f"{facts['type']}, keys {len(keys) if isinstance(keys, list) else 0}"
