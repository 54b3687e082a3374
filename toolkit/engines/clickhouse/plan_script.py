"""A plan as a script for clickhouse-client: guard, statements, check. Pure; the statements are the plan's own.

Guard and check compare what the system tables say with what they shall say: columns with type and kind, skip indexes
with type and granularity, and the recorded version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.catalog import Catalog, Json
from toolkit.engines import scripting
from toolkit.engines.clickhouse.layout import Placement
from toolkit.engines.clickhouse.render import literal
from toolkit.engines.clickhouse.versions import RECORDED, create_version_table
from toolkit.plan import Observed, Plan, Sql

HOW = "clickhouse-client --database DATABASE --multiquery < FILE"

_LINES = """
SELECT concat('column ', table, '.', name, ': ', type, if(default_kind = '', '', concat(' ', lower(default_kind)))) AS l
FROM system.columns WHERE database = currentDatabase() AND table IN ({tables})
UNION ALL
SELECT concat('index ', table, '.', name, ': ', type_full, ', granularity ', toString(granularity)) AS l
FROM system.data_skipping_indices
WHERE database = currentDatabase() AND table IN ({tables}) AND NOT startsWith(name, 'auto_minmax_index_')
""".strip()


def script(plan: Plan, observed: Observed, goal: Catalog, placement: Placement) -> str:
    """The plan for clickhouse-client. `observed`: what it was made on; `goal`: the wanted catalog."""
    reached = scripting.with_foreign(goal, observed.catalog, plan.foreign)
    tables, label = scripting.tables(observed.catalog, reached), scripting.recorded(plan, observed)
    before = (
        # The client waits until background work is done, and fails with it.
        Sql("SET mutations_sync = 1, alter_sync = 1, lock_acquire_timeout = 10"),
        create_version_table(placement),
        _assert(scripting.STALE, observed.catalog, tables, observed.recorded),
    )
    after = (_assert(scripting.UNREACHED, reached, tables, label),)
    return scripting.sql_script(plan, HOW, before, after, scripting.plain)


def _assert(problem: str, catalog: Catalog, tables: Sequence[str], recorded: str | None) -> Sql:
    wanted = lines(catalog)
    query = _LINES.replace("{tables}", ", ".join(literal(table) for table in tables) or "''")
    listed = ",\n    ".join(literal(text) for text in wanted) or "''"
    return Sql(
        "SELECT throwIf(NOT (\n"
        f"  ({RECORDED}) = {literal(recorded or '')}\n"
        f"  AND (SELECT count() FROM (\n{query}\n  )) = {len(wanted)}\n"
        f"  AND (SELECT count() FROM (\n{query}\n  ) WHERE l IN (\n    {listed}\n  )) = {len(wanted)}\n"
        f"), {literal(problem)}) FORMAT Null"
    )


def lines(catalog: Catalog) -> list[str]:
    """What the system tables say of `catalog`, as `_LINES` writes it."""
    found: list[str] = []
    for table, facts in sorted(catalog.children(("tables",)).items()):
        found += [f"column {table}.{name}: {_column(value)}" for name, value in scripting.members(facts, "columns")]
        found += [
            f"index {table}.{name}: {value['type']}, granularity {value['granularity']}"
            for name, value in scripting.members(facts, "indexes")
        ]
    return found


def _column(facts: Mapping[str, Json]) -> str:
    kinds = [kind for kind in ("default", "materialized", "alias", "ephemeral") if kind in facts]
    return f"{facts['type']}{' ' + kinds[0] if kinds else ''}"
