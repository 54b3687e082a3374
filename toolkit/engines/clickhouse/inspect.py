"""ClickHouse's own catalog → one look at it, and from that our Catalog: the queries, and the reading of their rows.

It asks nothing itself (`client` does). The canonical form, in the spelling of the server's `system` tables:

    tables.T = {engine, replicated?: true, order_by: [..], primary_key?: [..] when it is not all of order_by,
                partition_by, sample_by?, ttl?, settings?: those that our profile or an overlay sets}
    tables.T.columns.C = {type, default?|materialized?|alias?|ephemeral?, codec?}
    tables.T.indexes.I = {expr, type, granularity}        tables.T.projections.P = query
    materialized_views.V = {to?, query}    views.V = query    other_tables.N = engine (those that are no MergeTree)

Left out: the path and replica name of a replicated table, the word Shared of ClickHouse Cloud, a distributed table's
own database, comments, constraints (no system table shows them), and quotes around identifiers that need none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.catalog import Catalog, Json
from toolkit.engines.clickhouse import clauses
from toolkit.engines.clickhouse.clauses import plain
from toolkit.engines.clickhouse.versions import IGNORED_PREFIX, IGNORED_TABLES

Row = Mapping[str, Any]
Ask = Callable[[str], Sequence[Row]]

_TABLES = """
SELECT name, engine, engine_full, sorting_key, primary_key, partition_key, sampling_key, as_select, create_table_query,
       comment, database, toString(uuid) AS uuid, dependencies_table AS views, total_rows, total_bytes
FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary
"""
_COLUMNS = """
SELECT table, name, type, default_kind, default_expression, compression_codec
FROM system.columns
WHERE database = currentDatabase()
ORDER BY table, position
"""
_INDEXES = """
SELECT table, name, expr, type_full AS type, granularity
FROM system.data_skipping_indices
WHERE database = currentDatabase()
"""
# Before 24.9 there is no such table.
_HAS_PROJECTIONS = "SELECT count() AS n FROM system.tables WHERE database = 'system' AND name = 'projections'"
_PROJECTIONS = "SELECT table, name, query FROM system.projections WHERE database = currentDatabase()"

# Tables that hold the rows of a materialized view without a table of its own.
_INNER = (".inner.", ".inner_id.")
# Indexes the server makes by itself, where a setting asks for them.
_IMPLICIT_INDEX = "auto_minmax_index_"
_VIEW_TARGET = re.compile(r"\bTO (?:`(?:[^`\\]|\\.)*`|\w+)(?:\.(?:`(?:[^`\\]|\\.)*`|\w+))?")
# Engines of tables that a version may have.
STORING = ("MergeTree", "Distributed")


@dataclass(frozen=True, slots=True)
class Look:
    """What the server's `system` tables say of the current database, all read at once: `tables` by name; the rows of
    `columns` in their order."""

    tables: Mapping[str, Row]
    columns: Sequence[Row]
    indexes: Sequence[Row]
    projections: Sequence[Row]

    def engine(self, table: str) -> str:
        """The engine of `table`, "" when there is none."""
        return str(self.tables[table]["engine"]) if table in self.tables else ""


def look(ask: Ask, projections: bool) -> Look:
    """`ask` runs one query and gives its rows as mappings; `projections`: what `has_projections` says."""
    tables = {row["name"]: row for row in ask(_TABLES)}
    return Look(tables, ask(_COLUMNS), ask(_INDEXES), ask(_PROJECTIONS) if projections else ())


def has_projections(ask: Ask) -> bool:
    """Whether this server lists its projections."""
    return bool(int(ask(_HAS_PROJECTIONS)[0]["n"]))


def catalog(seen: Look, settings: Collection[str]) -> Catalog:
    """The catalog of the current database. Of a table's settings only those in `settings` are read."""
    rows = [row for name, row in seen.tables.items() if not _ignored(name)]
    stored = {row["name"]: _table(row, settings) for row in rows if row["engine"].endswith(STORING)}
    for row in seen.columns:
        _put(stored, row, "columns", _column(row))
    for row in seen.indexes:
        if not row["name"].startswith(_IMPLICIT_INDEX):
            facts = {"expr": plain(row["expr"]), "type": row["type"], "granularity": int(row["granularity"])}
            _put(stored, row, "indexes", facts)
    for row in seen.projections:
        _put(stored, row, "projections", plain(row["query"]))
    tables: dict[str, Json] = {name: facts for name, facts in stored.items()}
    others: dict[str, dict[str, Json]] = {
        "materialized_views": {r["name"]: _materialized_view(r) for r in rows if r["engine"] == "MaterializedView"},
        "views": {r["name"]: plain(r["as_select"]) for r in rows if r["engine"] == "View"},
        "other_tables": {r["name"]: r["engine"] for r in rows if not r["engine"].endswith((*STORING, "View"))},
    }
    return Catalog("clickhouse", {"tables": tables, **{name: found for name, found in others.items() if found}})


def _ignored(name: str) -> bool:
    return name in IGNORED_TABLES or name.startswith((IGNORED_PREFIX, *_INNER))


def _put(tables: dict[str, dict[str, Json]], row: Row, what: str, facts: Json) -> None:
    if row["table"] in tables:
        members = tables[row["table"]].setdefault(what, {})
        assert isinstance(members, dict)
        members[row["name"]] = facts


def _table(row: Row, wanted: Collection[str]) -> dict[str, Json]:
    parts = clauses.clauses(row["engine_full"])
    engine = clauses.engine(parts[""], row["database"])
    facts: dict[str, Json] = {"columns": {}, "engine": engine.text}
    if engine.replicated:
        facts["replicated"] = True
    if not row["engine"].endswith("MergeTree"):
        return facts
    order_by = [plain(key) for key in clauses.split(row["sorting_key"])]
    primary_key = [plain(key) for key in clauses.split(row["primary_key"])]
    facts["order_by"] = list(order_by)
    if primary_key != [key.removesuffix(" DESC") for key in order_by] and primary_key != order_by:
        facts["primary_key"] = list(primary_key)
    facts["partition_by"] = plain(row["partition_key"]) or "tuple()"
    if row["sampling_key"]:
        facts["sample_by"] = plain(row["sampling_key"])
    if "TTL" in parts:
        facts["ttl"] = plain(parts["TTL"])
    ours = {name: value for name, value in clauses.settings(parts.get("SETTINGS", "")) if name in wanted}
    if ours:
        facts["settings"] = dict(ours)
    return facts


def _column(row: Row) -> Json:
    facts: dict[str, Json] = {"type": row["type"]}
    if row["default_kind"]:
        facts[row["default_kind"].lower()] = plain(row["default_expression"])
    if row["compression_codec"]:
        facts["codec"] = row["compression_codec"].removeprefix("CODEC(").removesuffix(")")
    return facts


def _materialized_view(row: Row) -> Json:
    target = _VIEW_TARGET.search(row["create_table_query"].partition(" AS SELECT")[0])
    facts: dict[str, Json] = {"query": plain(row["as_select"])}
    if target:
        facts["to"] = plain(target[0].removeprefix("TO ")).removeprefix(f"{row['database']}.")
    return facts
