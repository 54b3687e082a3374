"""What a swap on ClickHouse must know about the live table besides its schema: sizes, dependants, what it would lose.

`read` asks the server and gives plain values for `Observed.traits`; `decode` makes them typed for the planner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.catalog import Json
from toolkit.engines.clickhouse import clauses
from toolkit.engines.clickhouse.inspect import Ask, Look, Row
from toolkit.engines.clickhouse.names import CAPTURE, OTHER
from toolkit.engines.clickhouse.render import literal

_HERE = "database = currentDatabase()"
_MUTATION = f"SELECT groupBitXor(cityHash64(mutation_id)) AS id FROM system.mutations WHERE {_HERE} AND table = {{}}"
_POLICIES = (
    "SELECT policy_name AS policy, groupUniqArrayArray(disks) AS disks FROM system.storage_policies"
    " GROUP BY policy_name"
)
# With both of them rows are taken away by parts of their own (`lightweight_delete_mode = 'lightweight_update'`).
PATCHED = ("enable_block_number_column", "enable_block_offset_column")
_USUAL = f"SELECT name, value FROM system.{{}}merge_tree_settings WHERE name IN {PATCHED} AND value != '0'"
# What may follow a column's name, and that part of it which no other table of the server tells.
WORDS = ("DEFAULT", "MATERIALIZED", "ALIAS", "EPHEMERAL", "COMMENT", "CODEC", "STATISTICS", "TTL", "SETTINGS")
_UNTOLD = ("COMMENT", "STATISTICS", "TTL", "SETTINGS")
_COMPUTED = ("ALIAS", "MATERIALIZED", "EPHEMERAL")


@dataclass(frozen=True, slots=True)
class Extra:
    """A column of somebody else's: its name and what follows it in CREATE TABLE. `passing`: the same where a table only
    passes rows on."""

    name: str
    ddl: str
    passing: str


@dataclass(frozen=True, slots=True)
class TableTraits:
    """One live table. `distributed`: it keeps nothing and passes rows on to a cluster. `columns`: name → type of those
    that hold values; `settings`: those of its own; `usual`: what the server's configuration says of PATCHED; `views`:
    materialized views that read from it; `ttl`: as the server spells it, "" when there is none; `policy`: the storage
    policy of its own, None: the usual one; `comment`: the table's own; `comments` and `ttls`: of columns that have one,
    the former as literals."""

    uuid: str
    replicated: bool
    distributed: bool
    ttl: str
    policy: str | None
    columns: Mapping[str, str]
    settings: Mapping[str, str]
    usual: Mapping[str, str]
    views: tuple[str, ...]
    extras: Mapping[str, Extra]
    indexes: Mapping[str, str]
    comment: str
    comments: Mapping[str, str]
    ttls: Mapping[str, str]


def read(ask: Ask, seen: Look, table: str) -> dict[str, Json]:
    """`Observed.traits`: `table` (what must not change during a rebuild), `other` (uuid of the table beside it),
    `capture`, `sizes`, `policies`; empty when there is no such table."""
    if table not in seen.tables:
        return {}
    row = seen.tables[table]
    parts = clauses.clauses(row["engine_full"])
    settings: dict[str, Json] = dict(clauses.settings(parts.get("SETTINGS", "")))
    columns: Json = [
        [r["name"], r["type"], r["default_kind"], r["default_expression"], r["compression_codec"]]
        for r in _of(seen.columns, table)
    ]
    indexes: Json = [
        [r["name"], r["expr"], r["type"], int(r["granularity"])]
        for r in sorted(_of(seen.indexes, table), key=lambda r: str(r["name"]))
    ]
    facts: dict[str, Json] = {
        "uuid": row["uuid"],
        "engine": row["engine"],
        "columns": columns,
        "indexes": indexes,
        "projections": sorted(r["name"] for r in _of(seen.projections, table)),
        "settings": settings,
        "views": [view for view in sorted(row["views"]) if view != CAPTURE],
        "mutation": str(ask(_MUTATION.format(literal(table)))[0]["id"]),
        # A run that began before this was looked at finds its table unchanged.
        **({"ttl": parts["TTL"]} if "TTL" in parts else {}),
        **({"comment": row["comment"]} if row["comment"] else {}),
        **({"told": told} if (told := _told(row["create_table_query"])) else {}),
        **({"constraints": names} if (names := _constraints(row["create_table_query"])) else {}),
        **({"usual": usual} if (usual := _usual(ask, row["engine"])) else {}),
    }
    return {
        "table": facts,
        "other": seen.tables[OTHER]["uuid"] if OTHER in seen.tables else None,
        "capture": CAPTURE in seen.tables,
        "sizes": {"rows": int(row["total_rows"] or 0), "bytes": int(row["total_bytes"] or 0)},
        "policies": {r["policy"]: sorted(r["disks"]) for r in ask(_POLICIES)},
    }


def _usual(ask: Ask, engine: str) -> dict[str, Json]:
    kind = "replicated_" if engine.startswith("Replicated") else ""
    return {row["name"]: row["value"] for row in ask(_USUAL.format(kind))}


def _told(create: str) -> dict[str, Json]:
    """Columns with something that only the table's own statement tells, as it says them."""
    columns = dict(clauses.named(element) for element in clauses.elements(create))
    return {name: ddl for name, ddl in columns.items() if name and clauses.parts(ddl, WORDS).keys() & set(_UNTOLD)}


def _constraints(create: str) -> list[Json]:
    """A run refuses to begin where there are any: one that comes during it would not be in the copy."""
    return [*clauses.called(create, "CONSTRAINT")]


def _of(rows: Sequence[Row], table: str) -> list[Row]:
    return [row for row in rows if row["table"] == table]


def decode(value: Json) -> TableTraits:
    """The traits in `Observed.traits["table"]`."""
    assert isinstance(value, dict)
    facts: dict[str, Any] = dict(value)
    policy = facts["settings"].get("storage_policy")
    told: dict[str, str] = facts.get("told", {})
    parts = {name: clauses.parts(ddl, WORDS) for name, ddl in told.items()}
    return TableTraits(
        uuid=facts["uuid"],
        replicated=facts["engine"].startswith("Replicated"),
        distributed=facts["engine"] == "Distributed",
        ttl=facts.get("ttl", ""),
        policy=clauses.unquoted(policy) if policy else None,
        columns={name: type for name, type, kind, _, _ in facts["columns"] if kind not in _COMPUTED},
        settings=facts["settings"],
        usual=facts.get("usual", {}),
        views=tuple(facts["views"]),
        extras={
            c[0]: Extra(c[0], told.get(c[0]) or _ddl(*c[1:]), _ddl(c[1], c[2], c[3], "")) for c in facts["columns"]
        },
        indexes={
            name: f"{_bracketed(expr)} TYPE {type} GRANULARITY {size}" for name, expr, type, size in facts["indexes"]
        },
        comment=facts.get("comment", ""),
        comments={name: found["COMMENT"] for name, found in parts.items() if "COMMENT" in found},
        ttls={name: found["TTL"] for name, found in parts.items() if "TTL" in found},
    )


def _bracketed(expr: str) -> str:
    """The server tells an index over several columns without the brackets that it asks for."""
    return f"({expr})" if len(clauses.split(expr)) > 1 else expr


def _ddl(type: str, kind: str, value: str, codec: str) -> str:
    return " ".join(part for part in (type, f"{kind} {value}" if kind else "", codec) if part)
