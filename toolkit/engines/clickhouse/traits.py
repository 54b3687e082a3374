"""What a swap on ClickHouse must know about the live table besides its schema: sizes, dependants, what it would lose.

`read` asks the server and gives plain values for `Observed.traits`; `decode` makes them typed for the planner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.clickhouse import clauses
from toolkit.engines.clickhouse.names import CAPTURE, OTHER
from toolkit.engines.clickhouse.render import literal

Ask = Callable[[str], Sequence[Mapping[str, Any]]]

_HERE = "database = currentDatabase()"
_TABLE = f"""
SELECT toString(uuid) AS uuid, engine, engine_full, dependencies_table AS views,
       coalesce(total_rows, 0) AS rows, coalesce(total_bytes, 0) AS bytes
FROM system.tables WHERE {_HERE} AND name = {{}}
"""
_COLUMNS = f"""
SELECT name, type, default_kind AS kind, default_expression AS value, compression_codec AS codec
FROM system.columns WHERE {_HERE} AND table = {{}} ORDER BY position
"""
_INDEXES = f"""
SELECT name, expr, type_full AS type, granularity FROM system.data_skipping_indices
WHERE {_HERE} AND table = {{}} ORDER BY name
"""
_PROJECTIONS = f"SELECT name FROM system.projections WHERE {_HERE} AND table = {{}} ORDER BY name"
_HAS_PROJECTIONS = "SELECT count() AS n FROM system.tables WHERE database = 'system' AND name = 'projections'"
_MUTATION = f"SELECT groupBitXor(cityHash64(mutation_id)) AS id FROM system.mutations WHERE {_HERE} AND table = {{}}"
_POLICIES = "SELECT policy_name AS policy, groupUniqArrayArray(disks) AS disks FROM system.storage_policies GROUP BY 1"
_UUID = f"SELECT toString(uuid) AS uuid, engine FROM system.tables WHERE {_HERE} AND name = {{}}"


@dataclass(frozen=True, slots=True)
class Extra:
    """A column of somebody else's: its name and what follows it in CREATE TABLE."""

    name: str
    ddl: str


@dataclass(frozen=True, slots=True)
class TableTraits:
    """One live table. `columns`: name → type of those that hold values; `settings`: those of its own; `views`:
    materialized views that read from it; `projections` would be lost by a swap."""

    uuid: str
    columns: Mapping[str, str]
    settings: Mapping[str, str]
    views: tuple[str, ...]
    projections: tuple[str, ...]
    extras: Mapping[str, Extra]
    indexes: Mapping[str, str]


def read(ask: Ask, table: str) -> dict[str, Json]:
    """`Observed.traits`: `table` (what must not change during a rebuild), `other` (uuid of the table beside it),
    `capture`, `sizes`, `policies`; empty when there is no such table."""
    name = literal(table)
    found = ask(_TABLE.format(name))
    if not found:
        return {}
    row = found[0]
    has_projections = bool(int(ask(_HAS_PROJECTIONS)[0]["n"]))
    settings: dict[str, Json] = dict(clauses.settings(clauses.clauses(row["engine_full"]).get("SETTINGS", "")))
    columns: Json = [[r["name"], r["type"], r["kind"], r["value"], r["codec"]] for r in ask(_COLUMNS.format(name))]
    indexes: Json = [[r["name"], r["expr"], r["type"], int(r["granularity"])] for r in ask(_INDEXES.format(name))]
    projections = [r["name"] for r in ask(_PROJECTIONS.format(name))] if has_projections else []
    facts: dict[str, Json] = {
        "uuid": row["uuid"],
        "engine": row["engine"],
        "columns": columns,
        "indexes": indexes,
        "projections": list(projections),
        "settings": settings,
        "views": [view for view in sorted(row["views"]) if view != CAPTURE],
        "mutation": str(ask(_MUTATION.format(name))[0]["id"]),
    }
    return {
        "table": facts,
        "other": _uuid(ask, OTHER),
        "capture": _uuid(ask, CAPTURE) is not None,
        "sizes": {"rows": int(row["rows"]), "bytes": int(row["bytes"])},
        "policies": {r["policy"]: sorted(r["disks"]) for r in ask(_POLICIES)},
    }


def _uuid(ask: Ask, table: str) -> str | None:
    found = ask(_UUID.format(literal(table)))
    return str(found[0]["uuid"]) if found else None


def decode(value: Json) -> TableTraits:
    """The traits in `Observed.traits["table"]`."""
    assert isinstance(value, dict)
    facts: dict[str, Any] = dict(value)
    return TableTraits(
        uuid=facts["uuid"],
        columns={name: type for name, type, kind, _, _ in facts["columns"] if kind not in ("ALIAS", "MATERIALIZED")},
        settings=facts["settings"],
        views=tuple(facts["views"]),
        projections=tuple(facts["projections"]),
        extras={c[0]: Extra(c[0], _ddl(*c[1:])) for c in facts["columns"]},
        indexes={name: f"{expr} TYPE {type} GRANULARITY {size}" for name, expr, type, size in facts["indexes"]},
    )


def _ddl(type: str, kind: str, value: str, codec: str) -> str:
    return " ".join(part for part in (type, f"{kind} {value}" if kind else "", codec) if part)
